from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session import StillSession
from typing_hands import ESCAPE, at, loop_of, open_row, selected, type_keys

from rtsep.board import Control
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keys import BINDINGS, press
from rtsep.control.terminal.picture import draw
from rtsep.control.terminal.rows import MIXER, rows
from rtsep.control.terminal.steps import stepped_gain_db
from rtsep.knobs import mix_controls
from rtsep.parameters import ROWS
from rtsep.scales import TOP_DB, Gain
from rtsep.transport import SOON_S

KEYS = [key for binding in BINDINGS for key in binding.keys]


def test_every_key_has_one_meaning() -> None:
    assert len(KEYS) == len(set(KEYS))


def test_rows_are_selected_in_a_circle_and_stems_by_number(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "KEY_UP")
    assert hands.look(card.board).row.label == "session"
    type_keys(card, hands, "KEY_UP")
    assert selected(hands, card) == "/separation"
    type_keys(card, hands, "KEY_DOWN", "KEY_DOWN", "KEY_DOWN")
    assert selected(hands, card) == "/stem/drums/gain_db"
    type_keys(card, hands, "3")
    assert selected(hands, card) == "/stem/bass/gain_db"
    type_keys(card, hands, "9")
    assert selected(hands, card) == "/stem/bass/gain_db", "there is no ninth stem"


def test_buttons_and_fader_move_the_selected_stem_alone(card: StillSession) -> None:
    hands = at(2, card)
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
    assert card.mix.state["vocals"].gain_db == TOP_DB
    card.board["/stem/vocals/gain_db"] = 20  # typed
    type_keys(card, hands, "KEY_RIGHT")
    assert card.mix.state["vocals"].gain_db == 20
    type_keys(card, hands, "KEY_LEFT")
    assert card.mix.state["vocals"].gain_db == 19


@given(start=st.floats(-60, 24), steps=st.lists(st.sampled_from([-1.0, 1.0]), max_size=200))
def test_no_walk_of_the_fader_leaves_its_range(start: float, steps: list[float]) -> None:
    gain_db = start
    for step in steps:
        gain_db = stepped_gain_db(gain_db, step)
        assert gain_db == -math.inf or -60 <= gain_db <= max(TOP_DB, start)
        assert len(Gain().tell(gain_db)) <= 8


def test_a_selection_stays_on_its_row_when_others_come_and_go_and_else_next_to_it(card: StillSession) -> None:
    def play_stems(*stems: str) -> None:
        card.board.replace([*mix_controls(card.mix, stems), *kept])

    kept = [control for address, control in card.board._controls.items() if address.startswith("/scene/")]
    hands = at(3, card)
    assert selected(hands, card) == "/stem/bass/gain_db"
    play_stems("bass", "vocals", "drums", "an instrument with a long name")
    assert selected(hands, card) == "/stem/bass/gain_db"
    type_keys(card, hands, "KEY_LEFT")
    assert card.board["/stem/bass/gain_db"] == -1.0
    play_stems("vocals", "drums")
    assert selected(hands, card) == "/bus/main/gain_db", "what stands in its place now"
    play_stems("vocals")
    assert selected(hands, card) == "/separation"
    play_stems(*card.stems)
    assert selected(hands, card) == "/stem/bass/gain_db"


def test_the_page_of_a_strip_that_has_gone_is_the_mixer(card: StillSession) -> None:
    hands = at(4, card)
    type_keys(card, hands, "KEY_TAB", "KEY_DOWN")
    assert selected(hands, card) == "/stem/an instrument with a long name/mute"
    card.board.replace(mix_controls(card.mix, card.stems[:3]))
    assert hands.look(card.board).page == MIXER
    type_keys(card, hands, "KEY_LEFT", "m", "KEY_ESCAPE")
    assert hands.page == MIXER
    card.board.replace(mix_controls(card.mix, card.stems))
    type_keys(card, hands, "KEY_DOWN", "KEY_TAB")
    assert selected(hands, card) == "/group/vocals/gain_db"
    card.board.replace(mix_controls(card.mix, card.stems[:2]))
    assert hands.look(card.board).page == MIXER, "which has no rows for groups of two stems"


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
    assert (loop_of(song), song.transport.loop_s) == ((2.0, 0.0), None)
    song.play_until(5.0)
    type_keys(song, hands, "b")
    assert song.transport.loop_s == (2.0, 5.0)
    assert loop_of(song) == (2.0, 5.0)
    song.play_until(5.5)  # half a second of the loop again
    type_keys(song, hands, "b")
    assert loop_of(song)[0] == 2.0, "its end moves, its start stays"
    type_keys(song, hands, "c")
    assert (loop_of(song), song.transport.loop_s) == ((0.0, 0.0), None)


