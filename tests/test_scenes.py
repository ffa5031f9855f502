"""Scenes: saved for people to read, recalled whole and with a fade, and undone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_board import ADDRESSES, STEMS, make_board, make_mixer

from rtsep.board import Board
from rtsep.errors import UsageError
from rtsep.knobs import mix_controls, scene_controls
from rtsep.mixer import Coefficients, Mixer
from rtsep.scenes import Scenes, SceneStore, built_in
from rtsep.wishes import Wishes


class Stage:
    """A mixer under a board with scenes."""

    def __init__(self, path: Path | None = None, fade_s: float = 0.0) -> None:
        self.mixer: Mixer = make_mixer()
        self.board: Board = make_board(self.mixer)
        self.played: Coefficients = self.mixer.open(STEMS)
        self.said: list[str] = []
        self.wishes, self.store = Wishes(self.said.append), SceneStore(path)
        self.scenes = Scenes(self.board, self.mixer, self.store, lambda: STEMS, self.wishes.ask, fade_s)
        self.board.replace([*mix_controls(self.mixer, STEMS), *scene_controls(self.scenes)])

    def written(self) -> str:
        """What became of what was saved last, when that is known."""
        self.wishes.join(20)
        return self.said[-1] if self.said else ""

    def gains(self) -> list[float]:
        """Of the stems, to the left."""
        return [pytest.approx(gain, abs=1e-6) for gain in self.played.newest[0:8:2, 0].tolist()]


def test_the_scenes_that_are_always_there() -> None:
    stage = Stage()
    assert stage.scenes.names == (
        "everything",
        "karaoke",
        "acapella",
        "drumless",
        "drums only",
        "bassless",
    )
    stage.board["/scene/recall"] = "karaoke"
    assert stage.gains() == [0, 1, 1, 1]
    stage.board["/scene/recall"] = "drums only"  # nothing of the last one is left
    assert stage.gains() == [0, 1, 0, 0]
    stage.board["/scene/recall"] = "everything"
    assert stage.gains() == [1, 1, 1, 1]
    assert "karaoke" not in built_in(("drums", "rest"))


def test_scenes_that_come_with_rtsep_leave_routes_buses_and_direct_inputs_alone() -> None:
    stage = Stage()
    left = {
        "/bus/main/gain_db": -20.0,
        "/stem/bass/route": "3-4",
        "/direct/microphone/mute": True,
        "/direct/microphone/send/aux": -6.0,
    }
    for address, value in left.items():
        stage.board[address] = value
    for name in stage.scenes.names:
        stage.board["/scene/recall"] = name
        assert {address: stage.board[address] for address in left} == left


MOVES = st.dictionaries(st.sampled_from(ADDRESSES), st.floats(0, 1), max_size=12)


@settings(max_examples=30, deadline=None)
@given(moves=MOVES, later=MOVES)
def test_what_was_saved_comes_back_from_the_file_wherever_the_mix_stands_then(
    tmp_path_factory: pytest.TempPathFactory, moves: dict[str, float], later: dict[str, float]
) -> None:
    path = tmp_path_factory.mktemp("scenes") / "deep" / "scenes.yaml"
    stage = Stage(path)
    for address, position in moves.items():
        stage.board.move(address, position)
    of_scenes = {a for a, found in stage.board.parameters.items() if found.in_scenes != "never"}
    wanted = {address: stage.board[address] for address in of_scenes}
    stage.board["/scene/save"] = "mine"
    assert stage.written() == "the scene mine is kept"
    again = Stage(path)
    for address, position in later.items():
        again.board.move(address, position)
    again.board["/scene/recall"] = "mine"
    assert {address: again.board[address] for address in of_scenes} == wanted


def test_the_file_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text("scenes:\n  by hand:\n    stem:\n      drums: {gain_db: -inf, solo: true}\n")
    stage = Stage(path)
    stage.board["/stem/vocals/mute"] = True
    path.write_text(path.read_text() + "  later: {crossfade: -1}\n")
    stage.board["/scene/save"] = "mine"
    assert stage.written() == "the scene mine is kept"
    assert path.read_text() == (
        "scenes:\n  by hand:\n    stem:\n      drums:\n        gain_db: -inf\n        solo: true\n"
        "  later:\n    crossfade: -1\n  mine:\n    stem:\n      vocals:\n        mute: true\n        route: main\n"
        "      drums:\n        route: main\n      bass:\n        route: main\n      other:\n        route: main\n"
        "    direct:\n      microphone:\n        gain_db: 0.0\n        mute: false\n        pan: 0.0\n"
        "        invert: false\n        send:\n          cue: -.inf\n          aux: -.inf\n"
        "    bus:\n      main:\n        gain_db: 0.0\n      cue:\n        gain_db: 0.0\n"
        "      aux:\n        gain_db: 0.0\n"
    )
    assert stage.scenes.names[-3:] == ("by hand", "later", "mine")
    stage.board["/scene/delete"] = "mine"
    assert stage.scenes.names[-2:] == ("by hand", "later")
    assert stage.board["/scene/current"] == ""
    assert stage.written() == "the scene mine is deleted"
    assert "mine" not in path.read_text()


def test_a_name_may_have_commas_and_the_names_are_a_list(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "scenes.yaml")
    names = stage.board["/scene/names"]
    assert isinstance(names, tuple)
    stage.board["/scene/save"] = "verse, quiet"
    stage.board["/scene/save"] = "verse"
    assert stage.board["/scene/names"] == (*names, "verse, quiet", "verse")
    stage.board["/scene/recall"] = "verse, quiet"
    assert stage.board["/scene/current"] == "verse, quiet"


def test_a_scene_that_cannot_be_written_is_there_until_the_session_ends(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stage = Stage(tmp_path / "file" / "scenes.yaml")
    stage.board["/stem/vocals/mute"] = True
    stage.board["/scene/save"] = "mine"
    assert "scenes.yaml cannot be written" in stage.written()
    assert stage.store.unwritten == ("mine",)
    stage.board["/scene/recall"] = "everything"
    stage.board["/scene/recall"] = "mine"
    assert stage.board["/stem/vocals/mute"] is True


@pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="this system has no files that make whoever opens them wait"
)
def test_a_disk_that_hangs_holds_nobody_up_and_what_was_saved_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    stage = Stage(path)
    os.mkfifo(path)
    stage.board["/scene/save"] = "first"
    disk = os.open(
        path, os.O_WRONLY
    )  # the file is being read anew, which takes until somebody has written it
    stage.board["/stem/bass/mute"] = True
    stage.board["/scene/save"] = "second"
    stage.board["/scene/delete"] = "first"
    stage.board["/scene/recall"] = "everything"
    stage.board["/scene/recall"] = "second"
    assert stage.gains() == [1, 1, 0, 1]
    assert stage.said[-1] == "writing the scenes ..."
    assert set(stage.store.unwritten) == {"first", "second"}
    os.write(disk, b"scenes: {by hand: {}}")
    os.close(disk)
    text = path.read_text()
    assert "first" in text
    assert "second" not in text  # that was saved later
    path.write_text(text)
    text = path.read_text()
    assert stage.written() == "the scene first is deleted"
    assert "second" in text
    assert "by hand" in text
    assert "first" not in text
    assert stage.store.unwritten == ()


def test_a_scene_of_another_model_sets_what_there_is() -> None:
    stage = Stage()
    stage.scenes._store.save("piano", {"/stem/piano/mute": True, "/stem/bass/mute": True})
    stage.board["/scene/recall"] = "piano"
    assert stage.gains() == [1, 1, 0, 1]


def test_a_scene_that_does_not_fit_sets_nothing() -> None:
    stage = Stage()
    stage.scenes._store.save("far", {"/stem/vocals/mute": True, "/stem/bass/route": "7-8"})
    before = stage.mixer.mix
    with pytest.raises(
        UsageError, match="the scene 'far' does not fit here: /stem/bass/route: there is no '7-8'"
    ):
        stage.board["/scene/recall"] = "far"
    assert stage.mixer.mix == before
    with pytest.raises(UsageError, match="nothing to undo"):
        stage.board["/scene/undo"] = True


def test_names_that_are_none() -> None:
    stage = Stage()
    with pytest.raises(UsageError, match=r"no scene 'karoke'; .*Did you mean 'karaoke'"):
        stage.board["/scene/recall"] = "karoke"
    with pytest.raises(UsageError, match="'karaoke' was not saved"):
        stage.board["/scene/delete"] = "karaoke"
    with pytest.raises(UsageError, match="no scene was recalled"):
        stage.board["/scene/undo"] = True


def test_undo_goes_back_and_undone_again_forth() -> None:
    stage = Stage()
    stage.board["/stem/bass/gain_db"] = -20.0
    stage.board["/scene/recall"] = "acapella"
    assert stage.board["/scene/current"] == "acapella"
    stage.board["/scene/undo"] = True
    assert stage.gains() == [1, 1, 0.1, 1]
    assert stage.board["/scene/current"] == ""
    stage.board["/scene/undo"] = True
    assert stage.gains() == [1, 0, 0, 0]
    assert stage.board["/scene/current"] == "acapella"


def test_a_fade_takes_its_time_and_the_faders_none() -> None:
    stage = Stage(fade_s=0.3)
    seen = []
    stage.board["/scene/recall"] = "acapella"
    assert stage.board["/stem/vocals/solo"] is True
    until_s = time.monotonic() + 10
    while stage.mixer.heard[1:] and time.monotonic() < until_s:
        seen.append(float(stage.played.newest[2, 0]))
        time.sleep(0.002)
    assert stage.gains() == [1, 0, 0, 0]
    assert seen[0] > 0.9
    assert np.all(np.diff(seen) <= 0)
    assert len(set(seen)) > 5


def test_a_second_scene_takes_over_where_the_first_one_is() -> None:
    stage = Stage(fade_s=3600.0)
    stage.board["/scene/recall"] = "acapella"
    stage.mixer.fade_to(0.5)
    stage.board["/scene/recall"] = "karaoke"
    assert stage.gains()[1] == pytest.approx(0.5, abs=0.01)
    stage.board["/scene/fade_s"] = 0.2
    stage.board["/scene/recall"] = "drums only"
    assert stage.gains()[1] == pytest.approx(0.5, abs=0.05)
    stage.board["/scene/recall"] = "karaoke"
    until_s = time.monotonic() + 10
    while stage.mixer.heard[1:] and time.monotonic() < until_s:
        time.sleep(0.01)
    assert stage.gains() == [0, 1, 1, 1]
