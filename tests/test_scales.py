"""Values, their positions on a fader, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.errors import UsageError
from rtsep.mix import gain_of
from rtsep.scales import AT_TOP, FADER_LAW, SAME, Gain, Names, Range, Scale, Switch, Text, moved

POSITIONS = st.floats(0, 1)
SCALES = [Gain(), Range(-1, 1), Range(0, 60, "s"), Switch(), Text(("low", "balanced", "quality"))]


@pytest.mark.parametrize("scale", SCALES)
@given(position=POSITIONS)
def test_every_position_is_a_value_that_is_allowed_and_lies_there(scale: Scale, position: float) -> None:
    value = scale.value_at(position)
    assert scale.check(value) == value
    again = scale.value_at(scale.position(value))
    if isinstance(scale, Gain):  # what lies below the scale is silence
        assert gain_of(again) == pytest.approx(gain_of(value), rel=1e-9, abs=1e-4)
    else:
        assert again == (pytest.approx(value, abs=1e-9) if isinstance(value, float) else value)


@given(first=POSITIONS, second=POSITIONS)
def test_a_fader_only_ever_gets_louder(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert Gain().value_at(low) <= Gain().value_at(high)


def test_the_fader_has_its_law() -> None:
    fader = Gain()
    for position, gain_db in FADER_LAW[1:]:
        assert fader.value_at(position) == gain_db
        assert fader.position(gain_db) == position
    assert fader.position(0.0) == 0.75
    assert fader.value_at(0.0) == -math.inf
    assert fader.position(-math.inf) == 0.0
    assert fader.position(24.0) == 1.0


@pytest.mark.parametrize("scale", SCALES)
@given(position=POSITIONS)
def test_an_echo_moves_nothing(scale: Scale, position: float) -> None:
    value = scale.value_at(position)
    echo = float(np.float32(scale.position(value)))
    assert moved(scale, value, echo) == value


@given(typed_db=st.floats(10, 24), position=POSITIONS | st.floats(0.97, 1))
def test_what_was_typed_above_the_fader_stays_until_the_fader_leaves_its_top(
    typed_db: float, position: float
) -> None:
    stays = position >= 1 - (AT_TOP if typed_db > 10 else SAME)
    assert moved(Gain(), typed_db, position) == (typed_db if stays else Gain().value_at(position))


@given(gain_db=st.floats(-5, 24), steps=st.lists(st.floats(-0.02, 0), max_size=20))
def test_a_knob_without_ends_comes_down_from_above_the_fader_without_a_jump(
    gain_db: float, steps: list[float]
) -> None:
    for way in steps:
        lower_db = Gain().turned(gain_db, way)
        assert lower_db - gain_db == pytest.approx(40 * way)
        gain_db = max(-5, lower_db)


@pytest.mark.parametrize(
    ("scale", "value", "complaint"),
    [
        (Gain(), 25, "25 dB is too much; allowed is -inf to 24 dB"),
        (Gain(), math.nan, "nan is no number"),
        (Gain(), True, "True is no number; allowed is -inf to 24 dB"),
        (Gain(), "loud", "'loud' is no number"),
        (Gain(), None, "None is no number"),
        (Gain(), 10**400, "is no number"),
        (Range(-1, 1), 1.5, "1.5 is out of range; allowed is -1 to 1"),
        (Range(0, 60, "s"), math.inf, "inf is out of range; allowed is 0 to 60 s"),
        (Switch(), 0.5, "0.5 is no state of a switch"),
        (Switch(), "yes", "'yes' is no state of a switch"),
        (Text(("low", "quality")), "qualty", r"there is no 'qualty'; allowed is low, quality. Did you mean"),
        (Text(), "", "'' cannot be a name"),
        (Text(), "a\nb", "cannot be a name"),
        (Text(), "x" * 65, r"'x{36}\.\.\. cannot be a name; allowed is a name of 1 to 64 characters"),
        (Text(), 3, "3 is no text"),
        (Names(), "one, two", "'one, two' is no list; allowed is a list of names of 1 to 64 characters"),
        (Names(), ["one", ""], "'' cannot be a name"),
    ],
)
def test_what_is_no_value_is_refused_in_words(scale: Scale, value: object, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        scale.check(value)


def test_what_is_written_is_understood() -> None:
    assert Gain().check("-12") == -12.0
    assert Gain().check("-inf") == -math.inf
    assert Switch().check(1) is True
    assert Switch().check(0.0) is False
    assert Names().check(["one", "two, three"]) == ("one", "two, three")
    assert Names().tell(("one", "two")) == "one, two"
    assert [
        scale.tell(value) for scale, value in ((Gain(), -3.0), (Gain(), -math.inf), (Switch(), True))
    ] == [
        "-3.0 dB",
        "-inf dB",
        "on",
    ]
