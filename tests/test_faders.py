"""The board as Python has it: attributes, addresses, and a feed of what others do."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_board import STEMS, make_board, make_mixer

from rtsep.board import NOBODY, Board
from rtsep.errors import UsageError
from rtsep.faders import Rack
from rtsep.knobs import mix_controls, scene_controls
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.scenes import Scenes, SceneStore

VOCALS = "/stem/vocals/gain_db"


def stems_of(board: Board) -> Rack:
    return Rack(board, "stem", lambda: STEMS)


def test_python_hears_what_others_do_and_not_itself() -> None:
    board = make_board(make_mixer(exclusive=True))
    others, all_ = board.feed(), board.feed(NOBODY)
    board[VOCALS] = -12
    stems_of(board)["drums"].mute = True
    board.set("/separation", 0.5)
    board.move("/crossfade", 1.0)
    assert others.take() == {}
    assert all_.take() == {VOCALS: -12.0, "/stem/drums/mute": True, "/separation": 0.5, "/crossfade": 1.0}
    board.set(VOCALS, -6, "keys")
    assert others.take() == all_.take() == {VOCALS: -6.0}
    board["/stem/vocals/solo"] = True
    board["/stem/bass/solo"] = True
    assert others.take() == {"/stem/vocals/solo": False}, "what follows by itself is news"


def test_python_hears_the_faders_of_a_scene_whoever_recalls_it(tmp_path: Path) -> None:
    mixer = make_mixer()
    board = Board(together=mixer.together)
    store = SceneStore(tmp_path / "scenes.yaml")
    scenes = Scenes(board, mixer, store, lambda: STEMS, lambda what, doing, wish: None)
    board.replace([*mix_controls(mixer, STEMS), *scene_controls(scenes)])
    feed = board.feed()
    board["/scene/recall"] = "karaoke"
    assert feed.take() == {"/stem/vocals/mute": True, "/scene/current": "karaoke"}
    board.set("/scene/recall", "drumless", "web:1")
    news = {"/stem/vocals/mute": False, "/stem/drums/mute": True, "/scene/current": "drumless"}
    assert feed.take() == news


def test_a_board_can_be_looked_through() -> None:
    board = make_board(make_mixer())
    assert list(board) == list(board.parameters)
    assert len(board) == len(board.parameters)
    assert VOCALS in board
    assert "/stem/vocal/gain_db" not in board
    assert {address: board[address] for address in board} == board.values


def test_who_wants_to_cue_without_a_bus_for_it_is_told_what_is_missing() -> None:
    mixer = Mixer(Mix({stem: Strip() for stem in STEMS}, {MAIN: Bus((0, 1))}), 2)
    board = Board(mix_controls(mixer, STEMS))
    vocals = stems_of(board)["vocals"]
    words = (
        r"it needs a bus called cue, as `mixer: \{buses: \{cue: \{channels: \[3, 4\]\}\}\}` in the settings"
    )
    with pytest.raises(AttributeError, match=f"/stem/vocals has no 'cue'; {words}"):
        vocals.cue = True
    with pytest.raises(AttributeError, match=words):
        print(vocals.cue)
    with pytest.raises(UsageError, match=f"no parameter '/stem/vocals/cue'; {words}"):
        board["/stem/vocals/cue"] = True
    has_bus = make_board(make_mixer())
    with pytest.raises(UsageError, match="did you mean /stem/vocals/cue"):
        has_bus["/stem/vocal/cue"] = True
