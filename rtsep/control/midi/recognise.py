"""What kind of control is moved, told from what it says; or not yet.

A wrong guess would make a controller behave strangely for ever. What two kinds of control could have said is therefore
left open until one of them could not: whoever moves it is asked to go on.

- A *fader* or a knob with ends says where it stands: sooner or later something that is no small step.
- A *knob without ends* says how far it was turned: small steps, and of both signs once it was turned to both sides.
- A *button* says on and off; one that latches, or never says that it is let go, says one thing with every press. It
  is taken only for what is on or off, or done once.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rtsep.control.midi.maps import Encoder, Key
from rtsep.control.midi.messages import (
    DATA,
    DECREMENT,
    FINE,
    INCREMENT,
    NRPN_COARSE,
    NRPN_FINE,
    PRESSED,
    RPN_COARSE,
    RPN_FINE,
    TOP,
    TOP_14,
    Kind,
    Message,
)

#: What was said between two rests of the hand.
Movement = Sequence[Message]

FEW = 3  # messages that a fader sends at least; a button sends two
JITTER = 2  # values that a fader goes over while nobody touches it
LARGEST, SMALL = 31, 3  # steps of a knob without ends that is spun, and that is turned slowly
BANK, BANK_FINE = 0, 32  # stand before a program
PRESSES = 3  # after which it is clear that a button latches

_UP, _DOWN = range(1, LARGEST + 1), range(-LARGEST, 0)
#: What the steps are on the wire.
ENCODINGS: dict[Encoder, dict[int, int]] = {
    "twos_complement": {step % 128: step for step in (*_UP, *_DOWN)},
    "signed_bit": {step if step > 0 else 64 - step: step for step in (*_UP, *_DOWN)},
    "binary_offset": {64 + step: step for step in (*_UP, *_DOWN)},
}


def recognise(movements: Sequence[Movement], *, is_pressed: bool = False) -> dict[str, Any] | None:
    """The control that was moved last, as the keys of a `Line`; None: that cannot be told yet.

    Parameters
    ----------
    movements
        All that its port has said since, the last movement last.
    is_pressed
        Whether what is to be moved is on or off, or done once: whether a button would do.
    """
    said = [_by_control(movement, _parts(itertools.chain(*movements))) for movement in movements]
    key = _meant(said[-1]) if said else None
    if key is None:
        return None
    kind, channel, number = key
    line = {kind: True if kind == "bend" else number, "channel": channel}
    found = _kind(
        [[m.value for m in controls[key]] for controls in said if key in controls], kind, is_pressed
    )
    return None if found is None else line | found


def is_button(movement: Movement) -> bool:
    """Whether the control of a movement was pressed, not moved through: it said on and off, and little between."""
    said = _by_control(movement, _parts(movement))
    key = _meant(said)
    if key is None or key[0] != "cc":
        return key is not None and key[0] in ("note", "program")
    values = [message.value for message in said[key]]
    return _says_on_and_off(values) and not _is_moved_through(values)


def _meant(controls: dict[Key, list[Message]]) -> Key | None:
    """The control of a movement: of what was moved, else pressed, what said most."""
    moved = [key for key in controls if key[0] not in ("note", "program") and len(controls[key]) >= FEW]
    # A fader that feels the hand says a note first: a note is meant where nothing moves.
    pressed = [key for key in controls if key[0] != "cc" and any(m.value for m in controls[key])]
    for candidates in (moved, pressed, list(controls)):
        if candidates:
            return max(candidates, key=lambda key: len(controls[key]))
    return None


# --- what belongs together ---


def _parts(messages: Iterable[Message]) -> dict[tuple[int, int], Key | None]:
    """Of every channel and controller that is a part of something: of what; None: of what nobody can bind to."""
    numbers: dict[int, list[int]] = defaultdict(list)
    kinds: dict[int, set[str]] = defaultdict(set)
    for message in messages:
        kinds[message.channel].add(message.kind)
        if message.kind == "cc":
            numbers[message.channel].append(message.number)
    parts: dict[tuple[int, int], Key | None] = {}
    for channel, said in numbers.items():
        hidden = dict.fromkeys(_registered(set(said), kinds[channel]))
        if "program" in kinds[channel]:
            hidden |= {BANK: None, BANK_FINE: None}
        parts |= {(channel, number): None for number in hidden}
        for coarse in set(said) & {number - FINE for number in said if FINE <= number < 2 * FINE}:
            if coarse not in hidden:
                parts |= _pair(channel, coarse, [number for number in said if number % FINE == coarse])
    return parts


def _registered(said: set[int], kinds: set[str]) -> set[int]:
    """The controllers that name a registered number, or set it."""
    values = {DATA, DATA + FINE, INCREMENT, DECREMENT}
    names = {NRPN_COARSE, NRPN_FINE} if {NRPN_COARSE, NRPN_FINE} <= said or "nrpn" in kinds else set[int]()
    if {RPN_COARSE, RPN_FINE} <= said:
        names |= {RPN_COARSE, RPN_FINE}
    both = {INCREMENT, DECREMENT} <= said
    return names | (values if names else set()) | ({INCREMENT, DECREMENT} if both else set())


def _pair(channel: int, coarse: int, said: Sequence[int]) -> dict[tuple[int, int], Key | None]:
    """Whether two controllers, named in the order in which they spoke, are halves of one value.

    Halves speak beside one another. A fader and a button whose numbers happen to be 32 apart do not.
    """
    said = [number for number in said if number < 2 * FINE]
    beside = {i for i, pair in enumerate(itertools.pairwise(said)) if pair[0] != pair[1]}
    n_beside = sum(n == coarse and bool({i - 1, i} & beside) for i, n in enumerate(said))
    if 2 * n_beside < said.count(coarse):
        return {}
    key: Key | None = ("cc14", channel, coarse) if len(beside) >= 2 else None
    return dict.fromkeys([(channel, coarse), (channel, coarse + FINE)], key)


def _by_control(movement: Movement, parts: dict[tuple[int, int], Key | None]) -> dict[Key, list[Message]]:
    """What each control said; parts of something are not controls."""
    wholes = set(parts.values())
    controls: dict[Key, list[Message]] = {}
    for message in movement:
        key: Key = (message.kind, message.channel, message.number)
        is_part = message.kind == "cc" and (message.channel, message.number) in parts
        is_made = message.kind in ("cc14", "step") and not _is_whole(key, parts, wholes)
        if not is_part and not is_made:
            controls.setdefault(key, []).append(message)
    stepped = {channel for kind, channel, _ in controls if kind == "step"}
    return {key: said for key, said in controls.items() if key[0] != "nrpn" or key[1] not in stepped}


def _is_whole(key: Key, parts: dict[tuple[int, int], Key | None], wholes: set[Key | None]) -> bool:
    kind, channel, _ = key
    return key in wholes if kind == "cc14" else (channel, INCREMENT) in parts


# --- what kind it is ---


def _kind(movements: Sequence[Sequence[int]], kind: Kind, is_pressed: bool) -> dict[str, Any] | None:
    """What a line has to say beside the number; None: that cannot be told yet."""
    values = list(itertools.chain(*movements))
    if kind == "cc":
        return _kind_of_controller(movements, values, is_pressed)
    if kind in ("note", "program"):
        return {} if is_pressed and any(values) else None
    is_moved = TOP[kind] != TOP_14 or max(values) - min(values) > JITTER << 7
    return {} if is_moved or (is_pressed and kind == "nrpn") else None


def _kind_of_controller(
    movements: Sequence[Sequence[int]], values: Sequence[int], is_pressed: bool
) -> dict[str, Any] | None:
    if is_pressed and (found := _button(movements, values)) is not None:
        return found or None
    if encodings := [name for name, steps in ENCODINGS.items() if steps.keys() >= set(values)]:
        turned = [name for name in encodings if _is_turned(values, name)]
        return {"encoder": turned[0]} if len(turned) == 1 else None
    return {} if _is_moved_through(values) or (is_pressed and _says_on_and_off(values)) else None


def _says_on_and_off(values: Sequence[int]) -> bool:
    return min(values) == 0 and max(values) >= PRESSED


def _is_moved_through(values: Sequence[int]) -> bool:
    """Whether a fader could have said this, and no button: several values without an off between."""
    stretches = [list(stretch) for is_on, stretch in itertools.groupby(values, bool) if is_on]
    return any(len(set(said)) >= FEW for said in stretches) and max(values) - min(values) > JITTER


def _button(movements: Sequence[Sequence[int]], values: Sequence[int]) -> dict[str, Any] | None:
    """Of what says one thing with every press: that each is one, or nothing yet; None: it says more."""
    if any(len(movement) > 1 for movement in movements) or not set(values) - {0} or max(values) < PRESSED:
        return None
    is_same, latches = len(set(values)) == 1, all(bool(a) != bool(b) for a, b in itertools.pairwise(values))
    if not is_same and not latches:
        return None
    return {"press": "each"} if len(values) >= (PRESSES if latches else PRESSES - 1) else {}


def _is_turned(values: Sequence[int], encoding: Encoder) -> bool:
    """Whether no fader could have said this, which are steps in this encoding.

    From one side to the other, slowly: a fader would have had to leap over half of its way; or, where both sides lie
    beside the middle, to rest beside it and then leap over it.
    """
    steps = [ENCODINGS[encoding][value] for value in values]
    turns = [(a, b) for a, b in itertools.pairwise(steps) if a * b < 0 and max(abs(a), abs(b)) <= SMALL]
    if not turns:
        return False
    if encoding == "binary_offset":
        return max(len(list(run)) for _, run in itertools.groupby(steps)) >= FEW
    return max(Counter(steps).values()) > 1 and len(steps) > FEW
