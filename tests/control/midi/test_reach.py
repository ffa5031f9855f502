"""Lines that could never do what they say are refused where they are read, and each with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from test_buttons_and_faders import Pupil, cc, movements

from rtsep.config import parse
from rtsep.control.midi.learn import line_of, read_wish
from rtsep.control.midi.maps import Map
from rtsep.errors import ConfigError
from rtsep.parameters import row_of

ENDLESS = {"cc": 1, "encoder": "signed_bit"}
GAIN, SEEK, PLACE, RECALL = "/stem/1/gain_db", "/transport/seek_s", "/transport/position_s", "/scene/recall"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"note": 1, "to": RECALL}, "needs a value, such as value: karaoke"),
        ({"cc": 1, "to": RECALL}, "needs a value, such as value: karaoke"),
        ({"program": 1, "to": "/model/name"}, "needs a value"),
        ({"note": 1, "to": "/bypass", "shift": RECALL}, f"{RECALL} needs a value"),
        ({"note": 1, "to": RECALL, "press": "each"}, "needs a value"),
        (
            {"note": 1, "to": RECALL, "press": "momentary"},
            "leave press: momentary out, such as value: karaoke",
        ),
        ({"note": 1, "to": RECALL, "press": "momentary", "value": "a"}, "leave press: momentary out"),
        ({"note": 1, "to": "/scene/undo", "press": "momentary"}, "leave press: momentary out"),
        ({"note": 1, "to": SEEK, "press": "momentary", "value": 5}, "leave press: momentary out"),
        ({"note": 1, "to": "/scene/undo", "press": "toggle"}, "nothing to toggle"),
        ({"note": 1, "to": GAIN, "press": "toggle"}, "nothing to toggle"),
        (ENDLESS | {"to": RECALL}, "bind buttons, each with its own value"),
        (ENDLESS | {"to": RECALL, "value": "karaoke"}, "bind buttons"),
        (ENDLESS | {"to": SEEK}, "bind buttons"),
        (ENDLESS | {"to": SEEK, "range": [-5, 5]}, "bind buttons"),
        (ENDLESS | {"to": "/stem/1/route"}, "is a name"),
        (ENDLESS | {"to": GAIN, "value": -6}, "leave them out"),
        ({"step": 0, "to": "/scene/undo"}, "bind buttons"),
        ({"cc": 1, "to": GAIN, "range": [-60, 24]}, "up to 10 dB at most: end the range there"),
        (ENDLESS | {"to": GAIN, "range": [-60, 24]}, "up to 10 dB at most"),
        ({"cc": 1, "to": SEEK}, "such as range: [0, 240], or a button a value"),
        ({"bend": True, "to": PLACE}, "such as range: [0, 240]"),
    ],
    ids=str,
)
def test_what_can_never_work_is_refused_with_what_to_write(line: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse({"bindings": [line]}, Map, "test")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        {"note": 1, "to": RECALL, "value": "karaoke"},
        {"note": 1, "to": "/stem/1/route"},
        {"note": 1, "to": "/midi/learn"},
        {"note": 1, "to": "/transport/loop_end"},
        {"note": 1, "to": SEEK, "value": -5},
        {"note": 1, "to": "/bypass", "press": "momentary"},
        {"note": 1, "to": GAIN, "press": "momentary", "range": [0, -20]},
        {"note": 1, "to": GAIN, "value": 24},
        {"cc": 1, "to": GAIN, "range": ["-inf", 10]},
        {"cc": 1, "to": PLACE, "range": [0, 180]},
        ENDLESS | {"to": "/bypass"},
        ENDLESS | {"to": "/model/latency"},
    ],
    ids=str,
)
def test_what_works_is_taken(line: dict[str, Any]) -> None:
    parse({"bindings": [line]}, Map, "test")


@pytest.mark.parametrize(
    ("wish", "movement", "said"),
    [
        (SEEK, cc(1, 1, 1, 1, 2, 1, 65, 65, 66, 65), "bind buttons"),
        (f"{RECALL}=karaoke", cc(1, 1, 1, 1, 2, 1, 65, 65, 66, 65), "bind buttons"),
        (PLACE, cc(1, 1, 1, 1, 2, 1, 65, 65, 66, 65), "bind buttons"),
    ],
)
def test_what_the_moved_control_cannot_do_is_said_and_another_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, wish: str, movement: Any, said: str
) -> None:
    pupil = Pupil(monkeypatch)
    pupil.learner.arm(read_wish(wish))
    assert pupil.moved(pad=movements(movement)[0]) == []
    assert pupil.said[-1].startswith(f"{read_wish(wish)}: what was moved: /")
    assert said in pupil.said[-1]
    (learnt,) = pupil.moved(pad=movements(cc(2, 127, 0))[0])
    assert learnt[2] == {"cc": 2, "channel": 3}


def test_a_button_that_learns_to_jump_jumps_as_far_as_buttons_do() -> None:
    wish = read_wish(SEEK)
    assert str(wish) == f"{SEEK}=5.0"
    (binding,) = line_of(wish, {"cc": 2, "channel": 1}).bindings()
    assert binding.is_pressed(row_of(SEEK))
    assert binding.value == 5.0
