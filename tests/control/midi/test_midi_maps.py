"""What is wrong in a map is said, and what cannot work as it was meant is found."""

from __future__ import annotations

from typing import Any

import pytest
from midi_bench import GAIN, MUTE, PAN, SOLO, Bench

from rtsep.config import parse
from rtsep.control.midi.maps import Map, problems
from rtsep.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"cc": 1, "note": 2, "to": MUTE}, "give one of"),
        ({"cc": 1, "to": "/stem/1/mut"}, "no parameter like"),
        ({"cc": 128, "to": MUTE}, "127"),
        ({"note": 1, "to": GAIN, "press": "toggle"}, "no switch"),
        ({"note": 1, "to": "/message"}, "cannot be set"),
        ({"cc": 1, "to": GAIN, "range": [-60, 30]}, "30 dB is too much"),
        ({"note": 1, "to": GAIN, "motor": True}, "no motor"),
        ({"cc": 1, "to": GAIN, "pikcup": True}, "pickup"),
    ],
)
def test_what_is_wrong_in_a_map_is_said(line: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse({"bindings": [line]}, Map, "my.yaml")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"note": 1, "to": MUTE}, {"note": 1, "to": SOLO}], "note 1 is bound 2 times"),
        ([{"cc14": 1, "to": GAIN}, {"cc": 33, "to": PAN}], "CC 33 is half of CC pair 1"),
        (
            [{"cc": 1, "channel": 2, "to": PAN}, {"cc14": 1, "to": GAIN}],
            "CC 1 on channel 2 is half of CC pair 1",
        ),
        (
            [{"cc": 1, "to": PAN}, {"cc": 1, "channel": 2, "to": GAIN}],
            "CC 1 on channel 2 is bound on its channel and",
        ),
        (
            [{"cc": 1, "channel": 2, "to": PAN}, {"cc": 1, "to": GAIN}],
            "CC 1 on channel 2 is bound on its channel and",
        ),
        ([{"note": 98, "channel": 3, "to": MUTE}], "note 98 on channel 3 is the shift button"),
        (
            [
                {"cc": 1, "channel": 2, "to": PAN},
                {"cc": 1, "channel": 3, "to": GAIN},
                {"note": 1, "to": MUTE},
            ],
            None,
        ),
    ],
)
def test_what_cannot_work_as_it_was_meant_is_found(lines: list[dict[str, Any]], said: str | None) -> None:
    found = list(problems(Bench(*lines, shift={"note": 98}).map))
    assert [text[: len(said or "")] for text in found] == ([] if said is None else [said])


def test_shift_without_a_button_is_found() -> None:
    (found,) = problems(Bench({"note": 1, "to": MUTE, "shift": SOLO}).map)
    assert "names no shift button" in found
