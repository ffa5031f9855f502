"""Maps: what every knob and button of a controller moves, as a YAML file that people read and write.

::

    name: My controller
    match: my controller          # a part of its port's name, or a regular expression
    unless: daw                   # the same, for ports of its that say something else
    shift: {note: 98}             # a button to hold
    bindings:
      - {cc: [0, 1, 2, 3], to: "/stem/{n}/gain_db"}          # {n}: 1, 2, 3, 4, the stems in the model's order
      - {note: [8, 9, 10, 11], to: "/stem/{n}/mute", shift: "/stem/{n}/solo", light: {shows: plays}}
      - {program: 0, to: /scene/recall, value: karaoke}
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from rtsep.config import Strict, read_yaml
from rtsep.control.midi.messages import FINE, TOP, Kind, Message
from rtsep.control.midi.reach import is_name, unreachable
from rtsep.errors import UsageError
from rtsep.parameters import Parameter, row_of
from rtsep.scales import Gain, Range, Scale, Switch, Value

#: Of a wire: the kind of message, its channel (None: any), its number.
Key = tuple[Kind, int | None, int]

Number = Annotated[int, Field(ge=0, le=127)]
Pair = Annotated[int, Field(ge=0, lt=FINE)]
Wide = Annotated[int, Field(ge=0, lt=16383)]
Channel = Annotated[int, Field(ge=1, le=16)]
Address = Annotated[str, Field(pattern=r"^/")]

#: What a button does: ``toggle`` turns a switch over, ``momentary`` is on while it is down, ``set`` sets a value;
#: ``each``: every message is a press, of a button that latches or never says that it is let go.
Press = Literal["toggle", "momentary", "set", "each"]
#: How an endless knob says how far it was turned.
Encoder = Literal["twos_complement", "signed_bit", "binary_offset"]
#: ``slow_start``: fine at the lower end; ``fast_start``: at the upper one.
Curve = Literal["even", "slow_start", "fast_start"]
_EXPONENTS = {"even": 1.0, "slow_start": 2.0, "fast_start": 0.5}
PLAYS = "plays"
FOLDER = "midi"  # of a person's maps, in that of the settings, and of those that ship
_SOURCES: tuple[Kind, ...] = ("cc", "cc14", "nrpn", "note", "program", "step")


class Light(Strict):
    """The light of a button: by default of the same number and channel as what is pressed.

    It shows the switch that is moved, or one at another address; with ``plays`` whether the stem is heard, blinking
    while the mixture is heard in its place: by `blink` (on `blink_channel`), or without that by going on and off.
    """

    note: Number | tuple[Number, ...] | None = None
    cc: Number | tuple[Number, ...] | None = None
    channel: Channel | None = None
    shows: Literal["plays"] | Address | None = None
    lit: Number = 127
    dark: Number = 0
    blink: Number | None = None
    blink_channel: Channel | None = None


class Line(Strict):
    """One line of a map: one control, or with lists of numbers a row of them.

    Exactly one of `cc`, `cc14`, `nrpn`, `note`, `program`, `bend` and `step` says what is touched, on `channel` or on
    any. `to` is the address that it moves; in it and in `value`, ``{n}`` counts from 1. See `Press`, `Encoder` and
    `Curve`; `range` holds two values of the parameter, `per_step` a part of the way. `pickup`: it takes hold where the
    parameter stands. `motor`: the fader is moved when something else moves the parameter.
    """

    cc: Number | tuple[Number, ...] | None = None
    cc14: Pair | tuple[Pair, ...] | None = None
    nrpn: Wide | tuple[Wide, ...] | None = None
    note: Number | tuple[Number, ...] | None = None
    program: Number | tuple[Number, ...] | None = None
    step: Wide | tuple[Wide, ...] | None = None
    bend: bool = False
    channel: Channel | tuple[Channel, ...] | None = None
    to: Address
    shift: Address | None = None
    press: Press | None = None
    value: bool | float | str | None = None
    encoder: Encoder | None = None
    per_step: float = Field(default=0.01, gt=0.0, le=1.0)
    range: tuple[bool | float | str, bool | float | str] | None = None
    curve: Curve = "even"
    invert: bool = False
    pickup: bool | None = None
    light: Light | None = None
    motor: bool = False

    @model_validator(mode="after")
    def _check(self) -> Line:
        given = [kind for kind in _SOURCES if getattr(self, kind) is not None] + ["bend"] * self.bend
        if len(given) != 1:
            raise ValueError(
                f"give one of {', '.join(_SOURCES)} and bend (given: {', '.join(given) or 'none'})"
            )
        if self.motor and self.kind not in ("cc", "cc14", "nrpn", "bend"):
            raise ValueError(f"a {self.kind} has no motor; cc, cc14, nrpn and bend have")
        if self.encoder is not None and self.cc is None:
            raise ValueError("an encoder is a cc; step is what data increment and decrement are")
        for binding in self.bindings():
            binding.check()
        return self

    @property
    def kind(self) -> Kind:
        """What it is bound to."""
        return next((kind for kind in _SOURCES if getattr(self, kind) is not None), "bend")

    def bindings(self) -> Iterator[Binding]:
        """One for each control of the row."""
        numbers = (0,) if self.bend else as_tuple(getattr(self, self.kind))
        channels = (None,) if self.channel is None else as_tuple(self.channel)
        if len(channels) > 1 and len(numbers) > 1:
            raise ValueError("channel and number cannot both be lists")
        places = [(channel, number) for channel in channels for number in numbers]
        for n, (channel, number) in enumerate(places, 1):
            yield Binding(self, n, (self.kind, channel, number))


@dataclass(frozen=True)
class Binding:
    """One control and what it does: the `n`-th of a line."""

    line: Line
    n: int
    key: Key

    @property
    def to(self) -> str:
        """The address that it moves."""
        return self._filled(self.line.to)

    @property
    def shift(self) -> str | None:
        """The address that it moves while shift is held."""
        return None if self.line.shift is None else self._filled(self.line.shift)

    @property
    def value(self) -> Value | None:
        """What it sets."""
        value = self.line.value
        return self._filled(value) if isinstance(value, str) else value

    @property
    def shows(self) -> str:
        """The address whose switch its light shows; of one that shows whether a stem is heard, that of the stem."""
        light = self.line.light
        if light is None or light.shows is None or self.shows_stem:
            return self.to
        return self._filled(light.shows)

    @property
    def shows_stem(self) -> bool:
        """Whether its light shows if a stem is heard."""
        return self.line.light is not None and self.line.light.shows == PLAYS

    @property
    def is_relative(self) -> bool:
        """Whether it says how far it was turned, not where it stands."""
        return self.key[0] == "step" or self.line.encoder is not None

    def check(self) -> None:
        """Refuse what no parameter can be.

        Raises
        ------
        ValueError
            With what is wrong.
        """
        for address in filter(None, (self.to, self.shift)):
            row = row_of(address)
            if row.kind == "told":
                raise ValueError(f"{address} tells something; it cannot be set")
            for value in (*(self.line.range or ()), *(() if self.value is None else (self.value,))):
                row.scale.check(value)
            if reason := unreachable(self, row):
                raise ValueError(f"{address} {reason}")
        row_of(self.shows)
        if self.shows_stem and not self.to.startswith("/stem/"):
            raise ValueError(f"{self.to} is of no stem, so its light cannot show whether one plays")

    def is_pressed(self, parameter: Parameter) -> bool:
        """Whether it moves this like a button, not like a fader or a knob."""
        if self.is_relative:
            return False
        if self.key[0] in ("note", "program") or self.line.press is not None or self.value is not None:
            return True
        return isinstance(parameter.scale, Switch) or is_name(parameter)

    def lamp(self) -> tuple[Kind, int, int] | None:
        """Kind, channel and number of its light."""
        light, (kind, channel, number) = self.line.light, self.key
        if light is None:
            return None
        for one in ("note", "cc"):
            if (named := getattr(light, one)) is not None:
                kind, number = one, as_tuple(named)[(self.n - 1) % len(as_tuple(named))]
        return kind, light.channel or channel or 1, number

    def meant(self, value: int, scale: Scale) -> float:
        """Where the parameter goes when the control says `value`."""
        return self.position(float(np.interp(value, *self._knots(scale))), scale)

    def shown(self, position: float, scale: Scale) -> int:
        """What the control says when it stands where a position is, as near as it can come: the inverse of `meant`."""
        values, places = self._knots(scale)
        return round(float(np.interp(self.place(position, scale), places, values)))

    def _knots(self, scale: Scale) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Values of the control and where it stands then, evenly between: at its ends, and at the landmark.

        No value lies in the middle of 0 to 127, nor at three quarters: without a knot nothing would mean 0 dB exactly.
        """
        top, place = TOP[self.key[0]], self.place(scale.landmark, scale)
        value = round(place * top)
        return ((0, value, top), (0.0, place, 1.0)) if 0 < value < top else ((0, top), (0.0, 1.0))

    def position(self, x: float, scale: Scale) -> float:
        """Where the parameter goes when the control stands at `x`, 0 to 1."""
        low, high = self._ends(scale)
        turned: float = (1.0 - x if self.line.invert else x) ** _EXPONENTS[self.line.curve]
        return low + turned * (high - low)

    def place(self, position: float, scale: Scale) -> float:
        """Where the control has to stand for a position: the inverse of `position`, as near as it can come."""
        low, high = self._ends(scale)
        share = min(1.0, max(0.0, (position - low) / (high - low))) if high != low else 0.0
        x: float = share ** (1 / _EXPONENTS[self.line.curve])
        return 1.0 - x if self.line.invert else x

    def _ends(self, scale: Scale) -> tuple[float, float]:
        if self.line.range is None:
            return 0.0, 1.0
        low, high = (scale.position(scale.check(value)) for value in self.line.range)
        return low, high

    def _filled(self, text: str) -> str:
        return text.replace("{n}", str(self.n))


