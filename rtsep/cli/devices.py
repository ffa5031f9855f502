"""``rtsep devices``: the sound cards, and what rtsep would choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from rtsep.cli.console import out, say

if TYPE_CHECKING:
    from rtsep.io.cards import Card

EPILOG = """
`--input` and `--output` of `rtsep live` take an index or a part of a name that fits one device only; both have to
be of one host API. Latency is the card's own default, input and output; `rtsep live` adds its own parts.
"""


def devices() -> None:
    """Show the sound cards: channels, rates, latencies, and which are the defaults."""
    from rtsep.io.cards import PREFERRED_RATE_HZ, list_cards

    cards = list_cards()
    if not cards:
        say(
            "There is no sound card. `rtsep demo` runs without one; `rtsep live` with files and --clock real."
        )
        return
    table = Table(
        "", "", "name", "host API", "inputs", "outputs", "rate", "latency", box=None, pad_edge=False
    )
    for card in cards:
        latency = f"{1000 * card.input_latency_s:.0f} / {1000 * card.output_latency_s:.0f} ms"
        table.add_row(
            _mark(card),
            str(card.index),
            card.name.replace("[", "\\["),
            card.host_api,
            str(card.n_inputs),
            str(card.n_outputs),
            f"{card.sample_rate_hz} Hz",
            latency,
        )
    out.print(table)
    say(
        f"> default input, < default output. rtsep asks for a file's own rate, else for the "
        f"models', {PREFERRED_RATE_HZ} Hz."
    )


def _mark(card: Card) -> str:
    """What rtsep takes without being told."""
    return (">" if card.is_default_input else " ") + ("<" if card.is_default_output else " ")
