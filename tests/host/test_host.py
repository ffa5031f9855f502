"""Whole sessions from file to file: the clocks agree, the latency is true, they begin well or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from file_session import OUTSIDE, RATE_HZ, STEP_24_BIT, music, play, session, write_song

import rtsep
from rtsep.errors import AudioFileError, DeviceError, ModelError, UsageError
from rtsep.host import Host
from rtsep.io.files import read_audio


def n_open_files() -> int:
    """Where the system lets one look."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_without_a_clock_the_output_is_the_stems_mixed_by_hand(tmp_path: Path, model: str) -> None:
    samples = music(1.7)
    song = write_song(tmp_path / "song.wav", samples)
    mix = {"stems": {"vocals": {"gain_db": -6.0}, "rest": {"route": (3, 4)}}}
    account = play(session(song, tmp_path / "out.wav", model, mixer=mix, output={"record": str(tmp_path)}))
    stream = rtsep.load(model, extension="top_band").stream(RATE_HZ, update_hops=4)
    stems = np.concatenate([stream.process(samples), stream.flush()], axis=2)[:, :, stream.latency_samples :]
    main = 10 ** (-6 / 20) * stems[0] + (samples - stems.sum(axis=0))
    out, _ = read_audio(tmp_path / "out.wav")
    assert out.shape == (4, samples.shape[1])
    np.testing.assert_allclose(out, np.concatenate((main, stems[1])), atol=2 * STEP_24_BIT)
    for name, expected in (("vocals", stems[0]), ("rest", stems[1]), ("mixture", samples), ("mix", out[:2])):
        recorded, _ = read_audio(tmp_path / f"{name}.wav")
        np.testing.assert_allclose(recorded, expected, atol=STEP_24_BIT)
    assert (
        account["n_late_samples"] == account["n_starved_samples"] == account["n_recording_lost_samples"] == 0
    )


def test_the_wall_clock_changes_nothing(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(1.5))
    play(session(song, tmp_path / "free.wav", model))
    patient = {"compute_ms": 300.0}  # what is late would say nothing
    account = play(session(song, tmp_path / "real.wav", model, "real", output=patient))
    free, _ = read_audio(tmp_path / "free.wav")
    real, _ = read_audio(tmp_path / "real.wav")
    assert free.shape == real.shape
    assert (free != real).any(axis=0).sum() <= account["n_late_samples"] <= free.shape[1] / 2


@pytest.mark.parametrize("clock", ["free", "real"])
@pytest.mark.parametrize("block_samples", [64, 513])
def test_a_click_comes_back_at_the_declared_sample(tmp_path: Path, clock: str, block_samples: int) -> None:
    n = 12345
    samples = np.zeros((2, RATE_HZ // 2), np.float32)
    samples[:, n] = 0.5, -0.25
    song = write_song(tmp_path / "click.wav", samples)
    output = {"block_samples": block_samples, "compute_ms": 50.0}
    host = Host(session(song, tmp_path / "out.wav", "midside", clock, output=output))
    with host:
        assert host.wait(60)
    sink = host._rig.desk.sink_tape
    heard = sink.read(0, sink.written)
    assert heard is not None
    assert np.flatnonzero(heard[0]).tolist() == [n + host.latency.total_samples]
    assert heard[:, n + host.latency.total_samples].tolist() == [0.5, -0.25]


@pytest.mark.parametrize("command", ["separate", "live"])
def test_a_separator_from_outside_runs_by_its_name(tmp_path: Path, command: str) -> None:
    samples = music(0.7)
    song = write_song(tmp_path / "song.wav", samples)
    options = {
        "separate": ["-o", str(tmp_path), "-f", "{instrument}.{codec}", "--subtype", "PCM_24"],
        "live": [
            "--clock",
            "free",
            "--record",
            str(tmp_path),
            "--output",
            str(tmp_path / "x.wav"),
            "--no-keys",
        ],
    }[command]
    run = [sys.executable, "-m", "rtsep", command, str(song), "-m", "midside", *options]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(OUTSIDE), *sys.path])}
    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    mid, _ = read_audio(tmp_path / "mid.wav")
    np.testing.assert_allclose(mid[1], samples.sum(axis=0) / 2, atol=STEP_24_BIT)


