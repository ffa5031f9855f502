"""Lights and motors: what a controller is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_bench import GAIN, MUTE, SOLO, Bench

from rtsep.control.midi.messages import TOP


def test_lit_is_what_plays_and_only_news_is_sent() -> None:
    bench = Bench(
        {"note": [1, 2], "to": "/stem/{n}/mute", "light": {"shows": "plays"}},
        {"note": 3, "to": SOLO, "light": {}},
    )
    assert bench.surface.show() == [b"\x90\x01\x7f", b"\x90\x02\x7f", b"\x90\x03\x00"]
    assert bench.surface.show() == []
    bench.say("note", 1, 90)
    assert bench.surface.show() == [b"\x90\x01\x00"]
    bench.board["/stem/drums/solo"] = True
    bench.board[MUTE] = False
    assert bench.surface.show() == []
    bench.board[SOLO] = True
    assert bench.surface.show() == [b"\x90\x01\x7f", b"\x90\x03\x7f"]


def test_what_is_late_blinks_by_the_controller_or_by_us() -> None:
    own = {"note": 1, "to": MUTE, "light": {"shows": "plays"}}
    theirs = {
        "note": 2,
        "to": MUTE,
        "light": {"shows": "plays", "channel": 7, "blink": 21, "blink_channel": 14},
    }
    bench = Bench(own, theirs)
    bench.surface.show()
    bench.session.current = replace(bench.session.current, is_late=True)
    assert bench.surface.show(is_bright=False) == [b"\x90\x01\x00", b"\x9d\x02\x15"]
    assert bench.surface.show(is_bright=True) == [b"\x90\x01\x7f"]
    bench.session.current = replace(bench.session.current, is_late=False)
    assert bench.surface.show(is_bright=True) == [b"\x96\x02\x7f"]


@pytest.mark.parametrize("kind", ["cc", "cc14", "nrpn", "bend"])
def test_a_motor_follows_others_and_never_its_own_hand(kind: str) -> None:
    source: dict[str, Any] = {"bend": True} if kind == "bend" else {kind: 5}
    bench = Bench({**source, "to": GAIN, "motor": True, "range": [-60, 10], "curve": "slow_start"})
    bench.surface.show()
    bench.board[GAIN] = -20
    sent = bench.surface.show()
    assert sent
    for data in sent:  # the fader went there, and says so
        bench.surface.hear(data)
    assert bench.board[GAIN] == pytest.approx(-20, abs=1.0)
    bench.surface.show()
    place = round(TOP[kind] * 0.9)  # type: ignore[index]
    bench.say(kind, 0 if kind == "bend" else 5, *range(place // 2, place, max(1, TOP[kind] // 200)))  # type: ignore[index]
    assert bench.surface.show() == []


@given(st.floats(-60, 24).map(lambda db: round(db, 1)))
def test_what_a_motor_fader_says_of_where_it_was_driven_to_moves_nothing(gain_db: float) -> None:
    bench = Bench({"cc": 7, "to": GAIN, "pickup": False, "motor": True})
    bench.board[GAIN] = gain_db
    for motor in bench.surface.show():
        bench.surface.hear(motor)
    assert bench.board[GAIN] == gain_db


def test_other_stems_are_shown_and_found_anew() -> None:
    bench = Bench({"note": [1, 2], "to": "/stem/{n}/mute", "light": {"shows": "plays"}})
    bench.surface.show()
    bench.board.replace(list(bench.board._controls.values()))
    assert len(bench.surface.show()) == 2
