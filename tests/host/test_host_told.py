"""What a session tells: while it plays, and in its account."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from file_session import RATE_HZ, STEP_24_BIT, music, play, session, write_song

from rtsep.account import tell
from rtsep.host import Host
from rtsep.io.files import read_audio
from rtsep.io.microphone import DEAF


def test_what_is_limited_is_told(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.3))
    mix = {"stems": {"mid": {"gain_db": 24.0}}, "limiter": {"ceiling_dbfs": -1.0, "lookahead_ms": 2.0}}
    host = Host(session(song, tmp_path / "out.wav", "midside", mixer=mix))
    with host:
        assert host.wait(60)
    assert "The limiter held the main bus down at " in "\n".join(host.summary())
    assert host.latency.parts["limiter"] == 88
    out, _ = read_audio(tmp_path / "out.wav")
    assert out.shape == (2, 13230)
    assert np.abs(out).max() == pytest.approx(10 ** (-1 / 20), abs=STEP_24_BIT)


def test_what_is_clipped_is_told(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.3))
    mix = {"stems": {"mid": {"gain_db": 24.0}, "side": {"gain_db": 24.0}}, "limiter": None}
    host = Host(session(song, tmp_path / "out.wav", "midside", mixer=mix, output={"record": "takes"}))
    with host:
        assert host.wait(60)
    counts = host.stats()["n_clipped_samples"]
    assert {path for path, n in counts.items() if n} == {str(tmp_path / "out.wav"), "takes/mix.wav"}
    told = "\n".join(host.summary())
    assert (
        f"takes/mix.wav: {counts['takes/mix.wav']} values exceeded full scale and were clipped. Turn" in told
    )
    assert "Written in takes: mixture.wav, mid.wav, side.wav, mix.wav." in told
    assert "silen" not in told


def test_what_is_lacking_is_told(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.3))
    account = play(session(song, tmp_path / "out.wav", "midside"))
    lacking = {"n_skips": 2, "n_skipped_samples": 66150, "n_starved_samples": 4410, "load_p50": 1.5}
    told = tell({**account, **lacking, "n_recording_lost_samples": 22050})
    assert "The engine fell behind 2 times and left out 1.50 s of stems." in told
    assert any("read too late for 0.10 s, which are silent" in line for line in told)
    assert any("The files have 0.50 s of silence" in line for line in told)
    assert not any("too slow" in line for line in told), "without a clock nothing is"
    assert any("too slow" in line for line in tell({**account, **lacking, "clock": "real"}))
    assert len(tell(account)) == 3


def test_a_session_tells_what_it_does(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.5))
    host = Host(session(song, tmp_path / "out.wav", "midside"))
    with host:
        host.stems["mid"].gain_db = -12
        host.wait(60)
    status = host.status()
    assert tuple(host.stems) == ("mid", "side")
    assert set(status.peak_dbfs) == {"mid", "side"}
    assert status.position_s > 0.5
    assert host.transport is not None
    assert host.transport.position_s == pytest.approx(0.5)
    assert "late blocks 0" in "\n".join(host.summary())
    assert "Nothing was heard" not in "\n".join(host.summary())
    json.dumps(host.stats())


@pytest.mark.parametrize(("amplitude", "is_told"), [(0.0, True), (0.1, False)])
def test_a_card_that_may_not_be_heard_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, amplitude: float, is_told: bool
) -> None:
    """The song stands for the card."""
    monkeypatch.setattr("rtsep.io.microphone.DEAF_SYSTEM", sys.platform)
    song = write_song(tmp_path / "song.wav", np.full((2, 4 * RATE_HZ), amplitude, np.float32))
    with Host(session(song, tmp_path / "out.wav", "midside")) as host:
        assert host.wait(60)
        assert host.news() == []  # a file needs no permission
        host._run.has_listened = False
        assert host.news() == ([DEAF] if is_told else [])
        assert host.news() == []


def test_the_account_says_what_the_engine_was_granted(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.5))
    assert play(session(song, tmp_path / "free.wav", "midside"))["priority"] == {}  # no thread, no priority
    assert play(session(song, tmp_path / "real.wav", "midside", "real"))["priority"]["engine"]
