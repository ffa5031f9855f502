"""A session under hands: what takes time is done beside them, takes begin and end, and Python has it as attributes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from file_session import PATIENCE_S, music, session, wait_for, write_song

import rtsep
from rtsep import podium
from rtsep.errors import UsageError
from rtsep.host import Host
from rtsep.io.files import AudioReader, read_audio
from rtsep.scales import as_names
from rtsep.scenes import SceneStore
from rtsep.settings import LiveSettings
from rtsep.wishes import Wishes

pytestmark = pytest.mark.usefixtures("outside")


@pytest.fixture
def playing(tmp_path: Path) -> LiveSettings:
    song = write_song(tmp_path / "song.wav", music(30.0))
    control = {"scenes": str(tmp_path / "scenes.yaml")}
    return session(song, tmp_path / "out.wav", "midside", "real", control=control)


def test_stems_and_buses_are_attributes_and_addresses(playing: LiveSettings) -> None:
    with Host(playing) as host:
        host.stems["mid"].gain_db = -12
        host.stems["side"].mute = True
        host.buses["main"].gain_db = -3
        assert host.mix.state["mid"].gain_db == -12
        assert host.board["/stem/side/mute"] is True
        assert host.buses["main"].gain_db == -3.0
        host.board["/stem/mid/pan"] = 0.5
        assert host.stems["mid"].pan == 0.5
        assert list(host.stems) == ["mid", "side"]
        assert set(dir(host.stems["mid"])) >= {"gain_db", "mute", "solo", "pan", "invert", "route"}
        with pytest.raises(AttributeError, match=r"/stem/mid has no 'gian_db'; it has gain_db, mute"):
            host.stems["mid"].gian_db = 0
        with pytest.raises(UsageError, match="30 dB is too much"):
            host.stems["mid"].gain_db = 30
        with pytest.raises(KeyError, match="there are mid, side"):
            host.stems["vocals"]
        assert "gain_db=-12.0" in repr(host.stems["mid"])


def test_a_song_and_a_settings_file_are_enough(tmp_path: Path, playing: LiveSettings) -> None:
    (tmp_path / "live.yaml").write_text(
        f"input: {{source: {tmp_path / 'song.wav'}}}\nmodel: {{name: midside}}\n"
        f"mixer: {{stems: {{mid: {{gain_db: -6}}}}}}\noutput: {{clock: real, sink: {tmp_path / 'mix.wav'}}}\n"
    )
    with rtsep.Host(tmp_path / "live.yaml") as host:
        assert host.stems["mid"].gain_db == -6.0
        feed = host.board.feed()
        host.mix.edit("strips", "mid", mute=True)  # the board finds by itself what was not done through it
        wait_for(feed.changed.is_set)
        assert feed.take() == {"/stem/mid/mute": True}


def test_takes_begin_and_end_while_it_plays(
    tmp_path: Path, playing: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Host(playing) as host:
        wait_for(lambda: host.status().position_s > 1.0)
        assert not host.is_recording
        for _ in range(2):
            host.board["/record"] = True
            wait_for(lambda: host.is_recording)
            time.sleep(0.4)
            host.board["/record"] = False
            wait_for(lambda: not host.is_recording)
    for folder in (tmp_path / "takes", tmp_path / "takes" / "take-2"):
        mixture, _ = read_audio(folder / "mixture.wav")
        stems = [read_audio(folder / f"{stem}.wav")[0] for stem in ("mid", "side")]
        mix, _ = read_audio(folder / "mix.wav")
        assert mixture.shape[1] > 4000
        assert mixture.any()
        np.testing.assert_allclose(np.sum(stems, axis=0), mixture, atol=2**-21)
        np.testing.assert_allclose(mix, mixture, atol=2**-21)


def test_a_take_goes_on_behind_a_change_of_the_model_only_if_one_is_written(
    tmp_path: Path, playing: LiveSettings
) -> None:
    settings = playing.with_overrides({"output": {"record": str(tmp_path / "takes")}})
    with Host(settings) as host:
        assert host.is_recording
        host.board["/record"] = False
        wait_for(lambda: not host.is_recording)
        host.change(settings.with_overrides({"model": {"lookahead_frames": 1}}))
        assert not host.is_recording
        host.board["/record"] = True
        wait_for(lambda: host.is_recording)
        host.change(settings.with_overrides({"model": {"lookahead_frames": 2}}))
        assert host.is_recording


def test_the_latency_changes_beside_the_hand_that_asked_for_it(playing: LiveSettings) -> None:
    free = playing.with_overrides({"model": {"lookahead_frames": None, "synthesis_hops": None}})
    with Host(free) as host:
        feed = host.board.feed()
        host.board["/model/latency"] = "low"
        assert host.message.endswith("...")
        wait_for(lambda: "midside plays" in host.message)
        assert host.settings.model.latency == "low"
        wait_for(lambda: feed.take().get("/model/latency") == "low")


def test_what_is_asked_for_before_the_start_is_done_after_it(
    tmp_path: Path, playing: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Surfaces are there before the sound is."""
    monkeypatch.chdir(tmp_path)  # where takes go
    host = Host(playing)
    for address, value in {"/transport/position_s": 10.0, "/model/latency": "low", "/record": True}.items():
        host.board[address] = value
    time.sleep(0.1)
    assert not host.is_recording
    host.start()
    wait_for(lambda: host.transport is not None and host.transport.position_s >= 10.0)
    wait_for(lambda: host.board["/model/latency"] == "low")
    wait_for(lambda: host.is_recording)
    host.stop()


