"""A controller on a real board: what its faders, knobs and buttons move."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from midi_bench import GAIN, MUTE, PAN, SOLO, STEMS, Bench
from session import StillSession

from rtsep.config import parse
from rtsep.control.midi.maps import Map
from rtsep.control.midi.messages import Message, encoded
from rtsep.control.midi.surface import Surface


def test_a_fader_moves_from_end_to_end() -> None:
    bench = Bench({"cc": 7, "to": "/stem/1/gain_db", "pickup": False})
    assert bench.say("cc", 7, 0, 127) == [-math.inf, 10.0]
    bench.say("cc", 7, 64, channel=9)
    assert bench.board.position(GAIN) == pytest.approx(64 / 127)


def test_a_parameter_beyond_what_a_fader_reaches_is_met_at_its_end() -> None:
    bench = Bench({"cc": 1, "to": GAIN, "range": [-30, 0]})
    bench.board[GAIN] = 3.0
    assert bench.say("cc", 1, 60, 100) == [3.0, 3.0]
    assert bench.say("cc", 1, 127, 120) == pytest.approx([0.0, -1.1], abs=0.1)
    bench.board[GAIN] = -40.0
    assert bench.say("cc", 1, 60, 0) == pytest.approx([-40.0, -30.0])


@pytest.mark.parametrize("kind", ["cc14", "nrpn", "bend"])
def test_fourteen_bits_are_all_used(kind: str) -> None:
    source: dict[str, Any] = {"bend": True} if kind == "bend" else {kind: 5}
    bench = Bench({**source, "to": GAIN, "pickup": False})
    bench.say(kind, 0 if kind == "bend" else 5, 8193)
    assert bench.board.position(GAIN) == pytest.approx(8193 / 16383)


def test_channel_range_curve_and_invert() -> None:
    bench = Bench(
        {"cc": 1, "channel": 2, "to": GAIN, "range": [-30, 0], "pickup": False},
        {"cc": 2, "to": PAN, "invert": True, "pickup": False},
        {"cc": 3, "to": "/separation", "curve": "slow_start", "pickup": False},
    )
    assert bench.say("cc", 1, 127, channel=1) == [0.0]
    bench.board[GAIN] = -3
    assert bench.say("cc", 1, 0, 127, channel=2) == pytest.approx([-30.0, 0.0])
    bench.say("cc", 2, 127)
    assert bench.board[PAN] == -1.0
    bench.say("cc", 3, 64)
    assert bench.board["/separation"] == pytest.approx((64 / 127) ** 2)


@pytest.mark.parametrize(
    ("encoder", "up", "down"),
    [("twos_complement", 3, 125), ("signed_bit", 3, 67), ("binary_offset", 67, 61)],
)
def test_knobs_without_ends(encoder: str, up: int, down: int) -> None:
    bench = Bench({"cc": 1, "to": GAIN, "encoder": encoder, "per_step": 0.01})
    before = bench.board.position(GAIN)
    bench.say("cc", 1, up)
    assert bench.board.position(GAIN) == pytest.approx(before + 0.03)
    bench.say("cc", 1, down, down)
    assert bench.board.position(GAIN) == pytest.approx(before - 0.03)


def test_a_knob_without_ends_turns_down_what_no_fader_reaches() -> None:
    bench = Bench({"cc": 1, "to": GAIN, "encoder": "twos_complement", "per_step": 0.01})
    bench.board[GAIN] = 10.6
    assert bench.say("cc", 1, 1, 127, 127, 127, 1, 127) == pytest.approx([10.6, 10.2, 9.8, 9.4, 9.8, 9.4])


def test_data_increment_and_decrement() -> None:
    bench = Bench({"step": 0, "to": PAN, "per_step": 0.1})
    bench.say("step", 0, 1, 1, -1)
    assert bench.board[PAN] == pytest.approx(0.2)


def test_press_mutes_and_with_shift_solos() -> None:
    bench = Bench({"note": 1, "to": MUTE, "shift": SOLO}, shift={"note": 98})
    bench.say("note", 1, 100, 0)
    assert (bench.board[MUTE], bench.board[SOLO]) == (True, False)
    bench.say("note", 98, 127)
    bench.say("note", 1, 100, 0)
    bench.say("note", 98, 0)
    assert (bench.board[MUTE], bench.board[SOLO]) == (True, True)
    bench.say("note", 1, 100, 0)
    assert (bench.board[MUTE], bench.board[SOLO]) == (False, True)


def test_buttons_hold_toggle_and_set_also_as_controllers() -> None:
    bench = Bench(
        {"note": 1, "to": "/bypass", "press": "momentary"},
        {"cc": 32, "to": SOLO},
        {"note": 2, "to": GAIN, "value": -6},
    )
    bench.say("note", 1, 90)
    assert bench.board["/bypass"] is True
    bench.say("note", 1, 0)
    assert bench.board["/bypass"] is False
    bench.say("cc", 32, 127, 127, 0, 0)
    assert bench.board[SOLO] is True
    bench.say("cc", 32, 127, 0)
    assert bench.board[SOLO] is False
    assert bench.say("note", 2, 1) == [-6.0]


def test_a_button_that_latches_or_says_only_on_is_pressed_with_every_message() -> None:
    bench = Bench(
        {"cc": 1, "to": SOLO, "press": "each"},
        {"cc": 2, "to": "/scene/recall", "press": "each", "value": "karaoke"},
    )
    states = []
    for value in (127, 0, 127, 127):
        bench.say("cc", 1, value)
        states.append(bench.board[SOLO])
    assert states == [True, False, True, False]
    bench.say("cc", 2, 0)
    assert bench.board["/scene/current"] == "karaoke"


def test_a_controller_goes_on_with_what_it_had_begun_to_say_when_its_map_changes() -> None:
    bench = Bench({"nrpn": 133, "to": GAIN, "pickup": False})
    bench.surface.hear(b"\xb0\x63\x01\x62\x05\x06")
    bench.surface = bench.surface.with_map(bench.map)
    bench.surface.hear(b"\x7f\x26\x7f")
    assert bench.board[GAIN] == 10.0


def test_a_program_change_recalls_a_scene_by_name_or_number() -> None:
    bench = Bench(
        {"program": 3, "to": "/scene/recall", "value": "karaoke"},
        {"program": [8, 9, 10], "to": "/scene/recall", "value": "{n}"},
    )
    bench.say("program", 3, 127)
    assert (bench.board["/scene/current"], bench.board[MUTE]) == ("karaoke", True)
    bench.say("program", 8, 127)
    assert (bench.board["/scene/current"], bench.board[MUTE]) == ("everything", False)


def test_a_fader_for_the_place_in_the_song_reaches_its_start(tmp_path: Path) -> None:
    session = StillSession(tmp_path, STEMS)
    line = {"cc": 9, "to": "/transport/position_s", "range": [0, 20], "pickup": False}
    surface = Surface(session, parse({"bindings": [line]}, Map, "test"), "midi:test", print)  # type: ignore[arg-type]
    assert session.transport is not None
    session.play_until(10.0)
    for data in encoded(Message("cc", 1, 9, 0)):
        surface.hear(data)
    session.play_until(10.5)
    assert session.transport.position_s < 1.0
    session.transport.close()


def test_what_is_asked_in_vain_is_said_and_ends_nothing() -> None:
    bench = Bench({"note": 1, "to": "/scene/recall", "value": "nothing"}, {"note": 2, "to": "/stem/9/mute"})
    bench.say("note", 1, 1)
    bench.say("note", 2, 1)
    assert bench.surface.n_refused == 1
    assert "no scene 'nothing'" in bench.said[0]
