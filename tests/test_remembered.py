"""The mix of a settings file, from one session to the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_host import music, outside, session, write_song  # noqa: F401

from rtsep.host import Host
from rtsep.remembered import Memory
from rtsep.resume import Session
from rtsep.settings import LiveSettings


@pytest.fixture
def written(tmp_path: Path) -> LiveSettings:
    song = write_song(tmp_path / "song.wav", music(20.0))
    mixer = {"stems": {"mid": {"gain_db": -3.0}}, "groups": {"both": {"stems": ["mid", "side"]}}}
    return session(song, tmp_path / "out.wav", "midside", "real", mixer=mixer)


@pytest.fixture
def memory(tmp_path: Path, written: LiveSettings) -> Memory:
    return Memory(tmp_path / "live.yaml", written)


def play_once(
    settings: LiveSettings, written: LiveSettings, memory: Memory, moves: dict[str, object]
) -> Host:
    """A session in which a hand moves something."""
    host = Host(settings)
    host.take_over(Session.begin(settings, written=written).standing)
    with host:
        for address, value in moves.items():
            host.board[address] = value
        memory.keep(host.now())
    return host


def test_what_a_hand_has_moved_stands_there_the_next_time(written: LiveSettings, memory: Memory) -> None:
    assert memory.recall() is written
    moves = {
        "/stem/side/gain_db": float("-inf"),
        "/stem/mid/pan": -0.5,
        "/group/both/gain_db": -6.0,
        "/separation": 0.75,
        "/bus/main/gain_db": -1.0,
    }
    play_once(written, written, memory, moves)
    host = play_once(memory.recall(), written, memory, {})
    assert {address: host.board[address] for address in moves} == moves
    assert host.board["/stem/mid/gain_db"] == -3.0
    memory.forget()
    assert memory.recall() is written


def test_what_is_written_otherwise_than_the_last_time_wins(
    tmp_path: Path, written: LiveSettings, memory: Memory
) -> None:
    play_once(written, written, memory, {"/stem/mid/gain_db": -20.0, "/stem/side/mute": True})
    edited = written.with_overrides({"mixer": {"stems": {"mid": {"gain_db": -9.0}}}})
    strips = Memory(tmp_path / "live.yaml", edited).recall().mixer.stems
    assert (strips["mid"].gain_db, strips["side"].mute) == (-9.0, True)
    back = memory.recall()
    assert back.mixer.stems["mid"].gain_db == -20.0


def test_a_latency_that_a_hand_has_chosen_does_not_make_it_forget_the_mix(
    written: LiveSettings, memory: Memory
) -> None:
    host = Host(written)
    with host:
        host.board["/stem/side/mute"] = True
        host.change(written.with_overrides({"model": {"lookahead_frames": 1}}))
        memory.keep(host.now())
    assert memory.recall().mixer.stems["side"].mute


def test_a_mix_that_nobody_moved_is_what_is_written(written: LiveSettings, memory: Memory) -> None:
    play_once(written, written, memory, {})
    assert memory.recall() is written


def test_another_model_and_a_broken_file_begin_with_what_is_written(
    tmp_path: Path, written: LiveSettings, memory: Memory
) -> None:
    play_once(written, written, memory, {"/stem/side/mute": True})
    other = written.with_overrides({"model": {"name": "demo-2stems"}})
    assert Memory(tmp_path / "live.yaml", other).recall() is other
    memory.path.write_text("{")
    assert memory.recall() is written


def test_two_files_of_one_name_have_memories_of_their_own(
    tmp_path: Path, written: LiveSettings, memory: Memory
) -> None:
    play_once(written, written, memory, {"/stem/side/mute": True})
    (tmp_path / "other").mkdir()
    assert Memory(tmp_path / "other" / "live.yaml", written).recall() is written
    assert Memory(tmp_path / "other" / ".." / "live.yaml", written).recall() is not written
