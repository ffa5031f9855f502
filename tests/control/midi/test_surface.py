"""A controller on a real board: what it moves, what it does not, and what it is shown."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from controller_bench import GAIN, MUTE, PAN, SOLO, STEMS, Bench
from hypothesis import example, given, settings
from hypothesis import strategies as st
from session import StillSession

from rtsep.config import parse
from rtsep.control.midi.hold import NEAR
from rtsep.control.midi.maps import Map, problems
from rtsep.control.midi.messages import TOP, Message, encoded
from rtsep.control.midi.surface import Surface
from rtsep.errors import ConfigError
from rtsep.scales import AT_TOP, is_above


def test_a_fader_moves_from_end_to_end() -> None:
    bench = Bench({"cc": 7, "to": "/stem/1/gain_db", "pickup": False})
    assert bench.say("cc", 7, 0, 127) == [-math.inf, 10.0]
    bench.say("cc", 7, 64, channel=9)
    assert bench.board.position(GAIN) == pytest.approx(0.75 * 64 / 95)


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
    assert bench.board.position(GAIN) == pytest.approx(0.75 * 8193 / 12287)


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
    assert bench.board["/separation"] == pytest.approx((64 / 127) ** 2, abs=0.005)


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


def test_what_is_asked_in_vain_is_said_and_ends_nothing() -> None:
    bench = Bench({"note": 1, "to": "/scene/recall", "value": "nothing"}, {"note": 2, "to": "/stem/9/mute"})
    bench.say("note", 1, 1)
    bench.say("note", 2, 1)
    assert bench.surface.n_refused == 1
    assert "no scene 'nothing'" in bench.said[0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(0, 127), st.floats(-80, 24).map(lambda db: round(db, 1))),
        min_size=1,
        max_size=30,
    )
)
@example([11.0, 126, 0])
def test_nothing_jumps_further_than_the_hand_went(moves: list[int | float]) -> None:
    """Whatever else moves the parameter between: the fader takes it only where it meets it, or passes it by.

    A gain that was typed above the fader stands at its top, and so does a hand that is nearly there.
    """
    bench, last = Bench({"cc": 7, "to": GAIN}), None
    for move in moves:
        if isinstance(move, float):
            bench.board[GAIN] = move
            continue
        before, slack = (
            bench.board.position(GAIN),
            AT_TOP if is_above(bench.board.parameter(GAIN).scale, bench.board[GAIN]) else 0.0,
        )
        bench.say("cc", 7, move)
        jump = abs(bench.board.position(GAIN) - before)
        hand = 0.0 if last is None else abs(move - last) * NEAR
        assert jump <= max(NEAR, hand + slack) + 1e-9
        last = move


def test_a_fader_takes_hold_where_the_parameter_stands() -> None:
    bench = Bench({"cc": 7, "to": GAIN})
    assert bench.say("cc", 7, 20, 60, 90) == [0.0, 0.0, 0.0]
    assert bench.say("cc", 7, 95, 96)[-1] == pytest.approx(10 / 32)
    bench.board[GAIN] = -20
    assert bench.say("cc", 7, 97, 98) == [-20.0, -20.0]


@pytest.mark.parametrize("pickup", [True, False])
def test_a_fader_at_its_top_leaves_alone_what_was_typed_above_it(pickup: bool) -> None:
    bench = Bench({"cc": 7, "to": GAIN, "pickup": pickup, "motor": True})
    if pickup:
        bench.say("cc", 7, 96)
    bench.board[GAIN] = 18
    coming = (100, 118, 125) if pickup else ()  # nothing is caught below the top
    assert set(bench.say("cc", 7, *coming, 127, 126, 127, 127)) == {18.0}
    assert bench.say("cc", 7, 120) == [10 * 25 / 32]  # it takes the gain along
    bench.board[GAIN] = 24
    (motor,) = bench.surface.show()
    assert motor[-1] == 127
    bench.surface.hear(motor)
    assert bench.board[GAIN] == 24


@given(st.floats(-60, 24).map(lambda db: round(db, 1)))
def test_what_a_motor_fader_says_of_where_it_was_driven_to_moves_nothing(gain_db: float) -> None:
    bench = Bench({"cc": 7, "to": GAIN, "pickup": False, "motor": True})
    bench.board[GAIN] = gain_db
    for motor in bench.surface.show():
        bench.surface.hear(motor)
    assert bench.board[GAIN] == gain_db


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


def test_a_knob_without_ends_turns_down_what_no_fader_reaches() -> None:
    bench = Bench({"cc": 1, "to": GAIN, "encoder": "twos_complement", "per_step": 0.01})
    bench.board[GAIN] = 10.6
    assert bench.say("cc", 1, 1, 127, 127, 127, 1, 127) == pytest.approx([10.6, 10.2, 9.8, 9.4, 9.8, 9.4])


WIRED = (
    {"cc": 7, "to": GAIN, "pickup": False},
    {"note": 1, "to": MUTE, "shift": SOLO},
    {"cc14": 3, "to": PAN},
    {"bend": True, "to": "/crossfade", "pickup": False},
    {"nrpn": 133, "to": "/separation"},
    {"step": 133, "to": "/stem/drums/pan"},
    {"program": 5, "to": "/bypass", "value": True},
)
#: What a complete message with one of these beginnings may move; the numbers of the map come up often.
MOVES = {
    (0x80, 1): {MUTE, SOLO},
    (0x90, 1): {MUTE, SOLO},
    (0xB0, 7): {GAIN},
    (0xB0, 3): {PAN},
    (0xB0, 35): {PAN},
    (0xB0, 6): {"/separation"},
    (0xB0, 38): {"/separation"},
    (0xB0, 96): {"/stem/drums/pan", "/separation"},
    (0xB0, 97): {"/stem/drums/pan", "/separation"},
    (0xC0, 5): {"/bypass"},
}
OFTEN = st.sampled_from(
    [
        *range(0x80, 0x100),
        0x80,
        0x90,
        0xB0,
        0xB0,
        0xC0,
        0xE0,
        0xF0,
        0xF7,
        0xF8,
        1,
        3,
        5,
        6,
        7,
        35,
        38,
        96,
        97,
        98,
        99,
    ]
)


def complete(wire: bytes) -> set[str]:
    """What the complete messages of a wire may move, read in another way than by a parser: cut at every status."""
    moved: set[str] = set()
    for status, data in re.findall(
        rb"([\x80-\xf7])([\x00-\x7f]*)", re.sub(rb"[\xf8-\xff]", b"", wire), re.DOTALL
    ):
        kind = status[0] & 0xF0
        size = 1 if kind in (0xC0, 0xD0) else 2
        for at in range(0, len(data) - size + 1, size):
            moved |= {"/crossfade"} if kind == 0xE0 else MOVES.get((kind, data[at]), set())
    return moved


@settings(max_examples=500, deadline=None)
@given(st.lists(st.lists(st.one_of(OFTEN, st.integers(0, 255)), max_size=40).map(bytes), max_size=8))
def test_random_bytes_never_raise_nor_move_what_no_complete_message_names(pieces: list[bytes]) -> None:
    bench = Bench(*WIRED, shift={"note": 2})
    before = bench.board.values
    for piece in pieces:
        bench.surface.hear(piece)
        bench.surface.show()
    after = bench.board.values
    moved = {address for address in after if after[address] != before[address]}
    assert moved <= complete(b"".join(pieces))
    assert bench.said == []


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_message_that_is_cut_off_anywhere_moves_nothing(data: st.DataObject) -> None:
    bench = Bench(*WIRED, shift={"note": 2})
    before = bench.board.values
    whole = data.draw(st.sampled_from([b"\xb0\x07\x7f", b"\x90\x01\x40", b"\xe0\x00\x00", b"\xc0\x05"]))
    clock = st.lists(st.integers(0xF8, 0xFF), max_size=2).map(bytes)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for byte in cut:
        bench.surface.hear(data.draw(clock) + bytes((byte,)) + data.draw(clock))
    bench.surface.hear(
        data.draw(st.sampled_from([b"", b"\xf0\x01\x02\xf7\x40\x40", b"\xf2\x01\x02\x40", b"\xd3\x40"]))
    )
    assert bench.board.values == before


def test_clock_and_sysex_move_nothing() -> None:
    bench = Bench({"cc": 7, "to": GAIN, "pickup": False})
    bench.surface.hear(b"\xf8\xf0\x7e\x07\x40\xf7\xfe\xb0\xf8\x07\xf8\x00")
    assert bench.board[GAIN] == -math.inf


# --- lights and motors ---


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


def test_other_stems_are_shown_and_found_anew() -> None:
    bench = Bench({"note": [1, 2], "to": "/stem/{n}/mute", "light": {"shows": "plays"}})
    bench.surface.show()
    bench.board.replace(list(bench.board._controls.values()))
    assert len(bench.surface.show()) == 2


# --- maps ---


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