def test_what_is_no_choice_cannot_be_opened_from_a_surface(tmp_path: Path, playing: LiveSettings) -> None:
    with Host(playing) as host:
        for address in ("/input/source", "/model/name"):
            with pytest.raises(UsageError, match=f"{address}: there is no '/etc/passwd'"):
                host.board[address] = "/etc/passwd"
        assert host.board["/model/name"] == "midside"


class SlowDisk:
    """A disk that hangs until it is let go on, for what is done beside: a jump has to read, a scene to be written."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_reached, self.goes_on = threading.Event(), threading.Event()
        fsync, seek = os.fsync, AudioReader.seek

        def slow_fsync(file: int) -> None:
            self.hang()
            fsync(file)

        def slow_seek(reader: AudioReader, position: int) -> None:
            self.hang()
            seek(reader, position)

        patch.setattr(os, "fsync", slow_fsync)
        patch.setattr(AudioReader, "seek", slow_seek)

    def hang(self) -> None:
        if threading.current_thread().name == "rtsep-wishes":
            self.is_reached.set()
            assert self.goes_on.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("address", "value"),
    [("/transport/seek_s", 5.0), ("/transport/position_s", 5.0), ("/scene/save", "mine")],
)
def test_no_other_hand_waits_for_a_disk(
    playing: LiveSettings, monkeypatch: pytest.MonkeyPatch, address: str, value: object
) -> None:
    with Host(playing) as host:
        disk = SlowDisk(monkeypatch)
        feed = host.board.feed("hand")
        host.board[address] = value
        assert disk.is_reached.wait(PATIENCE_S)
        with host.board.together():
            host.board.set("/stem/mid/mute", True, "hand")
        host.board["/separation"] = 0.5
        host.board["/transport/play"] = False
        assert host.board["/transport/play"] is False  # as it was asked for, though it is not so yet
        assert {"/separation": 0.5, "/transport/play": False}.items() <= feed.take().items()
        assert not disk.goes_on.is_set()
        disk.goes_on.set()
        assert host.transport is not None
        wait_for(lambda: host.transport.paused)
        wait_for(lambda: address == "/scene/save" or host.transport.position_s >= 5.0)
        wait_for(lambda: "writing" not in host.message)
        assert "/transport/play" not in feed.take()


def test_presses_of_a_disk_that_hangs_add_up(playing: LiveSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    with Host(playing) as host:
        assert host.transport is not None
        disk = SlowDisk(monkeypatch)
        host.board["/transport/position_s"] = 2.0
        assert disk.is_reached.wait(PATIENCE_S)
        host.board["/transport/play"] = False
        host.board["/transport/seek_s"] = 7.0
        host.board["/transport/position_s"] = 10.0  # wherever that would have been
        for _ in range(3):
            host.board["/transport/seek_s"] = 1.0
        disk.goes_on.set()
        wait_for(lambda: host.transport.position_s == pytest.approx(13.0, abs=0.01))


def test_everybody_is_told_of_a_scene_that_cannot_be_written(tmp_path: Path, playing: LiveSettings) -> None:
    (tmp_path / "file").touch()
    scenes = {"control": {"scenes": str(tmp_path / "file" / "scenes.yaml")}}
    with Host(playing.with_overrides(scenes)) as host:
        feeds = {name: host.board.feed(name) for name in ("hand", "other")}
        host.board.set("/scene/save", "mine", "hand")
        wait_for(lambda: "cannot be written" in host.message)
        host.board.refresh()
        told = {name: feed.take() for name, feed in feeds.items()}
        assert told["hand"]["/message"] == told["other"]["/message"] == host.message
        assert host.message.startswith("the scene mine is kept, but only until this session ends")
        assert "mine" in as_names(told["other"]["/scene/names"])
        host.board["/scene/recall"] = "mine"
    assert [line for line in host.summary() if "could not be written to" in line]


def test_a_scene_that_is_being_written_when_the_session_ends_is_kept(
    playing: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    host = Host(playing)
    with host:
        host.board["/scene/save"] = "first"
        assert disk.is_reached.wait(PATIENCE_S)
        host.board["/scene/save"] = "second"
        threading.Timer(0.2, disk.goes_on.set).start()
    assert playing.control.scenes is not None
    assert SceneStore(playing.control.scenes).names(())[-2:] == ("first", "second")
    assert not [line for line in host.summary() if "Scenes" in line]


def test_what_could_not_be_written_is_tried_again_at_the_end(tmp_path: Path, playing: LiveSettings) -> None:
    (tmp_path / "folder").touch()
    path = tmp_path / "folder" / "scenes.yaml"
    host = Host(playing.with_overrides({"control": {"scenes": str(path)}}))
    with host:
        host.board["/scene/save"] = "mine"
        wait_for(lambda: "cannot be written" in host.message)
        (tmp_path / "folder").unlink()
    assert "mine" in path.read_text()
    assert not [line for line in host.summary() if "Scenes" in line]


def test_a_session_does_not_wait_for_ever_for_a_disk_and_says_what_it_could_not_keep(
    playing: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podium, "WRITE_S", 0.1)
    disk = SlowDisk(monkeypatch)
    host = Host(playing)
    with host:
        host.board["/scene/save"] = "lost"
        assert disk.is_reached.wait(PATIENCE_S)
    assert [line for line in host.summary() if "could not be written to" in line and "lost" in line]
    disk.goes_on.set()


def test_a_session_that_ends_in_the_middle_of_a_jump_waits_for_it(
    playing: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Host(playing) as host:
        disk = SlowDisk(monkeypatch)
        host.board["/transport/seek_s"] = 5.0
        assert disk.is_reached.wait(PATIENCE_S)
        threading.Timer(0.2, disk.goes_on.set).start()
    assert "error" not in host.message
    assert host.transport is not None
    host.transport.seek(1.0)  # nobody is there any more


def test_what_a_tape_machine_cannot_do_is_said_at_once(playing: LiveSettings) -> None:
    with Host(playing) as host:
        host.board["/transport/position_s"] = 10.0
        wait_for(lambda: host.transport is not None and host.transport.position_s >= 10.0)
        host.board["/transport/loop_start"] = True
        with pytest.raises(UsageError, match=r"the end must lie 0.1 s behind the start"):
            host.board["/transport/loop_end"] = True


def test_a_wish_that_fails_says_why_and_the_next_one_is_done() -> None:
    wishes, done = Wishes(), []

    def fail() -> str:
        raise UsageError("there is none")

    def break_down() -> str:
        raise ZeroDivisionError("nobody thought of that")

    wishes.ask("a", "...", fail)
    wait_for(lambda: wishes.message == "nothing changed: there is none")
    wishes.ask("b", "...", break_down)
    wait_for(lambda: "an error in rtsep, which should be reported: ZeroDivisionError" in wishes.message)
    wishes.ask("c", "...", lambda: done.append(1) or "done")  # type: ignore[func-returns-value]
    wait_for(lambda: wishes.message == "done")
    wishes.close()
    wishes.join()
    with pytest.raises(UsageError, match="the session is over"):
        wishes.ask("d", "...", lambda: done.append(2) or "done")  # type: ignore[func-returns-value]
    assert done == [1]


def test_of_two_wishes_for_the_same_the_later_one_counts() -> None:
    wishes, done = Wishes(), []

    def slow() -> str:
        time.sleep(0.2)
        return "slow"

    wishes.ask("other", "...", slow)
    for number in range(5):
        wishes.ask("model", "...", lambda number=number: done.append(number) or str(number))  # type: ignore[misc]
    wait_for(lambda: wishes.message == "4")
    assert done == [4]
