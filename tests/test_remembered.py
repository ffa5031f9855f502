"""The mix of a settings file, from one session to the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_session import music, session, wait_for, write_song

from rtsep.host import Host
from rtsep.remembered import Memory, Remembered, memory_of
from rtsep.resume import Standing
from rtsep.settings import LiveSettings

pytestmark = pytest.mark.usefixtures("outside")


@pytest.fixture
def written(tmp_path: Path) -> LiveSettings:
    song = write_song(tmp_path / "song.wav", music(20.0))
    control = {"scenes": str(tmp_path / "scenes.yaml")}
    mixer = {"stems": {"mid": {"gain_db": -3.0}}, "groups": {"both": {"stems": ["mid", "side"]}}}
    return session(song, tmp_path / "out.wav", "midside", "real", mixer=mixer, control=control)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return memory_of(tmp_path / "live.yaml")


def left(asked: LiveSettings, standing: Standing) -> Remembered:
    return Remembered(asked=asked, standing=standing, folder=Path(), config=None, options={})


def play_once(memory: Memory, asked: LiveSettings, moves: dict[str, object]) -> Host:
    """A session in which a hand moves something."""
    standing = memory.recall(asked)
    host = Host(standing.settings)
    host.take_over(standing)
    with host:
        for address, value in moves.items():
            host.board[address] = value
        wait_for(lambda: not host.message.endswith("..."))
        memory.keep(left(asked, host.now()))
    return host


def recalled(memory: Memory, asked: LiveSettings) -> LiveSettings:
    return memory.recall(asked).settings


def test_what_a_hand_has_moved_stands_there_the_next_time(written: LiveSettings, memory: Memory) -> None:
    assert recalled(memory, written) is written
    moves = {
        "/scene/recall": "everything",
        "/scene/fade_s": 2.5,
        "/stem/side/gain_db": float("-inf"),
        "/stem/mid/pan": -0.5,
        "/group/both/gain_db": -6.0,
        "/separation": 0.75,
        "/bus/main/gain_db": -1.0,
    }
    play_once(memory, written, moves)
    for _ in range(2):
        host = play_once(memory, written, {})
        assert host.board["/scene/current"] == moves["/scene/recall"]
        assert {a: host.board[a] for a in moves if a != "/scene/recall"}.items() <= moves.items()
    memory.forget()
    assert recalled(memory, written) is written


def test_no_session_begins_bypassed_nor_with_a_scene_that_is_gone(
    written: LiveSettings, memory: Memory
) -> None:
    play_once(memory, written, {"/scene/save": "mine", "/bypass": True})
    host = play_once(memory, written, {})
    assert host.board["/bypass"] is False
    assert host.board["/scene/current"] == "mine"
    play_once(memory, written, {"/scene/save": "theirs"})
    assert written.control.scenes is not None
    written.control.scenes.unlink()
    assert play_once(memory, written, {}).board["/scene/current"] == ""


def test_what_a_hand_has_chosen_while_it_played_is_chosen_the_next_time(
    written: LiveSettings, memory: Memory
) -> None:
    free = written.with_overrides({"model": {"lookahead_frames": None, "synthesis_hops": None}})
    play_once(memory, free, {"/model/latency": "low", "/stem/side/mute": True, "/scene/fade_s": 2.0})
    for _ in range(2):  # also after a session in which nobody chose anything
        host = play_once(memory, free, {})
        assert host.board["/model/latency"] == host.settings.model.latency == "low"
        assert host.board["/stem/side/mute"] is True
    edited = free.with_overrides({"model": {"latency": "quality"}, "control": {"scene_fade_s": 1.0}})
    standing = memory.recall(edited)
    assert (standing.settings.model.latency, standing.written.model.latency) == ("quality", "quality")
    assert standing.settings.control.scene_fade_s == 1.0
    assert standing.settings.mixer.stems["side"].mute


@pytest.mark.parametrize("key", [("input", "source"), ("model", "name"), ("model", "latency")])
def test_each_key_that_is_written_anew_goes_before_what_a_hand_chose(key: tuple[str, str]) -> None:
    asked = LiveSettings()
    chosen = {"input": {"source": "device:mine"}, "model": {"name": "mine", "latency": "low"}}
    by_hand = asked.with_overrides(chosen)
    known, (group, field) = left(asked, Standing(settings=by_hand, written=by_hand)), key
    assert known.over(asked).written == by_hand
    anew = {"input": {"source": "device:new"}, "model": {"name": "new", "latency": "quality"}}[group][field]
    now = known.over(asked.with_overrides({group: {field: anew}}))
    assert now.written == now.settings == by_hand.with_overrides({group: {field: anew}})


def test_what_is_written_otherwise_than_the_last_time_wins(
    tmp_path: Path, written: LiveSettings, memory: Memory
) -> None:
    play_once(memory, written, {"/stem/mid/gain_db": -20.0, "/stem/side/mute": True})
    edited = written.with_overrides({"mixer": {"stems": {"mid": {"gain_db": -9.0}}}})
    strips = recalled(memory, edited).mixer.stems
    assert (strips["mid"].gain_db, strips["side"].mute) == (-9.0, True)
    back = recalled(memory, written)
    assert back.mixer.stems["mid"].gain_db == -20.0


def test_a_latency_that_a_hand_has_chosen_does_not_make_it_forget_the_mix(
    written: LiveSettings, memory: Memory
) -> None:
    host = Host(written)
    with host:
        host.board["/stem/side/mute"] = True
        host.change(written.with_overrides({"model": {"lookahead_frames": 1}}))
        memory.keep(left(written, host.now()))
    assert recalled(memory, written).mixer.stems["side"].mute


def test_a_mix_that_nobody_moved_is_what_is_written(written: LiveSettings, memory: Memory) -> None:
    play_once(memory, written, {})
    assert recalled(memory, written) is written


def test_another_model_and_a_broken_file_begin_with_what_is_written(
    tmp_path: Path, written: LiveSettings, memory: Memory
) -> None:
    play_once(memory, written, {"/stem/side/mute": True})
    other = written.with_overrides({"model": {"name": "demo-2stems"}})
    assert recalled(memory, other) is other
    assert memory.recall(other).scene == ""  # its mix is not there
    memory.path.write_text("{")
    told = list[str]()
    assert memory.recall(written, told.append).settings is written
    assert "live.yaml" in told[0] or memory.path.name in told[0]
    assert memory.path.with_name(f"{memory.path.name}.before").read_text() == "{"
    assert recalled(memory, written) is written


def test_two_files_of_one_name_have_memories_of_their_own(
    tmp_path: Path, written: LiveSettings, memory: Memory
) -> None:
    play_once(memory, written, {"/stem/side/mute": True})
    (tmp_path / "other").mkdir()
    assert recalled(memory_of(tmp_path / "other" / "live.yaml"), written) is written
    assert recalled(memory_of(tmp_path / "other" / ".." / "live.yaml"), written) is not written
