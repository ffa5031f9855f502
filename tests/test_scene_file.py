"""The file of scenes: what hands write there is read, and a slip of theirs costs nothing but the scene it is in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_board import ADDRESSES, STEMS
from test_scenes import Stage

from rtsep.errors import UsageError
from rtsep.parameters import TABLE
from rtsep.scene_file import as_scene, as_tree, read_scenes
from rtsep.scenes import SceneStore

GOOD = "  good: {stem: {vocals: {gain_db: -3}}}\n"

#: How a scene is written that is none, and what is said.
SLIPS = {
    "{stem: {vocals: {gian_db: 0}}}": "no parameter like '/stem/vocals/gian_db'; did you mean",
    "{crossfade: 7}": "/crossfade: 7 is out of range; allowed is -1 to 1",
    "{stem: {vocals: {mute: [true]}}}": "/stem/vocals/mute: [True] is no state of a switch",
    "karaoke": "'karaoke' is no group of keys; a scene looks like `scenes: {karaoke:",
    "[1, 2]": "[1, 2] is no group of keys",
}


@given(values=st.dictionaries(st.sampled_from(ADDRESSES), st.booleans()))
def test_a_tree_is_the_same_as_its_addresses(values: dict[str, bool]) -> None:
    assert as_scene(as_tree(values)) == values


@pytest.mark.parametrize("slip", SLIPS)
def test_a_scene_that_is_none_is_told_and_left_out_and_stays_in_the_file(tmp_path: Path, slip: str) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text(f"scenes:\n  slip: {slip}\n{GOOD}")
    stage = Stage(path)
    assert stage.store.complaint.startswith(f"{path}: the scene 'slip' is left out: ")
    assert SLIPS[slip] in stage.store.complaint
    assert stage.scenes.names[-1] == "good"
    assert "slip" not in stage.scenes.names
    slipped = read_scenes(path).tree["scenes"]["slip"]
    stage.board["/scene/save"] = "mine"
    assert stage.written() == "the scene mine is kept"  # what is wrong was told before
    again = read_scenes(path)
    assert list(again.scenes) == ["good", "mine"]
    assert again.tree["scenes"]["slip"] == slipped


def test_a_slip_while_it_plays_is_told_with_the_next_scene_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    stage = Stage(path)
    stage.board["/scene/save"] = "first"
    assert stage.written() == "the scene first is kept"
    path.write_text(path.read_text() + f"  bad: {{stem: {{x: {{foo: 1}}}}}}\n{GOOD}")
    stage.board["/scene/save"] = "second"
    assert stage.written().startswith(
        f"the scene second is kept. {path}: the scene 'bad' is left out: there is no parameter like '/stem/x/foo'"
    )
    assert stage.scenes.names[-3:] == ("first", "good", "second")
    assert list(read_scenes(path).tree["scenes"]) == ["first", "bad", "good", "second"]
    stage.board["/scene/save"] = "bad"  # in place of the slip
    assert stage.written() == "the scene bad is kept"
    assert read_scenes(path).faults == ()


def test_a_scene_moves_nothing_but_the_mix(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    others = [row for row in TABLE if row.in_scenes == "never"]
    assert {"/scene/recall", "/bypass", "/record", "/message"} <= {row.address for row in others}
    for row in others:
        address = row.address.format(stem="vocals", direct="microphone")
        path.write_text("")
        file = read_scenes(path).changed({"a": {address: row.default or True}, "b": {}})
        assert list(file.scenes) == ["b"]
        assert f"the scene 'a' is left out: {address} is no part of the mix" in file.faults[0]


def test_a_scene_does_not_recall_itself_nor_bypass(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text("scenes: {a: {scene: {recall: a}}, b: {bypass: true}}")
    stage = Stage(path)
    for name in ("a", "b"):
        with pytest.raises(UsageError, match=f"there is no scene '{name}'"):
            stage.board["/scene/recall"] = name
    assert stage.board["/bypass"] is False


@pytest.mark.parametrize("name", ["1", "off", "on", "1.5", "null", "~", "2026-11-27", "-"])
def test_a_name_that_yaml_takes_for_something_else_is_a_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text(f"scenes:\n  {name}: {{stem: {{vocals: {{mute: on}}}}}}\n")
    stage = Stage(path)
    assert stage.store.complaint == ""
    stage.board["/scene/recall"] = name
    assert stage.board["/stem/vocals/mute"] is True
    stage.board["/scene/save"] = "other"
    assert stage.written() == "the scene other is kept"
    assert SceneStore(path).names(STEMS)[-2:] == (name, "other")


@pytest.mark.parametrize(
    ("written", "route"),
    [("3-4", "3-4"), ("[3, 4]", "3-4"), ("3", "3"), ("[5]", "5"), ("main", "main"), ("null", "1-2")],
)
def test_a_route_is_written_as_in_settings_too(tmp_path: Path, written: str, route: str) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text(f"scenes: {{a: {{stem: {{bass: {{route: {written}}}}}}}}}")
    stage = Stage(path)
    stage.board["/stem/bass/route"] = "1-2"
    stage.board["/scene/recall"] = "a"
    assert stage.board["/stem/bass/route"] == route


def test_an_empty_scene_has_everything_at_its_default(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text("scenes:\n  a:\n  b:\n    stem:\n      # vocals: {mute: true}\n")
    stage = Stage(path)
    for name in ("a", "b"):
        stage.board["/stem/vocals/mute"] = True
        stage.board["/scene/recall"] = name
        assert stage.board["/stem/vocals/mute"] is False


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not YAML"),
        ("scenes: {a: {}, a: {}}", "the key 'a' stands there twice"),
        ("scenes: [karaoke]", "is no file of scenes, which looks like `scenes: "),
        ("karaoke", "is no file of scenes"),
        ("\xff", "is not YAML"),
    ],
)
def test_what_is_no_file_of_scenes_is_told_and_put_beside(tmp_path: Path, text: str, complaint: str) -> None:
    path, beside = tmp_path / "scenes.yaml", tmp_path / "scenes.yaml.before"
    for name in (beside, tmp_path / "scenes.yaml.before-2"):
        path.write_text(text, encoding="latin-1")
        stage = Stage(path)
        assert stage.store.complaint.startswith("no scenes of your own are there: ")
        assert complaint in stage.store.complaint
        stage.board["/scene/save"] = "mine"
        told = stage.written()
        assert told.startswith("the scene mine is kept. ")
        assert told.endswith(f"What stood there is in {name} now.")
        assert name.read_text(encoding="latin-1") == text
        assert list(read_scenes(path).scenes) == ["mine"]


def test_a_file_that_breaks_while_it_plays_costs_no_scene(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text(f"scenes:\n{GOOD}")
    stage = Stage(path)
    path.write_text("scenes: [broken")
    stage.board["/scene/save"] = "mine"
    assert "is not YAML" in stage.written()
    assert (tmp_path / "scenes.yaml.before").read_text() == "scenes: [broken"
    assert SceneStore(path).names(STEMS)[-2:] == ("good", "mine")


def test_a_folder_in_place_of_the_file_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    path.mkdir()
    stage = Stage(path)
    assert f"no scenes of your own are there: {path}: " in stage.store.complaint
    stage.board["/scene/save"] = "mine"
    assert "the scene mine is kept, but only until this session ends: " in stage.written()
    assert [found.name for found in tmp_path.iterdir()] == ["scenes.yaml"]
    path.rmdir()
    stage.board["/scene/save"] = "ours"  # what could not be kept is tried again
    assert stage.written() == "the scene ours is kept"
    assert SceneStore(path).names(STEMS)[-2:] == ("mine", "ours")


def test_a_key_beside_the_scenes_costs_none(tmp_path: Path) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text(f"fade: 3\nscenes:\n{GOOD}")
    stage = Stage(path)
    assert stage.store.complaint == f"{path}: 'fade' means nothing; scenes stand under 'scenes'"
    stage.board["/scene/save"] = "mine"
    assert stage.written() == "the scene mine is kept"
    assert read_scenes(path).tree["fade"] == 3
    assert list(read_scenes(path).scenes) == ["good", "mine"]
