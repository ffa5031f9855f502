from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session import StillSession

from rtsep.board import Control
from rtsep.control.keys import BINDINGS, Hands, Keyboard, press, selected, stepped_gain_db
from rtsep.control.rows import rows
from rtsep.knobs import mix_controls
from rtsep.parameters import ROWS
from rtsep.scales import Gain
from rtsep.transport import SOON_S

ESCAPE = "KEY_ESCAPE"
HIGHEST_DB = Gain().high_db
KEYS = [key for binding in BINDINGS for key in binding.keys]


def type_keys(session: StillSession, hands: Hands, *keys: str) -> None:
    for key in keys:
        press(key, hands, session)


def test_every_key_has_one_meaning() -> None:
    assert len(KEYS) == len(set(KEYS))


def test_rows_are_selected_in_a_circle_and_stems_by_number(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "KEY_UP")
    assert selected(hands, card).fader == "/separation"
    type_keys(card, hands, "KEY_UP")
    assert selected(hands, card).fader == "/crossfade"
    type_keys(card, hands, "KEY_DOWN", "KEY_DOWN", "KEY_DOWN")
    assert hands.selected == 1
    type_keys(card, hands, "3")
    assert hands.selected == 2
    type_keys(card, hands, "9")
    assert hands.selected == 2, "there is no ninth stem"


def test_buttons_and_fader_move_the_selected_stem_alone(card: StillSession) -> None:
    hands = Hands(selected=1)
    type_keys(card, hands, "m", "S", "KEY_RIGHT", "+", "=", "-")
    strips = card.mix.state
    assert (strips["drums"].mute, strips["drums"].solo, strips["drums"].gain_db) == (True, True, 2.0)
    assert all(strips[stem] == strips["vocals"] for stem in card.stems if stem != "drums")
    type_keys(card, hands, "m", "s", "0")
    assert card.mix.state["drums"] == strips["vocals"]


def test_a_fader_ends_in_silence_and_comes_back(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, *["KEY_LEFT"] * 70)
    assert card.mix.state["vocals"].gain_db == -math.inf
    type_keys(card, hands, "KEY_RIGHT")
    assert card.mix.state["vocals"].gain_db == -60.0
    type_keys(card, hands, *["KEY_RIGHT"] * 100)
    assert card.mix.state["vocals"].gain_db == HIGHEST_DB


@given(start=st.floats(-60, 24), steps=st.lists(st.sampled_from([-1.0, 1.0]), max_size=200))
def test_no_walk_of_the_fader_leaves_its_range(start: float, steps: list[float]) -> None:
    gain_db = start
    for step in steps:
        gain_db = stepped_gain_db(gain_db, step, HIGHEST_DB)
        assert gain_db == -math.inf or -60 <= gain_db <= HIGHEST_DB
        assert len(Gain().tell(gain_db)) <= 8


def test_another_model_may_make_fewer_stems_than_the_one_that_was_selected_in(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "3")
    card.board.replace(mix_controls(card.mix, card.stems[:1]))
    type_keys(card, hands, "KEY_LEFT")
    assert card.board["/crossfade" if "/crossfade" in card.board else "/bus/main/gain_db"] in (0.0, -1.0)
    assert selected(hands, card).fader == "/separation"
    type_keys(card, Hands(selected=99), "KEY_LEFT")
    assert card.board["/separation"] == pytest.approx(0.9)


def test_the_tape_machine_answers(song: StillSession) -> None:
    hands = Hands()
    assert song.transport is not None
    song.play_until(4.0)
    type_keys(song, hands, "]")
    song.play_until(4.5)
    assert song.transport.position_s == pytest.approx(9.5 - SOON_S)
    type_keys(song, hands, ",", ",")
    song.play_until(5.0)
    assert song.transport.position_s < 5.0
    type_keys(song, hands, " ")
    assert song.transport.paused
    type_keys(song, hands, " ")
    assert not song.transport.paused


def test_a_loop_is_marked_and_cleared(song: StillSession) -> None:
    hands = Hands()
    assert song.transport is not None
    song.play_until(2.0)
    type_keys(song, hands, "a")
    assert (hands.loop_start_s, hands.loop_end_s, song.transport.loop_s) == (2.0, None, None)
    song.play_until(5.0)
    type_keys(song, hands, "b")
    assert song.transport.loop_s == (2.0, 5.0)
    assert (hands.loop_start_s, hands.loop_end_s) == (2.0, 5.0)
    type_keys(song, hands, "c")
    assert (hands.loop_start_s, hands.loop_end_s, song.transport.loop_s) == (None, None, None)


def test_a_loop_of_no_length_is_explained_and_the_music_goes_on(song: StillSession) -> None:
    hands = Hands()
    song.play_until(2.0)
    type_keys(song, hands, "a", "b")
    assert "end must lie" in hands.message
    assert hands.loop_end_s is None


def test_keys_of_the_tape_machine_say_why_they_do_nothing_on_a_card(card: StillSession) -> None:
    for key in " [].,abc":
        hands = Hands()
        press(key, hands, card)
        assert "for files" in hands.message


@given(keys=st.lists(st.one_of(st.sampled_from([*KEYS, ESCAPE]), st.text(max_size=3)), max_size=40))
def test_no_sequence_of_keys_breaks_anything(keys: list[str]) -> None:
    session, hands = StillSession(None), Hands()
    for key in keys:
        press(key, hands, session)
    assert 0 <= hands.selected < len(rows(session.board))


