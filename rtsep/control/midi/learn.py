"""Learning: an address waits, the next control that is touched moves it from then on, and the map is saved."""

from __future__ import annotations

import json
import re
import shlex
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtsep.config import parse, to_yaml
from rtsep.control.midi.known import Chosen, own_file
from rtsep.control.midi.maps import PLAYS, Binding, Light, Line, Map, is_same, read_map, told
from rtsep.control.midi.messages import Message
from rtsep.control.midi.ports import steady
from rtsep.control.midi.recognise import is_button, recognise
from rtsep.errors import ConfigError, RtsepError, UsageError
from rtsep.parameters import ROWS, row_of
from rtsep.scales import Range, Switch, Text, Value
from rtsep.whole import copy_beside, replacing

QUIET_S = 0.3  # after which a movement is over
OFF = "off"
MOST_MESSAGES, MOST_MOVEMENTS = 4096, 8  # that are remembered of a port
GO_ON = "not sure yet: a fader further, a knob without ends slowly to both sides, a button once more"
NO_BUTTON = "a button cannot move a fader; move a fader or a knob"


@dataclass(frozen=True)
class Wish:
    """What a control shall do: move an address, or set it to a value."""

    address: str
    value: Value | None = None

    def __str__(self) -> str:
        return self.address if self.value is None else f"{self.address}={self.value}"

    @property
    def is_pressed(self) -> bool:
        """Whether a button would do it."""
        row = row_of(self.address)
        return self.value is not None or row.kind == "momentary" or isinstance(row.scale, Switch)


def read_wish(text: str) -> Wish:
    """A wish from ``ADDRESS`` or ``ADDRESS=VALUE``.

    Raises
    ------
    UsageError
        No control can do that.
    """
    address, equals, given = text.partition("=")
    row = row_of(address)
    if row.kind == "told":
        raise UsageError(f"{address} tells something; no control can move it")
    if not equals:
        if isinstance(row.scale, Text) and not row.scale.options:
            raise UsageError(f"{address} is a name; say which one the control shall set: {address}=NAME")
        is_jump = row.kind == "momentary" and isinstance(row.scale, Range)
        return Wish(address, row.default if is_jump else None)  # a place on a fader is none in a song
    words: dict[str, Value] = {"true": True, "false": False} if isinstance(row.scale, Switch) else {}
    return Wish(address, row.scale.check(words.get(given.lower(), given)))