class ShiftButton(Strict):
    """The button that gives others a second meaning while it is held."""

    note: Number | None = None
    cc: Number | None = None
    channel: Channel | None = None

    @model_validator(mode="after")
    def _check(self) -> ShiftButton:
        if (self.note is None) == (self.cc is None):
            raise ValueError("give note or cc")
        return self

    @property
    def key(self) -> Key:
        """Which it is."""
        if self.note is not None:
            return "note", self.channel, self.note
        assert self.cc is not None
        return "cc", self.channel, self.cc

    def is_meant(self, message: Message) -> bool:
        """Whether a message is about this button."""
        kind, channel, number = self.key
        return (message.kind, message.number) == (kind, number) and channel in (None, message.channel)


class Map(Strict):
    """All bindings of a controller. Without `match` it is for whatever port it is given to."""

    name: str = "a map"
    match: str | None = None
    unless: str | None = None
    shift: ShiftButton | None = None
    pickup: bool = True
    bindings: tuple[Line, ...] = ()

    @field_validator("match", "unless")
    @classmethod
    def _compiles(cls, text: str | None) -> str | None:
        if text is not None:
            expression(text)
        return text

    def each(self) -> list[Binding]:
        """All bindings, one for each control."""
        return [binding for line in self.bindings for binding in line.bindings()]

    def by_key(self) -> dict[Key, list[Binding]]:
        """All bindings of each control."""
        found: dict[Key, list[Binding]] = {}
        for binding in self.each():
            found.setdefault(binding.key, []).append(binding)
        return found

    def fits(self, port: str) -> bool:
        """Whether it is made for the controller of this name."""
        is_other = self.unless is not None and expression(self.unless).search(port) is not None
        return self.match is not None and expression(self.match).search(port) is not None and not is_other


