"""A desk as small as can be: one stem `a`, two outputs, no offset; from a source tape or from a card."""

from __future__ import annotations

from rtsep.chain import Chain
from rtsep.desk import Cable, Desk, Limit
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.tape import Tape


def small_desk(
    rate_hz: int, *, is_from_card: bool = False, n_card_outputs: int = 0, limit: Limit | None = None
) -> Desk:
    coefficients = Mixer(Mix({"a": Strip()}, {MAIN: Bus((0, 1))}), 2).open(("a",))
    chain = Chain(coefficients, 1, 0, rate_hz, 80)
    return Desk(
        chain,
        Tape(2, 10 * rate_hz),
        rate_hz,
        (0, 1),
        cables=(Cable(0, 0), Cable(1, 1)) if is_from_card else (),
        n_card_inputs=2 if is_from_card else 0,
        n_card_outputs=n_card_outputs,
        has_source=not is_from_card,
        limit=limit,
    )
