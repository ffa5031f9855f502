"""A session under hands: what takes time is done beside them, takes begin and end, and Python has it as attributes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_host import music, outside, session, write_song  # noqa: F401

import rtsep
from rtsep.errors import UsageError
from rtsep.host import Host
from rtsep.io.files import read_audio
from rtsep.settings import LiveSettings
from rtsep.wishes import Wishes

PATIENCE_S = 20.0


def wait_for(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.005)


@pytest.fixture
def playing(tmp_path: Path) -> LiveSettings:
    song = write_song(tmp_path / "song.wav", music(30.0))
    return session(song, tmp_path / "out.wav", "midside", "real")


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
        host.mix.set_mute("mid", True)  # the board finds by itself what was not done through it
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


def test_what_is_no_choice_cannot_be_opened_from_a_surface(tmp_path: Path, playing: LiveSettings) -> None:
    with Host(playing) as host:
        for address in ("/input/source", "/model/name"):
            with pytest.raises(UsageError, match=f"{address}: there is no '/etc/passwd'"):
                host.board[address] = "/etc/passwd"
        assert host.board["/model/name"] == "midside"


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
    wishes.ask("d", "...", lambda: done.append(2) or "done")  # type: ignore[func-returns-value]
    time.sleep(0.05)
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
