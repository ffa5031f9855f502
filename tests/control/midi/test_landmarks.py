"""What a hand looks for, it finds: the middle and 0 dB are values of every controller, and its motors agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_bench import GAIN, PAN, Bench

from rtsep.config import parse
from rtsep.control.midi.hold import NEAR
from rtsep.control.midi.maps import Binding, Line
from rtsep.control.midi.messages import TOP
from rtsep.parameters import row_of

SOURCES = ({"cc": 7}, {"cc14": 7}, {"nrpn": 7}, {"bend": True})
LINES = (
    {"to": GAIN},
    {"to": GAIN, "range": [-60, 10], "curve": "slow_start"},
    {"to": GAIN, "range": [-30, 0]},
    {"to": GAIN, "range": [-30, -6]},
    {"to": PAN},
    {"to": PAN, "range": [-0.99, 1]},
    {"to": "/crossfade", "invert": True, "curve": "fast_start"},
    {"to": "/separation"},
    {"to": "/model/latency"},
)
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: next(iter(source)))
each_line = pytest.mark.parametrize("line", LINES)


def bound(source: dict[str, Any], line: dict[str, Any]) -> tuple[Binding, int]:
    """A control, and its highest value."""
    (binding,) = parse({**source, **line}, Line, "test").bindings()
    return binding, TOP[binding.key[0]]


@pytest.mark.parametrize(("kind", "middle"), [("cc", 64), ("cc14", 8192), ("nrpn", 8192), ("bend", 8192)])
@pytest.mark.parametrize("address", [PAN, "/crossfade"])
def test_the_middle_of_a_controller_is_the_middle(kind: str, middle: int, address: str) -> None:
    number = 0 if kind == "bend" else 7
    bench = Bench({kind: number or True, "to": address, "pickup": False})
    bench.board[address] = 1.0
    bench.say(kind, number, middle)
    assert bench.board[address] == 0.0
    bench.say(kind, number, middle - 1)
    assert bench.board[address] < 0.0


@pytest.mark.parametrize("gain", [GAIN, "/bus/main/gain_db"])
@pytest.mark.parametrize(("kind", "value"), [("cc", 95), ("cc14", 12287), ("nrpn", 12287), ("bend", 12287)])
def test_a_fader_has_0_db(kind: str, value: int, gain: str) -> None:
    number = 0 if kind == "bend" else 7
    bench = Bench({kind: number or True, "to": gain, "pickup": False})
    bench.board[gain] = -20
    bench.say(kind, number, value)
    assert bench.board[gain] == 0.0


@each_source
@pytest.mark.parametrize("line", [line for line in LINES if line.get("range") != [-30, -6]])
def test_one_value_means_the_landmark_of_every_line(source: dict[str, Any], line: dict[str, Any]) -> None:
    binding, _ = bound(source, line)
    scale = row_of(binding.to).scale
    assert binding.meant(binding.shown(scale.landmark, scale), scale) == pytest.approx(
        scale.landmark, abs=1e-12
    )


@each_source
@each_line
@given(data=st.data())
def test_a_controller_goes_one_way_from_end_to_end_and_a_motor_stands_where_it_was_left(
    source: dict[str, Any], line: dict[str, Any], data: st.DataObject
) -> None:
    binding, top = bound(source, line)
    scale = row_of(binding.to).scale
    value = data.draw(st.integers(0, top))
    ends = sorted(binding.position(x, scale) for x in (0.0, 1.0))
    assert sorted(binding.meant(end, scale) for end in (0, top)) == pytest.approx(ends)
    assert binding.shown(binding.meant(value, scale), scale) == value
    if value < top and "curve" not in line:
        step = (binding.meant(value + 1, scale) - binding.meant(value, scale)) * top
        assert 0 < step <= NEAR * 127 + 0.01