def bound(bindings: Mapping[Key, list[Binding]], message: Message) -> list[Binding]:
    """Those of `Map.by_key` that a message is for: of its channel, else of any."""
    kind, channel, number = message.kind, message.channel, message.number
    return bindings.get((kind, channel, number)) or bindings.get((kind, None, number), [])


def read_map(path: Path) -> Map:
    """A map from its file.

    Raises
    ------
    ConfigError
        It is none; the message names the line.
    """
    return read_yaml(path, Map)


def problems(map_: Map) -> Iterator[str]:
    """What in a map cannot work as it was meant: controls bound twice, halves of others, and what shift hides."""
    keys = Counter(binding.key for binding in map_.each())
    for key, times in keys.items():
        if times > 1:
            yield f"{told(key)} is bound {times} times: all of them move"
    for one, other in itertools.combinations(keys, 2):
        if not is_same(one, other):
            continue
        wide, narrow = (one, other) if one[0] == "cc14" or other[1] is not None else (other, one)
        if wide[0] == narrow[0]:
            yield f"{told(narrow)} is bound on its channel and on any: the first is taken"
        else:
            yield f"{told(narrow)} is half of {told(wide)}, and bound itself: both move"
    for binding in map_.each():
        if map_.shift is None and binding.shift is not None:
            yield f"{told(binding.key)} has a meaning with shift, but the map names no shift button"
        if map_.shift is not None and is_same(binding.key, map_.shift.key):
            yield f"{told(binding.key)} is the shift button: it cannot move {binding.to}"


def is_same(one: Key, other: Key) -> bool:
    """Whether two controls are the same, or one is half of the other."""
    (kind, channel, number), (other_kind, other_channel, other_number) = one, other
    if None not in (channel, other_channel) and channel != other_channel:
        return False
    return bool(_wires(kind, number) & _wires(other_kind, other_number))


def _wires(kind: Kind, number: int) -> set[tuple[Kind, int]]:
    return {("cc", number), ("cc", number + FINE)} if kind == "cc14" else {(kind, number)}


def told(key: Key) -> str:
    """A control in words."""
    kind, channel, number = key
    names: dict[Kind, str] = {"cc": "CC", "cc14": "CC pair", "nrpn": "NRPN", "bend": "pitch bend"}
    what = names.get(kind, kind) + ("" if kind == "bend" else f" {number}")
    return what if channel is None else f"{what} on channel {channel}"


def expression(text: str) -> re.Pattern[str]:
    """A part of a port's name, or a regular expression for it; case does not matter.

    Raises
    ------
    UsageError
        It is no regular expression.
    """
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"{text!r} is no name of a port, nor a regular expression: {error}") from None


def as_tuple(numbers: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number or several."""
    return numbers if isinstance(numbers, tuple) else (numbers,)


def is_fader(parameter: Parameter) -> bool:
    """Whether it moves without steps, so that a control can lie beside it."""
    return isinstance(parameter.scale, (Gain, Range)) and parameter.kind == "held"
