"""What values a parameter can have, and where they lie on a fader, a knob or a wire.

Every surface speaks of a value in one of two ways: as itself (a gain in dB, a switch as true or false), or as a
position from 0 to 1, which is all that a fader, a MIDI message or a slider of a page can say. A scale turns one into
the other, and refuses what is neither.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rtsep.errors import UsageError

#: What a parameter can hold. A trigger holds nothing: what is set is done, and gone.
Value = float | bool | str | tuple[str, ...]

#: Positions of a fader and their gains in dB, with straight lines between: the law of the Behringer X32 and the
#: Midas M32, as their OSC protocol has it. 0 dB lies at three quarters; the upper half, where hands are, is even.
FADER_LAW = ((0.0, -90.0), (0.0625, -60.0), (0.25, -30.0), (0.5, -10.0), (1.0, 10.0))
_POSITIONS, _GAINS_DB = (np.array(column) for column in zip(*FADER_LAW, strict=True))
MOST_GAIN_DB = 24.0  # of what can be typed, so that a slip does not hurt
TOP_DB = FADER_LAW[-1][1]
DB_A_WAY = 40.0  # of the upper half, if it were the whole way

MIDDLE = 0.5
SAME = 1e-6  # positions that are one: OSC has them in float32
AT_TOP = 0.01  # a step of a MIDI fader and a bit more, 0.4 dB: so far a fader trembles, or is not quite up


class Scale(Protocol):
    """The values of a parameter."""

    @property
    def unit(self) -> str:
        """What a value is counted in; empty where that says nothing."""

    @property
    def landmark(self) -> float:
        """The position that a hand looks for, and one value of every controller means exactly."""

    @property
    def allowed(self) -> str:
        """The values in words, for help and errors."""

    def check(self, value: object) -> Value:
        """The value as it is held.

        Raises
        ------
        UsageError
            It is none; the message says what was given and what is allowed.
        """

    def position(self, value: Value) -> float:
        """Where a value lies, 0 to 1."""

    def value_at(self, position: float) -> Value:
        """The value at a position, 0 to 1; beyond lies what lies at the end."""

    def tell(self, value: Value) -> str:
        """The value as people write it."""


@dataclass(frozen=True)
class Gain:
    """Decibels from −inf on, on a fader that reaches to 10 dB; more can be typed."""

    high_db: float = MOST_GAIN_DB
    unit: str = "dB"
    landmark: float = float(np.interp(0.0, _GAINS_DB, _POSITIONS))  # 0 dB

    @property
    def allowed(self) -> str:
        """See `Scale`."""
        return f"-inf to {self.high_db:g} dB"

    def check(self, value: object) -> float:
        """See `Scale`."""
        gain_db = _number(value, self.allowed)
        if gain_db > self.high_db:
            raise UsageError(f"{gain_db:g} dB is too much; allowed is {self.allowed}")
        return gain_db

    def position(self, value: Value) -> float:
        """See `Scale`."""
        return float(np.interp(as_number(value), _GAINS_DB, _POSITIONS))

    def value_at(self, position: float) -> float:
        """See `Scale`; the lower end is silence."""
        gain_db = float(np.interp(position, _POSITIONS, _GAINS_DB))
        return -math.inf if position <= 0 else min(gain_db, self.high_db)

    def turned(self, value: Value, way: float) -> float:
        """The value after a knob without ends went so far of a fader's way; above the fader it goes down as evenly."""
        above_db = as_number(value) - TOP_DB + way * DB_A_WAY
        return TOP_DB + above_db if above_db > 0 else self.value_at(1.0 + above_db / DB_A_WAY)

    def tell(self, value: Value) -> str:
        """See `Scale`."""
        return "-inf dB" if value == -math.inf else f"{as_number(value):+.1f} dB"


@dataclass(frozen=True)
class Range:
    """Numbers between two ends, evenly."""

    low: float
    high: float
    unit: str = ""
    landmark: float = MIDDLE

    @property
    def allowed(self) -> str:
        """See `Scale`."""
        return f"{self.low:g} to {self.high:g}{' ' if self.unit else ''}{self.unit}"

    def check(self, value: object) -> float:
        """See `Scale`."""
        number = _number(value, self.allowed)
        if not self.low <= number <= self.high:
            raise UsageError(f"{number:g} is out of range; allowed is {self.allowed}")
        return number

    def position(self, value: Value) -> float:
        """See `Scale`."""
        return float(np.clip((as_number(value) - self.low) / (self.high - self.low), 0.0, 1.0))

    def value_at(self, position: float) -> float:
        """See `Scale`."""
        return self.low + float(np.clip(position, 0.0, 1.0)) * (self.high - self.low)

    def tell(self, value: Value) -> str:
        """See `Scale`."""
        return f"{as_number(value):.2f}{' ' if self.unit else ''}{self.unit}"