def test_a_loop_of_no_length_is_explained_and_the_music_goes_on(song: StillSession) -> None:
    hands = Hands()
    song.play_until(2.0)
    type_keys(song, hands, "a", "b")
    assert "end must lie" in hands.message
    assert loop_of(song) == (2.0, 0.0)


def test_keys_of_the_tape_machine_say_why_they_do_nothing_on_a_card(card: StillSession) -> None:
    for key in " [].,abc":
        hands = Hands()
        press(key, hands, card)
        assert "for files" in hands.message


@given(keys=st.lists(st.one_of(st.sampled_from([*KEYS, ESCAPE]), st.text(max_size=3)), max_size=40))
def test_no_sequence_of_keys_breaks_anything(keys: list[str]) -> None:
    session, hands = StillSession(None), Hands()
    for key in keys:
        draw(session, hands, 60, height=20)
        press(key, hands, session)
    view = hands.look(session.board)
    assert view.row in rows(session.board, view.page)


def test_a_value_is_entered_as_it_is_or_refused(card: StillSession) -> None:
    hands = at(2, card)
    type_keys(card, hands, "e", *"-12.55", "KEY_BACKSPACE", "KEY_ENTER")
    assert card.board["/stem/drums/gain_db"] == -12.5
    type_keys(card, hands, "e", *"loud", "KEY_ENTER")
    assert "'loud' is no number; allowed is -inf to 24 dB" in hands.message
    type_keys(card, hands, "e", *"q-3", ESCAPE, "e", "KEY_ENTER")
    assert (card.board["/stem/drums/gain_db"], hands.prompt, hands.quit) == (-12.5, None, False)


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
    type_keys(card, hands, "w", *"a, b", "KEY_ENTER", "g", *"a, b", "KEY_ENTER")
    assert card.board["/scene/current"] == "a, b"


def test_everything_has_its_key(card: StillSession) -> None:
    hands = at(2, card)
    type_keys(card, hands, "i", "<", "<", ">", "d")
    assert (card.mix.state["drums"].invert, card.mix.state["drums"].pan) == (True, pytest.approx(-0.05))
    assert card.board["/bypass"]
    type_keys(card, hands, "KEY_UP", "KEY_UP", "KEY_UP", "m")
    assert hands.message == "separation has no mute"
    type_keys(card, hands, "h", "t", "l")
    assert hands.message.startswith("l needs MIDI")


def test_the_key_behind_l_says_what_a_controller_shall_move_and_moves_nothing(song: StillSession) -> None:
    asked: list[object] = []
    song.board.keep([Control(ROWS["/midi/learn"], lambda: "off", asked.append)])
    hands, before = at(2, song), song.board.values
    for key in ("KEY_RIGHT", "m", ">", "u", "]", "a", " ", "d"):
        type_keys(song, hands, "l", key)
        assert "move the knob" in hands.message, key
    type_keys(song, hands, "KEY_TAB")
    open_row(hands, song, "route")
    type_keys(song, hands, "l", "KEY_RIGHT", "l", ESCAPE, "KEY_ESCAPE")
    assert asked == [
        "/stem/drums/gain_db",
        "/stem/drums/mute",
        "/stem/drums/pan",
        "/scene/undo",
        "/transport/seek_s",
        "/transport/loop_start",
        "/transport/play",
        "/bypass",
        "/stem/drums/route",
    ]
    assert song.board.values == before
    assert (hands.leaf, hands.learns, hands.page) == (None, False, MIXER)


def test_without_a_web_mixer_there_is_no_way_to_it(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "j")
    assert not hands.notice
    assert "needs `rtsep live --web`" in hands.message


def test_a_scene_is_replaced_only_by_whoever_says_so(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "m", "w", *"karaoke", "KEY_ENTER", "KEY_ENTER")
    assert not card.board["/scene/current"]
    type_keys(card, hands, "w", *"karaoke", "KEY_ENTER")
    assert hands.prompt is not None
    assert hands.prompt.label == "there is a scene karaoke; replace it? (yes) "
    type_keys(card, hands, *"no", "KEY_ENTER")
    assert not card.board["/scene/current"]
    type_keys(card, hands, "w", *"karaoke", "KEY_ENTER", *"y", "KEY_ENTER")
    assert hands.message == "the mix is kept as scene karaoke"
    assert card.board["/scene/current"] == "karaoke"


def test_settings_are_read_anew_where_there_are_some(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, "r")
    assert not hands.reload
    assert hands.message == "r reads a settings file anew, and there is none: `rtsep live SETTINGS.yaml`"
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
