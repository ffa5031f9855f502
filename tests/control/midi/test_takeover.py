"""A fader that has left its parameter alone meets it again before it moves it, whatever happened between."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_bench import GAIN, PAN, Bench

from rtsep.control.midi.hold import NEAR

FADER, SHIFT = 7, 98


def test_a_fader_that_was_moved_in_vain_has_left_its_parameter_also_when_that_comes_back() -> None:
    bench = Bench({"cc": FADER, "to": GAIN})
    bench.board["/scene/save"] = "before"
    left_db = bench.say("cc", FADER, *range(95, 106))[-1]
    bench.board["/scene/recall"] = "everything"
    assert bench.say("cc", FADER, 110, 127) == [0.0, 0.0]
    bench.board["/scene/undo"] = True
    assert bench.say("cc", FADER, 126, 115) == [left_db, left_db]
    assert bench.say("cc", FADER, 105, 104)[-1] < left_db


def test_a_fader_that_stands_where_it_left_its_parameter_takes_it_again() -> None:
    bench = Bench({"cc": FADER, "to": GAIN})
    (left_db,) = bench.say("cc", FADER, *range(95, 106))[-1:]
    bench.board[GAIN] = -20
    bench.board[GAIN] = left_db
    assert bench.say("cc", FADER, 106)[0] > left_db


@pytest.mark.parametrize("shifted", [PAN, "/stem/drums/gain_db"])
def test_a_fader_that_was_moved_under_shift_has_left_what_it_moves_without(shifted: str) -> None:
    bench = Bench({"cc": FADER, "to": GAIN, "shift": shifted}, shift={"note": SHIFT})
    (left_db,) = bench.say("cc", FADER, *range(96, 29, -1))[-1:]
    bench.say("note", SHIFT, 127)
    bench.say("cc", FADER, *range(30, 121))
    bench.say("note", SHIFT, 0)
    assert bench.say("cc", FADER, 121, 100) == [left_db, left_db]
    assert bench.say("cc", FADER, 30, 29)[-1] < left_db


def test_a_motor_fader_goes_to_what_it_moves_under_shift_and_back() -> None:
    bench = Bench({"cc": FADER, "to": GAIN, "shift": PAN, "motor": True}, shift={"note": SHIFT})
    bench.board[GAIN], bench.board[PAN] = -math.inf, 1.0
    assert bench.surface.show() == [bytes((0xB0, FADER, 0))]
    bench.say("note", SHIFT, 127)
    assert bench.surface.show() == [bytes((0xB0, FADER, 127))]
    bench.say("cc", FADER, 126, 100)
    assert bench.surface.show() == []
    bench.say("note", SHIFT, 0)
    assert bench.surface.show() == [bytes((0xB0, FADER, 0))]


MOVES = st.one_of(
    st.tuples(st.just("fader"), st.integers(0, 127)),
    st.tuples(st.just("shift"), st.sampled_from([0, 127])),
    st.tuples(st.sampled_from([GAIN, PAN]), st.sampled_from([0.0, 0.25, 1.0])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(MOVES, max_size=40))
def test_whatever_moves_between_nothing_jumps_further_than_the_hand_went(
    moves: list[tuple[str, float]],
) -> None:
    bench = Bench({"cc": FADER, "to": GAIN, "shift": PAN}, shift={"note": SHIFT})
    board, last = bench.board, 0
    for what, value in moves:
        if what == "fader":
            before = [board.position(address) for address in (GAIN, PAN)]
            bench.say("cc", FADER, int(value))
            jumps = [abs(board.position(a) - was) for a, was in zip((GAIN, PAN), before, strict=True)]
            assert max(jumps) <= max(1, abs(value - last)) * NEAR + 1e-9
            last = int(value)
        elif what == "shift":
            bench.say("note", SHIFT, int(value))
        else:
            board.move(what, value)
