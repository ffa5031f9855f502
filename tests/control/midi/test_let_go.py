"""A button that is let go ends what it began, whatever was pressed, learnt or unplugged meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_bench import GAIN, MUTE, SOLO, Bench

from rtsep.control.midi.messages import Message, encoded

BUTTON, SHIFT, PEDAL = 5, 98, 64


def shifting() -> Bench:
    """A button that mutes while it is down, or with shift solos."""
    line = {"note": BUTTON, "to": MUTE, "shift": SOLO, "press": "momentary"}
    return Bench(line, {"cc": PEDAL, "to": "/bypass", "press": "momentary"}, shift={"note": SHIFT})


def test_what_was_pressed_with_shift_is_let_go_without_it() -> None:
    bench = shifting()
    bench.say("note", SHIFT, 127)
    bench.say("note", BUTTON, 127)
    bench.say("note", SHIFT, 0)
    assert (bench.board[MUTE], bench.board[SOLO]) == (False, True)
    bench.say("note", BUTTON, 0)
    assert (bench.board[MUTE], bench.board[SOLO]) == (False, False)


def test_what_was_pressed_without_shift_is_let_go_with_it() -> None:
    bench = shifting()
    bench.say("note", BUTTON, 127)
    bench.say("note", SHIFT, 127)
    bench.say("note", BUTTON, 0)
    assert (bench.board[MUTE], bench.board[SOLO]) == (False, False)


def test_a_button_that_loses_its_release_holds_one_thing_at_most() -> None:
    bench = shifting()
    bench.say("note", BUTTON, 127)
    bench.say("note", SHIFT, 127)
    bench.say("note", BUTTON, 127)
    assert (bench.board[MUTE], bench.board[SOLO]) == (False, True)


def unheard(bench: Bench, kind: str, number: int, *values: int) -> None:
    """What a control says while the next one is being learnt."""
    for value in values:
        for data in encoded(Message(kind, 1, number, value)):  # type: ignore[arg-type]
            bench.surface.hear(data, acts=False)


def test_a_button_that_is_let_go_while_another_is_learnt_is_let_go() -> None:
    bench = shifting()
    bench.say("cc", PEDAL, 127)
    unheard(bench, "cc", PEDAL, 0)
    assert bench.board["/bypass"] is False
    unheard(bench, "cc", PEDAL, 127)
    assert bench.board["/bypass"] is False  # nothing begins
    bench.say("cc", PEDAL, 0, 127)
    assert bench.board["/bypass"] is True


def test_a_controller_that_turns_a_switch_over_hears_its_next_press_after_learning() -> None:
    bench = Bench({"cc": 32, "to": SOLO})
    bench.say("cc", 32, 127)
    unheard(bench, "cc", 32, 0)
    bench.say("cc", 32, 127)
    assert bench.board[SOLO] is False


def test_shift_that_is_let_go_while_a_control_is_learnt_is_off() -> None:
    bench = shifting()
    bench.say("note", SHIFT, 127)
    unheard(bench, "note", SHIFT, 0)
    bench.say("note", BUTTON, 127)
    assert (bench.board[MUTE], bench.board[SOLO]) == (True, False)


def test_a_fader_that_moved_while_a_control_was_learnt_meets_its_parameter_again() -> None:
    bench = Bench({"cc": 7, "to": GAIN})
    (left_db,) = bench.say("cc", 7, *range(95, 106))[-1:]
    unheard(bench, "cc", 7, *range(105, 20, -1))
    assert bench.say("cc", 7, 20, 50) == [left_db, left_db]


@pytest.mark.parametrize("ends", ["unplugged", "another map"])
def test_what_is_down_at_the_end_is_let_go(ends: str) -> None:
    bench = shifting()
    bench.say("note", SHIFT, 127)
    bench.say("note", BUTTON, 127)
    bench.say("cc", PEDAL, 127)
    if ends == "unplugged":
        bench.surface.let_go()
    else:
        bench.surface = bench.surface.with_map(bench.map)
    assert (bench.board[MUTE], bench.board[SOLO], bench.board["/bypass"]) == (False, False, False)
    bench.say("note", BUTTON, 0, 127)
    assert bench.board[SOLO] is True  # shift is still down


def test_a_stem_that_is_no_more_there_holds_nothing_up() -> None:
    bench = shifting()
    bench.say("note", BUTTON, 127)
    controls = bench.board._controls.values()
    bench.board.replace([control for control in controls if control.parameter.address != MUTE])
    bench.say("note", BUTTON, 0)
    assert bench.said == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([BUTTON, SHIFT]), st.sampled_from([0, 127]), st.booleans()), max_size=30
    )
)
def test_when_all_is_let_go_nothing_is_held(said: list[tuple[int, int, bool]]) -> None:
    bench = shifting()
    for number, value, is_heard in said:
        (bench.say if is_heard else lambda *words: unheard(bench, *words))("note", number, value)
    bench.say("note", BUTTON, 0)
    assert (bench.board[MUTE], bench.board[SOLO]) == (False, False)
