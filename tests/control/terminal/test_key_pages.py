from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session import StillSession
from typing_hands import ESCAPE, at, open_row, selected, type_keys

from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keys import press
from rtsep.control.terminal.picture import draw
from rtsep.control.terminal.prompts import Prompt
from rtsep.control.terminal.rows import rows


@pytest.mark.parametrize("n_stems", [1, 2, 3, 4])
def test_every_parameter_has_one_row_on_one_page(n_stems: int, tmp_path: Path) -> None:
    session = StillSession(tmp_path, ("vocals", "drums", "bass", "piano")[:n_stems])
    pages = {row.page for row in rows(session.board)}
    inside = [row.address for page in pages for row in rows(session.board, page)]
    alone = [row.address for row in rows(session.board) if not row.folder and row.address]
    assert sorted([*inside, *alone]) == sorted(session.board.parameters)


def test_all_of_a_strip_is_moved_on_its_page(card: StillSession) -> None:
    hands = at(2, card)
    type_keys(card, hands, "KEY_ENTER", "KEY_LEFT", "KEY_DOWN", "KEY_RIGHT")
    drums = card.mix.state
    assert (drums["drums"].gain_db, drums["drums"].mute) == (-1.0, True)
    type_keys(card, hands, "KEY_RIGHT")
    assert card.mix.state["drums"].mute, "right is on"
    type_keys(card, hands, "KEY_ENTER")
    assert not card.mix.state["drums"].mute
    open_row(hands, card, "pan")
    type_keys(card, hands, "KEY_LEFT", "s", "KEY_ENTER", *"0.5", "KEY_ENTER")
    assert (card.mix.state["drums"].pan, card.mix.state["drums"].solo) == (0.5, True)
    type_keys(card, hands, "0", "3")
    assert (card.mix.state["drums"].pan, selected(hands, card)) == (0.0, "/stem/bass/pan")
    type_keys(card, hands, "KEY_ESCAPE")
    assert selected(hands, card) == "/stem/bass/gain_db"


def test_a_choice_is_looked_at_before_it_is_taken(card: StillSession) -> None:
    hands = at(1, card)
    type_keys(card, hands, "KEY_TAB")
    open_row(hands, card, "route")
    type_keys(card, hands, "KEY_RIGHT", "KEY_RIGHT")
    assert hands.message == "/stem/vocals/route: Enter takes 1"
    assert card.board["/stem/vocals/route"] == "main"
    assert "◂ 1 ▸" in draw(card, hands, 80).plain
    type_keys(card, hands, "KEY_ENTER")
    assert (card.board["/stem/vocals/route"], hands.leaf) == ("1", None)
    type_keys(card, hands, "KEY_LEFT", ESCAPE)
    assert (card.board["/stem/vocals/route"], hands.leaf) == ("1", None)
    assert selected(hands, card) == "/stem/vocals/route", "the page is still open"
    type_keys(card, hands, "KEY_LEFT", "KEY_DOWN", "KEY_UP", "KEY_ENTER")
    assert hands.prompt is not None, "who goes on takes nothing; Enter asks, where nothing is chosen"
    type_keys(card, hands, "m", "KEY_TAB", "KEY_ENTER")
    assert card.board["/stem/vocals/route"] == "main"


def test_what_belongs_to_no_strip_is_behind_the_last_row(song: StillSession) -> None:
    hands = Hands()
    type_keys(song, hands, "KEY_UP", "KEY_LEFT")
    assert "session has no fader; Tab opens" in hands.message
    type_keys(song, hands, "KEY_TAB")
    open_row(hands, song, "scene/fade_s")
    type_keys(song, hands, "KEY_RIGHT", "KEY_RIGHT")
    assert song.board["/scene/fade_s"] == 1.0
    open_row(hands, song, "scene/recall")
    type_keys(song, hands, "KEY_RIGHT", "KEY_ENTER", *"karaoke", "KEY_ENTER")
    assert song.board["/stem/vocals/mute"]
    open_row(hands, song, "scene/undo")
    type_keys(song, hands, "KEY_ENTER")
    assert not song.board["/stem/vocals/mute"]
    open_row(hands, song, "scene/names")
    for key in ("KEY_RIGHT", "e", "0", "KEY_ENTER"):
        hands.message = ""
        press(key, hands, song)
        assert hands.message == "/scene/names tells something; it cannot be set", key
    type_keys(song, hands, "3")
    assert selected(hands, song) == "/stem/bass/gain_db"


def test_tab_completes_addresses_part_by_part_and_their_values(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, ":", "/", "s", "t", "KEY_TAB")
    assert hands.prompt is not None
    assert (hands.prompt.text, hands.prompt.hint) == (
        "/stem/",
        "vocals/  drums/  bass/  an instrument with a long name/",
    )
    type_keys(card, hands, "a", "KEY_TAB", "m", "KEY_TAB", "o", "KEY_TAB")
    assert hands.prompt.hint == "on  off"
    type_keys(card, hands, "n", "KEY_ENTER")
    assert card.board["/stem/an instrument with a long name/mute"] is True
    type_keys(card, hands, ":", "x", "KEY_TAB")
    assert hands.prompt.hint == "nothing begins so"
    type_keys(card, hands, "KEY_BACKSPACE", "KEY_TAB")
    assert (hands.prompt.text, "/crossfade" in hands.prompt.hint.split()) == ("/", False)
    assert "crossfade" in hands.prompt.hint.split()
    type_keys(card, hands, ESCAPE, "g", "k", "KEY_TAB", "KEY_ENTER")
    assert card.board["/scene/current"] == "karaoke"


@given(st.lists(st.text("ab/", max_size=6), min_size=1), st.text("ab/", max_size=3))
def test_what_is_completed_is_the_longest_beginning_of_all_that_fit(lines: list[str], text: str) -> None:
    prompt = Prompt("", lambda line: None, lambda begun: lines, text)
    prompt.write("KEY_TAB")
    fit = [line for line in lines if line.startswith(text)]
    assert prompt.text == (os.path.commonprefix(fit) if fit else text)  # noqa: RUF071


def test_any_address_can_be_typed(card: StillSession) -> None:
    hands = Hands()
    type_keys(card, hands, ":", *"/scene/fade_s 1.5", "KEY_ENTER", ":", *"/stem/bass/mute on", "KEY_ENTER")
    assert (card.board["/scene/fade_s"], card.board["/stem/bass/mute"]) == (1.5, True)
    type_keys(card, hands, ":", *"/stem/bas/mute 1", "KEY_ENTER")
    assert "did you mean /stem/bass/mute" in hands.message