@dataclass
class _Heard:
    """What a port has said since the wish: movements that are over, and the one that is not."""

    over: deque[Sequence[Message]] = field(default_factory=lambda: deque(maxlen=MOST_MOVEMENTS))
    now: deque[Message] = field(default_factory=lambda: deque(maxlen=MOST_MESSAGES))
    last_s: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether something was moved, and stands still again."""
        return bool(self.now) and time.monotonic() - self.last_s >= QUIET_S

    def rest(self) -> list[Sequence[Message]]:
        """End the movement; all of them."""
        self.over.append(tuple(self.now))
        self.now.clear()
        return list(self.over)


@dataclass
class Learner:
    """Waits for a control, or does not.

    Parameters
    ----------
    learnt
        Is given the wish, the port and what was recognised.
    say
        Is told what it waits for.
    """

    learnt: Callable[[Wish, str, dict[str, Any]], None]
    say: Callable[[str], None]
    _wish: Wish | None = None
    _heard: dict[str, _Heard] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_armed(self) -> bool:
        """Whether it waits."""
        return self._wish is not None

    def arm(self, wish: Wish | None) -> None:
        """Wait for a control for this; None: for none."""
        with self._lock:
            self._wish, self._heard = wish, {}
        if wish is None:
            self.say("nothing is learnt")
        elif wish.is_pressed:
            self.say(f"{wish}: press a button, or move a control")
        else:
            self.say(f"{wish}: move a control; to both sides, if it has no ends")

    def hear(self, port: str, messages: Sequence[Message]) -> None:
        """What was touched meanwhile."""
        with self._lock:
            if self._wish is not None and messages:
                heard = self._heard.setdefault(port, _Heard())
                heard.now.extend(messages)
                heard.last_s = time.monotonic()

    def settle(self) -> None:
        """Decide, if something was moved and stands still again. Of several ports the one that said most is meant."""
        with self._lock:
            wish, over = self._wish, {port: heard for port, heard in self._heard.items() if heard.is_over}
            if wish is None or not over:
                return
            port = max(over, key=lambda name: len(over[name].now))
            movements = {name: heard.rest() for name, heard in over.items()}[port]
            found = recognise(movements, is_pressed=wish.is_pressed)
            missing = _missing(wish, movements[-1], found)
            if not missing:
                self._wish, self._heard = None, {}
        if missing or found is None:
            self.say(f"{wish}: {missing}")
        else:
            self.learnt(wish, port, found)


def _missing(wish: Wish, movement: Sequence[Message], found: dict[str, Any] | None) -> str:
    """What is asked of the hand, as what was moved is not known yet, or cannot do it; else empty."""
    if found is None:
        return NO_BUTTON if not wish.is_pressed and is_button(movement) else GO_ON
    try:
        line_of(wish, found)
    except ConfigError as error:
        return str(error)
    return ""


def line_of(wish: Wish, found: dict[str, Any]) -> Line:
    """The line of a map for what was recognised.

    Raises
    ------
    ConfigError
        Such a control cannot do that.
    """
    value = {} if wish.value is None else {"value": wish.value}
    return parse({**found, "to": wish.address, **value}, Line, "what was moved")


@dataclass(frozen=True)
class Learnt:
    """What was learnt, and what becomes of the map of its port.

    Attributes
    ----------
    line
        The control and what it moves.
    map
        With that line in it.
    name
        Of that map.
    text
        What a person should know: which control moves what, and what it moved before.
    asked_by
        What `--midi` has to say for it.
    """

    line: Line
    map: Map
    name: str
    text: str
    asked_by: str

    @property
    def path(self) -> Path:
        """Where it belongs."""
        return own_file(self.name)


def teach(chosen: Chosen, wish: Wish, port: str, found: dict[str, Any]) -> Learnt:
    """Put what was recognised into a map, where the same wish finds it the next time.

    Parameters
    ----------
    chosen
        The map of the port. What is learnt on it is kept under its name, and goes before one that ships; what is
        learnt on the one for any port becomes a map that is made for this port.
    wish, port, found
        What `Learner` tells.
    """
    line = line_of(wish, found)
    new, conflicts = with_line(chosen.map, line)
    if chosen.is_for_any:
        new = new.model_copy(update={"name": steady(port), "match": re.escape(steady(port))})
    before = "".join(f"; before, {conflict}" for conflict in conflicts)
    text = f"{told(next(line.bindings()).key)}{_how(line)} of {port} moves {wish}{before}"
    return Learnt(new.bindings[-1], new, chosen.name, text, chosen.wish)


def _how(line: Line) -> str:
    """What is special about a control."""
    if line.encoder is not None:
        return f" (without ends, {line.encoder})"
    return " (each message a press)" if line.press == "each" else ""


def keep(learnt: Learnt) -> str:
    """Write what was learnt into its file; where it is kept.

    Raises
    ------
    RtsepError
        It cannot be written; what was there is still there.
    """
    try:
        before = save(learnt.map, learnt.path)
    except OSError as error:
        line = json.dumps(learnt.line.model_dump(mode="json", exclude_unset=True))  # which is YAML as well
        raise RtsepError(
            f"{learnt.path} cannot be written: {error.strerror or error}. RTSEP_CONFIG=FOLDER names another "
            f"folder for settings; the line for a map is {line}"
        ) from error
    asks = f", which `--midi {shlex.quote(learnt.asked_by)}` takes"
    return f"Kept in {learnt.path}{asks}" + (f"; as it was in {before}" if before else "")


def with_line(map_: Map, line: Line) -> tuple[Map, list[str]]:
    """The map with one line more, and what the same controls moved before, which they do no more."""
    taken = {binding.key for binding in line.bindings()}
    lines, conflicts, light = [], [], line.light
    for old in map_.bindings:
        bindings = list(old.bindings())
        lost = [binding for binding in bindings if any(is_same(binding.key, key) for key in taken)]
        conflicts += [f"{told(binding.key)} moved {binding.to}" for binding in lost]
        light = next(filter(None, (_light(binding, line) for binding in lost)), light)
        lines += [old] if not lost else [single(binding) for binding in bindings if binding not in lost]
    if light is not None:
        line = line.model_copy(update={"light": light})
    changes: dict[str, Any] = {"bindings": (*lines, line)}
    if map_.shift is not None and any(is_same(map_.shift.key, key) for key in taken):
        changes["shift"] = None
        conflicts.append(f"{told(map_.shift.key)} was the shift button")
    return map_.model_copy(update=changes), conflicts


def _light(before: Binding, line: Line) -> Light | None:
    """The light of a control, for what it moves from now on: of that it can show a switch, and whether a stem plays."""
    light, row = single(before).light, row_of(line.to)
    if light is None or not isinstance(row.scale, Switch) or row.kind != "held":
        return None
    kept = light.model_dump(exclude_unset=True, exclude={"shows"})
    return Light.model_validate(kept | ({"shows": PLAYS} if row is ROWS["/stem/{stem}/mute"] else {}))


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


def save(map_: Map, path: Path) -> Path | None:
    """Write a map as people would: without what stands at its default. The file is replaced whole or not at all.

    Returns
    -------
    Path or None
        Where the file is as it was, if there was more in it than a map: notes, or mistakes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    before = None
    if path.is_file() and (b"#" in path.read_bytes() or not _is_map(path)):
        before = copy_beside(path)
    with replacing(path) as file:
        file.write(to_yaml(map_.model_dump(mode="json", exclude_unset=True), is_dense=True).encode())
    return before


def _is_map(path: Path) -> bool:
    try:
        read_map(path)
    except ConfigError:
        return False
    return True