def test_a_value_is_entered_as_it_is_or_refused(card: StillSession) -> None:
    hands = Hands(selected=1)
    type_keys(card, hands, "e", *"-12.55", "KEY_BACKSPACE", "KEY_ENTER")
    assert card.board["/stem/drums/gain_db"] == -12.5
    type_keys(card, hands, "e", *"loud", "KEY_ENTER")
    assert "'loud' is no number; allowed is -inf to 24 dB" in hands.message
    type_keys(card, hands, "e", *"q-3", ESCAPE, "e", "KEY_ENTER")
    assert (card.board["/stem/drums/gain_db"], hands.prompt, hands.quit) == (-12.5, None, False)


def test_any_address_can_be_typed(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, ":", *"/scene/fade_s 1.5", "KEY_ENTER", ":", *"/stem/bass/mute on", "KEY_ENTER")
    assert (card.board["/scene/fade_s"], card.board["/stem/bass/mute"]) == (1.5, True)
    type_keys(card, hands, ":", *"/stem/bas/mute 1", "KEY_ENTER")
    assert "did you mean /stem/bass/mute" in hands.message


def test_scenes_are_gone_to_by_key_name_and_number_and_taken_back(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "KEY_F2")
    assert card.mix.state["vocals"].mute
    type_keys(card, hands, "u")
    assert not card.mix.state["vocals"].mute
    type_keys(card, hands, "g", *"acapella", "KEY_ENTER")
    assert card.board["/scene/current"] == "acapella"
    type_keys(card, hands, "g", "2", "KEY_ENTER", "w", *"Mine", "KEY_ENTER", "u", "g", *"Mine", "KEY_ENTER")
    assert card.mix.state["vocals"].mute
    type_keys(card, hands, "KEY_F12")
    assert "there is no scene 12" in hands.message
    type_keys(card, hands, "w", *"a,b", "KEY_ENTER")
    assert "has a comma" in hands.message


def test_everything_has_its_key(card: StillSession) -> None:
    hands = Hands(selected=1)
    type_keys(card, hands, "i", "<", "<", ">", "d")
    assert (card.mix.state["drums"].invert, card.mix.state["drums"].pan) == (True, pytest.approx(-0.05))
    assert card.board["/bypass"]
    type_keys(card, hands, "KEY_UP", "KEY_UP", "KEY_UP", "m")
    assert hands.message == "crossfade has no mute" or hands.message == "main has no mute"
    type_keys(card, hands, "h", "t", "l")
    assert hands.message.startswith("l needs MIDI")


def test_outside_of_a_terminal_there_are_no_keys() -> None:
    with Keyboard() as keyboard:
        assert not keyboard.works
        assert keyboard.read(0.0) is None


@pytest.fixture
def keys_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal, whose second one is the standard input."""
    pty = pytest.importorskip("pty")
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ours)
        terminal = stack.enter_context(os.fdopen(theirs, "r+b", buffering=0))
        monkeypatch.setattr(sys, "__stdin__", terminal)
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "__stdout__", terminal)
        monkeypatch.setattr(sys, "__stderr__", terminal)
        yield ours, theirs


def test_keys_come_from_a_terminal_without_enter(keys_of_a_terminal: tuple[int, int]) -> None:
    with Keyboard() as keyboard:
        assert keyboard.works
        os.write(keys_of_a_terminal[0], b"m\x1b[A")
        assert [keyboard.read(5.0), keyboard.read(5.0)] == ["m", "KEY_UP"]
        assert keyboard.read(0.0) is None
    with Keyboard(wanted=False) as keyboard:
        assert not keyboard.works


def test_keys_come_while_one_output_is_redirected(
    keys_of_a_terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        for name in ("__stdout__", "__stderr__"):
            with monkeypatch.context() as patch:
                patch.setattr(sys, name, log)
                with Keyboard() as keyboard:
                    assert keyboard.works
                    os.write(keys_of_a_terminal[0], b"q")
                    assert keyboard.read(5.0) == "q"
        monkeypatch.setattr(sys, "__stdout__", log)
        monkeypatch.setattr(sys, "__stderr__", log)
        with Keyboard() as keyboard:
            assert not keyboard.works


def test_keys_come_without_enter_again_after_a_stop(keys_of_a_terminal: tuple[int, int]) -> None:
    termios = pytest.importorskip("termios")
    _, terminal = keys_of_a_terminal
    before, handler = termios.tcgetattr(terminal), signal.getsignal(signal.SIGCONT)
    with Keyboard() as keyboard:
        termios.tcsetattr(terminal, termios.TCSANOW, before)  # as a shell does that shows its prompt
        signal.raise_signal(signal.SIGCONT)
        os.write(keys_of_a_terminal[0], b"m")
        assert keyboard.read(5.0) == "m"
    assert termios.tcgetattr(terminal) == before
    assert signal.getsignal(signal.SIGCONT) is handler


def test_settings_are_read_anew_where_there_are_some(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "r")
    assert not hands.reload
    assert "no settings file" in hands.message
    hands = Hands(can_reload=True)
    type_keys(card, hands, "r")
    assert hands.reload


def test_a_key_after_l_says_what_a_controller_shall_move(card: StillSession) -> None:
    asked = list[object]()
    control = Control(ROWS["/midi/learn"], lambda: "", asked.append)
    card.board.keep([control])
    hands = Hands()
    type_keys(card, hands, "l", "m", "l", "KEY_RIGHT", "l", "KEY_F2")
    assert asked == ["/stem/vocals/mute", "/stem/vocals/gain_db", "/scene/recall=karaoke"]
    assert card.board["/scene/current"] == ""
    assert (card.board["/stem/vocals/mute"], card.board["/stem/vocals/gain_db"]) == (False, 0.0)
