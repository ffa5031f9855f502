"""Faders take hold where the parameter stands: nothing jumps."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from midi_bench import GAIN, Bench

from rtsep.control.midi.surface import NEAR
from rtsep.scales import AT_TOP, is_above


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
        hand = 0.0 if last is None else abs(move - last) / 127
        assert jump <= max(NEAR, hand + slack) + 1e-9
        last = move


def test_a_fader_takes_hold_where_the_parameter_stands() -> None:
    bench = Bench({"cc": 7, "to": GAIN})
    assert bench.say("cc", 7, 20, 60, 90) == [0.0, 0.0, 0.0]
    assert bench.say("cc", 7, 95, 96)[-1] == pytest.approx((96 / 127 - 0.5) * 40 - 10)
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
    assert bench.say("cc", 7, 120) == [pytest.approx((120 / 127 - 0.5) * 40 - 10)]  # it takes the gain along
    bench.board[GAIN] = 24
    (motor,) = bench.surface.show()
    assert motor[-1] == 127
    bench.surface.hear(motor)
    assert bench.board[GAIN] == 24
