"""A fader is not given to a button: that is told, and what is moved through is waited for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_learn import Pupil
from test_recognise import Said, cc, found, movements

from rtsep.control.midi.learn import GO_ON, NO_BUTTON, read_wish

PRESSES = [
    cc(45, 127, 0),
    cc(45, 127, 0, 127, 0),
    cc(45, 100, 0, 80, 0, 64, 0, 90, 0),  # a pad that feels how hard it is hit
    cc(45, 0, 127),
    [("note", 45, 100), ("note", 45, 0)],
    [("program", 45, 127)],
]


@pytest.mark.parametrize("said", PRESSES, ids=str)
@pytest.mark.parametrize("wish", ["/stem/1/gain_db", "/stem/1/pan", "/scene/fade_s", "/model/latency"])
def test_a_button_is_told_that_it_cannot_and_a_fader_is_still_waited_for(
    monkeypatch: pytest.MonkeyPatch, said: Said, wish: str
) -> None:
    pupil = Pupil(monkeypatch)
    pupil.learner.arm(read_wish(wish))
    assert pupil.moved(pad=movements(said)[0]) == []
    assert pupil.said[-1] == f"{wish}: {NO_BUTTON}"
    (learnt,) = pupil.moved(pad=movements(cc(46, *range(30, 60)))[0])
    assert learnt[2]["cc"] == 46


@pytest.mark.parametrize("said", PRESSES, ids=str)
@pytest.mark.parametrize("wish", ["/stem/1/mute", "/stem/1/gain_db=-6", "/scene/undo"])
def test_for_what_a_button_can_do_it_is_taken(monkeypatch: pytest.MonkeyPatch, said: Said, wish: str) -> None:
    pupil = Pupil(monkeypatch)
    pupil.learner.arm(read_wish(wish))
    (learnt,) = pupil.moved(pad=movements(said)[0])
    assert 45 in learnt[2].values()


@pytest.mark.parametrize(
    "said",
    [cc(1, 127, 127, 127), cc(1, 1, 1, 2), cc(1, 1, 127), cc(1, 50), cc(1, 63, 64, 65), cc(1, 0)],
    ids=str,
)
def test_what_may_be_a_knob_or_a_fader_is_asked_to_go_on(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    pupil = Pupil(monkeypatch)
    pupil.learner.arm(read_wish("/stem/1/gain_db"))
    assert pupil.moved(pad=movements(said)[0]) == []
    assert pupil.said[-1].endswith(GO_ON)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(1, 127), min_size=1, max_size=8), min_size=1, max_size=5))
def test_however_often_and_hard_a_button_is_pressed_it_moves_no_fader(hits: list[list[int]]) -> None:
    parts: list[Any] = [[("cc", 45, one) for value in hit for one in (value, 0)] for hit in hits]
    for n in range(1, len(parts) + 1):
        assert found(*parts[:n]) is None
