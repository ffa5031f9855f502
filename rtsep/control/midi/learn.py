"""Learning: an address waits, the next control that is touched moves it from then on, and the map is saved."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtsep.config import to_yaml
from rtsep.control.midi.maps import Binding, Key, Line, Map, told
from rtsep.control.midi.messages import FINE, NRPN_COARSE, NRPN_FINE, PRESSED, Message
from rtsep.control.midi.ports import steady
from rtsep.whole import replacing

QUIET_S = 0.3  # after which a movement is over
OFF = "off"
FEW = 3  # messages that a fader sends at least; a button sends two
_NUMBERING = {NRPN_COARSE, NRPN_FINE}


@dataclass
class Learner:
    """Waits for a control, or does not.

    Parameters
    ----------
    learnt
        Is given the address, the port and what was recognised.
    say
        Is told what it waits for.
    """

    learnt: Callable[[str, str, dict[str, Any]], None]
    say: Callable[[str], None]
    _address: str | None = None
    _heard: dict[str, list[Message]] = field(default_factory=dict)
    _last_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_armed(self) -> bool:
        """Whether it waits."""
        return self._address is not None

    def arm(self, address: str) -> None:
        """Wait for a control for this address; ``off``: for none."""
        with self._lock:
            self._address, self._heard = None if address == OFF else address, {}
        how = "move a control; to both sides, if it has no ends"
        self.say("nothing is learnt" if address == OFF else f"{address}: {how}")

    def hear(self, port: str, messages: Sequence[Message]) -> None:
        """What was touched meanwhile."""
        with self._lock:
            if self._address is not None and messages:
                self._heard.setdefault(port, []).extend(messages)
                self._last_s = time.monotonic()

    def settle(self) -> None:
        """Decide, if something was moved and stands still again. The port that said most is meant."""
        with self._lock:
            if self._address is None or not self._heard or time.monotonic() - self._last_s < QUIET_S:
                return
            port = max(self._heard, key=lambda name: len(self._heard[name]))
            address, found = self._address, recognise(self._heard[port])
            if found is None:
                return
            self._address, self._heard = None, {}
        self.learnt(address, port, found)


def recognise(messages: Sequence[Message]) -> dict[str, Any] | None:
    """What kind of control says this, as the keys of a `Line`; None: that cannot be told yet.

    Knobs without ends say how far they were turned, so the same small step again and again, and from both sides of a
    middle; a fader never says the same twice; a button says on and off.
    """
    for kind in ("nrpn", "bend", "note", "program"):
        found = [message for message in messages if message.kind == kind]
        if found and (kind != "program" or len(found) == len(messages)):
            return _line(found[0])
    controls = [m for m in messages if m.kind == "cc" and m.number not in _NUMBERING]
    if not controls:
        return None
    numbers = {message.number for message in controls}
    coarse = min(numbers)
    if coarse < FINE and coarse + FINE in numbers:
        return {"cc14": coarse, "channel": controls[0].channel}
    moved = [m for m in controls if m.number == controls[-1].number]
    return _recognise_control(moved)


def _recognise_control(moved: Sequence[Message]) -> dict[str, Any] | None:
    values = [message.value for message in moved]
    line = _line(moved[0])
    if any(a == b for a, b in itertools.pairwise(values)) or _is_small(values):
        encoder = _encoding(values)
        return None if encoder is None else line | {"encoder": encoder}
    if set(values) <= {0, 127} or len(values) < FEW:
        return line if min(values) < PRESSED <= max(values) or len(values) >= FEW else None
    return line


def _is_small(values: Sequence[int]) -> bool:
    """Whether all are steps, of which some go one way and some the other."""
    return len(values) >= FEW and _encoding(values) is not None


def _encoding(values: Sequence[int]) -> str | None:
    """The encoding in which these are small steps to both sides."""
    seen = set(values)
    if seen & set(range(1, 16)) and seen & set(range(113, 128)) and seen <= {*range(1, 16), *range(113, 128)}:
        return "twos_complement"
    if seen & set(range(1, 16)) and seen & set(range(65, 80)) and seen <= {*range(1, 16), *range(65, 80)}:
        return "signed_bit"
    if min(values) < 64 < max(values) and seen <= set(range(49, 80)):
        return "binary_offset"
    return None


def _line(message: Message) -> dict[str, Any]:
    if message.kind == "bend":
        return {"bend": True, "channel": message.channel}
    return {message.kind: message.number, "channel": message.channel}


def with_line(map_: Map, line: Line, port: str) -> tuple[Map, list[str]]:
    """The map with one line more, made for a port; and what the same controls moved before, which they do no more."""
    taken = {binding.key for binding in line.bindings()}
    lines, conflicts = [], []
    for old in map_.bindings:
        bindings = list(old.bindings())
        lost = [binding for binding in bindings if any(_is_same(binding.key, key) for key in taken)]
        conflicts += [f"{told(binding.key)} moved {binding.to}" for binding in lost]
        lines += [old] if not lost else [single(binding) for binding in bindings if binding not in lost]
    match = map_.match if map_.fits(port) else re.escape(steady(port))
    return map_.model_copy(update={"match": match, "bindings": (*lines, line)}), conflicts


def _is_same(one: Key, other: Key) -> bool:
    """Whether two controls are the same, or one is half of the other."""
    (kind, channel, number), (other_kind, other_channel, other_number) = one, other
    if None not in (channel, other_channel) and channel != other_channel:
        return False
    return bool(_wires(kind, number) & _wires(other_kind, other_number))


def _wires(kind: str, number: int) -> set[tuple[str, int]]:
    return {("cc", number), ("cc", number + FINE)} if kind == "cc14" else {(kind, number)}


def single(binding: Binding) -> Line:
    """A line of its own for one control of a row."""
    kind, channel, number = binding.key
    changes: dict[str, Any] = {
        "to": binding.to,
        "value": binding.value,
        "shift": binding.shift,
        "channel": channel,
    }
    changes[kind] = True if kind == "bend" else number
    if (light := binding.line.light) is not None:
        lamp = binding.lamp()
        assert lamp is not None
        numbers: dict[str, Any] = {lamp[0]: lamp[2]} if light.note is not None or light.cc is not None else {}
        shows = light.shows if binding.shows_stem or light.shows is None else binding.shows
        changes["light"] = light.model_copy(update={**numbers, "shows": shows})
    kept = {name for name in changes if changes[name] is not None or name in binding.line.model_fields_set}
    return binding.line.model_copy(update={name: changes[name] for name in kept})


def save(map_: Map, path: Path) -> None:
    """Write a map as people would: without what stands at its default. The file is replaced whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(to_yaml(map_.model_dump(mode="json", exclude_unset=True)).encode())


def file_of(port: str) -> str:
    """A name for the file of what a port has learnt."""
    return re.sub(r"[^a-z0-9]+", "_", steady(port).lower()).strip("_") + ".yaml"


def notes(map_: Map) -> Iterator[str]:
    """A map in lines: what moves what."""
    yield from (f"{told(binding.key)}: {binding.to}" for binding in map_.each())