@dataclass(frozen=True)
class Switch:
    """On or off; on the wire also 1 and 0."""

    unit: str = ""
    landmark: float = MIDDLE
    allowed: str = "true or false"

    def check(self, value: object) -> bool:
        """See `Scale`."""
        if isinstance(value, (bool, np.bool_)) or (isinstance(value, (int, float)) and value in (0, 1)):
            return bool(value)
        raise UsageError(f"{_shown(value)} is no state of a switch; allowed is {self.allowed}")

    def position(self, value: Value) -> float:
        """See `Scale`."""
        return float(bool(value))

    def value_at(self, position: float) -> bool:
        """See `Scale`."""
        return position >= 0.5

    def tell(self, value: Value) -> str:
        """See `Scale`."""
        return "on" if value else "off"


@dataclass(frozen=True)
class Text:
    """A name; with `options` one of those, else any of at most `longest` characters."""

    options: tuple[str, ...] = ()
    longest: int = 64
    unit: str = ""
    landmark: float = MIDDLE

    @property
    def allowed(self) -> str:
        """See `Scale`."""
        return ", ".join(self.options) if self.options else f"a name of 1 to {self.longest} characters"

    def check(self, value: object) -> str:
        """See `Scale`."""
        if not isinstance(value, str):
            raise UsageError(f"{_shown(value)} is no text; allowed is {self.allowed}")
        if self.options and value not in self.options:
            near = difflib.get_close_matches(value, self.options, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"there is no {_shown(value)}; allowed is {self.allowed}.{hint}")
        if not 0 < len(value) <= self.longest or not value.isprintable():
            raise UsageError(f"{_shown(value)} cannot be a name; allowed is {self.allowed}")
        return value

    def position(self, value: Value) -> float:
        """See `Scale`; options lie evenly, in their order."""
        last = len(self.options) - 1
        return self.options.index(str(value)) / last if last > 0 and value in self.options else 0.0

    def value_at(self, position: float) -> str:
        """See `Scale`.

        Raises
        ------
        UsageError
            There are no options, so no position means a text.
        """
        if not self.options:
            raise UsageError("a fader cannot write a name")
        return self.options[round(float(np.clip(position, 0.0, 1.0)) * (len(self.options) - 1))]

    def tell(self, value: Value) -> str:
        """See `Scale`."""
        return str(value)


@dataclass(frozen=True)
class Route(Text):
    """Outputs, counted from 1: ``main``, ``3-4``, ``5``; also as settings have them, ``[3, 4]`` and ``[5]``, or a 5."""

    def check(self, value: object) -> str:
        """See `Scale`."""
        outputs = value if isinstance(value, (list, tuple)) else [value]
        is_counted = bool(outputs) and all(type(output) is int for output in outputs)
        return super().check("-".join(map(str, outputs)) if is_counted else value)


@dataclass(frozen=True)
class Names:
    """Several names of at most `longest` characters: a tuple in Python, a list in JSON, several values in OSC."""

    longest: int = 64
    unit: str = ""
    landmark: float = MIDDLE

    @property
    def allowed(self) -> str:
        """See `Scale`."""
        return f"a list of names of 1 to {self.longest} characters"

    def check(self, value: object) -> tuple[str, ...]:
        """See `Scale`."""
        if not isinstance(value, (list, tuple)):
            raise UsageError(f"{_shown(value)} is no list; allowed is {self.allowed}")
        return tuple(Text(longest=self.longest).check(name) for name in value)

    def position(self, value: Value) -> float:
        """See `Scale`; a list lies nowhere."""
        return 0.0

    def value_at(self, position: float) -> tuple[str, ...]:
        """See `Scale`.

        Raises
        ------
        UsageError
            No position means a list.
        """
        raise UsageError("a fader cannot write a list")

    def tell(self, value: Value) -> str:
        """See `Scale`."""
        return ", ".join(as_names(value))


def is_above(scale: Scale, value: Value) -> bool:
    """Whether a gain was typed that no fader reaches, which shows its top then."""
    return isinstance(scale, Gain) and as_number(value) > TOP_DB


def moved(scale: Scale, value: Value, position: float) -> Value:
    """The value after a fader that shows `value` was put to a position.

    Who says where it stands already moves nothing: an echo is no hand. A gain above the fader's top stays for as long
    as the fader is at the top; when it leaves that, it takes the gain along from there.
    """
    slack = AT_TOP if is_above(scale, value) else SAME
    is_there = abs(min(max(position, 0.0), 1.0) - scale.position(value)) <= slack
    return value if is_there else scale.value_at(position)


def as_number(value: Value) -> float:
    """What a parameter holds, where that is a number or a switch."""
    assert isinstance(value, (int, float)), "the scale has seen to it"
    return float(value)


def as_names(value: Value) -> tuple[str, ...]:
    """What a parameter holds, where that is a list of names."""
    assert isinstance(value, tuple), "the scale has seen to it"
    return value


def _number(value: object, allowed: str) -> float:
    """A number that is one: whatever counts as an int or a float, but no switch and no nan."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise UsageError(f"{_shown(value)} is no number; allowed is {allowed}") from None
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise UsageError(f"{_shown(value)} is no number; allowed is {allowed}")
    try:
        number = float(value)
    except OverflowError:
        number = math.nan
    if math.isnan(number):
        raise UsageError(f"{_shown(value)} is no number; allowed is {allowed}")
    return number


def _shown(value: object) -> str:
    """What was given, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