def test_a_file_of_another_rate_plays_at_the_session_s(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(1.0, 48000), 48000)
    play(session(song, tmp_path / "own.wav", "midside"))
    play(session(song, tmp_path / "other.wav", "midside", input={"sample_rate_hz": 44100}))
    own, own_hz = read_audio(tmp_path / "own.wav")
    other, other_hz = read_audio(tmp_path / "other.wav")
    assert (own_hz, own.shape) == (48000, (2, 48000))
    assert (other_hz, other.shape) == (44100, (2, 44100))
    np.testing.assert_allclose(own, music(1.0, 48000), atol=2 * STEP_24_BIT)  # stems plus residual


def test_without_a_clock_a_pause_makes_no_silence(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    host = Host(session(song, tmp_path / "out.wav", "midside"))
    assert host.transport is not None
    host.transport.pause(True)
    with host:
        time.sleep(0.1)
        at_s = host.status().position_s
        time.sleep(0.3)
        assert host.status().position_s == at_s
        host.transport.pause(False)
        assert host.wait(60)
    out, _ = read_audio(tmp_path / "out.wav")
    assert 20 <= out.shape[1] / RATE_HZ < 20.1


@pytest.mark.parametrize("groups", [{}, {"output": {"clock": "real", "compute_ms": 50.0}}])
def test_what_is_made_once_is_made_before_the_music(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: dict
) -> None:
    """Whoever measures the load, or plays, is not to wait for it."""
    outside = pytest.importorskip("outside_separators")
    process, calls = outside.MidSideStream.process, []

    def count_and_process(stream: object, block: np.ndarray) -> np.ndarray:
        calls.append(block.shape[1])
        return process(stream, block)

    monkeypatch.setattr(outside.MidSideStream, "process", count_and_process)
    song = write_song(tmp_path / "song.wav", music(0.2))
    Host(session(song, tmp_path / "out.wav", "midside", **groups)).stop()
    assert calls == [outside.UPDATE_SAMPLES] * len(calls) != []


@pytest.mark.parametrize(
    ("groups", "error", "text"),
    [
        ({"model": {"name": "no-such-model"}}, ModelError, "no-such-model"),
        ({"mixer": {"stems": {"drums": {"mute": True}}}}, UsageError, "makes no stem 'drums'"),
        ({"output": {"clock": "device"}}, UsageError, "both ends are files"),
        ({"output": {"sink": "device:nothing", "clock": "device"}}, DeviceError, "nothing|no sound card"),
        ({"output": {"sink": "out.xyz"}}, UsageError, "'out.xyz' would be a card.*[.]wav, [.]flac"),
        ({"output": {"sink": "file:none/out.wav"}}, AudioFileError, "does not exist"),
        ({"output": {"record": "song.wav/take"}}, AudioFileError, "cannot be made"),
        ({"input": {"source": "file:none.wav"}}, AudioFileError, "no such file"),
        ({"input": {"source": "device:x"}, "output": {"clock": "free"}}, UsageError, "gives the time itself"),
    ],
)
def test_what_cannot_begin_leaves_nothing_behind(
    tmp_path: Path, groups: dict, error: type[Exception], text: str
) -> None:
    song = write_song(tmp_path / "song.wav", music(0.1))
    n_files, n_threads = n_open_files(), threading.active_count()
    with pytest.raises(error, match=text):
        Host(session(song, tmp_path / "out.wav", "midside", **groups))
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]
    assert threading.active_count() == n_threads
    assert n_open_files() <= n_files


def test_stopping_is_safe_at_any_time(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.2))
    Host(session(song, tmp_path / "never.wav", "midside", "real")).stop()
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]
    host = Host(session(song, tmp_path / "out.wav", "midside", "real"))
    host.start()
    host.stop()
    host.stop()
    assert host.done
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"], "nothing was heard yet"
    assert host.summary()[-1] == "Nothing was heard yet, so no file was written."
