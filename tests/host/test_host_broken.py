"""A session that is interrupted, killed or broken: the music goes on, and what was made is whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from file_session import OUTSIDE, RATE_HZ, STEP_24_BIT, music, play, session, write_song

from rtsep.cli.play import play as play_on_screen
from rtsep.control.terminal.hands import Hands
from rtsep.errors import AudioFileError, RtsepError
from rtsep.host import Host
from rtsep.io.files import read_audio


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_session_leaves_whole_files(tmp_path: Path, number: signal.Signals) -> None:
    samples = music(60)
    song = write_song(tmp_path / "song.wav", samples)
    out, record = tmp_path / "out.wav", tmp_path / "take"
    run = [sys.executable, "-m", "rtsep", "live", str(song), "-m", "midside", "--clock", "real", "--no-keys"]
    run += ["--output", str(out), "--record", str(record), "--stats-json", str(tmp_path / "stats.json")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(OUTSIDE), *sys.path])}
    with subprocess.Popen(
        run, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "Latency" in process.stderr.readline()
        time.sleep(1.5)
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == 0
    account = json.loads((tmp_path / "stats.json").read_text())
    n = round(account["duration_s"] * RATE_HZ) - account["offset_samples"]
    names = {"mid.wav", "mix.wav", "mixture.wav", "side.wav"}
    files = {path: read_audio(path)[0] for path in (out, *(record / name for name in names))}
    assert {path.name for path in record.iterdir()} - {"marks.txt"} == {*names, "session.yaml"}
    noted = yaml.safe_load((record / "session.yaml").read_text())
    assert noted["n_late_samples"] == account["n_late_samples"]
    assert noted["files"] == account["files"]
    assert (record / "marks.txt").exists() == (account["n_late_samples"] > 0)
    assert {sound.shape[1] for sound in files.values()} == {n}
    np.testing.assert_allclose(files[out], samples[:, :n], atol=STEP_24_BIT)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent")
@pytest.mark.parametrize("record_format", ["wav", "flac"])
def test_a_killed_session_is_recovered_by_the_command_and_by_the_next_take(
    tmp_path: Path, record_format: str
) -> None:
    samples, record = music(60), tmp_path / "takes"
    song = write_song(tmp_path / "song.wav", samples)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(OUTSIDE), *sys.path])}
    rtsep_ = [sys.executable, "-m", "rtsep"]
    live = [
        *rtsep_,
        "live",
        str(song),
        "-m",
        "midside",
        "--clock",
        "real",
        "--no-keys",
        "--record",
        str(record),
    ]
    live += ["--record-format", record_format]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env}
    for do_recover in (True, False):
        with subprocess.Popen(live, **pipes) as process:
            assert process.stdout is not None
            assert any(line.startswith("0:03") for line in process.stdout)
            if do_recover:
                still = subprocess.run(
                    [*rtsep_, "recover", str(record)], check=True, capture_output=True, env=env
                )
                assert "is being made in" in " ".join(still.stderr.decode().split())
            process.kill()
        if do_recover:
            done = subprocess.run([*rtsep_, "recover", str(record)], check=True, capture_output=True, env=env)
            assert "all but its last second (on a slow disk a few)" in " ".join(done.stdout.decode().split())
    account = Host(session(song, tmp_path / "out.wav", "midside", output={"record": str(record)}))
    assert account.notice is not None
    assert f"{record / 'take-2'}: a recording was broken off there" in account.notice
    account.stop()
    names = ("mixture", "mid", "side", "mix")
    for folder in (record, record / "take-2"):
        sounds = {name: read_audio(folder / f"{name}.{record_format}")[0] for name in names}
        (n_samples,) = {sound.shape[1] for sound in sounds.values()}
        assert n_samples >= 2 * RATE_HZ  # three seconds were played
        np.testing.assert_array_equal(sounds["mixture"], samples[:, :n_samples])
        rest = sounds["mixture"] - sounds["mid"] - sounds["side"]
        assert np.abs(rest).max() <= 4 * STEP_24_BIT
        noted = yaml.safe_load((folder / "session.yaml").read_text())
        assert noted["model"] == "midside"
        assert set(noted["recovered_s"].values()) == {n_samples / RATE_HZ}
        assert not list(folder.glob(".rtsep-*"))


def test_an_engine_that_breaks_leaves_the_music_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTSIDE_FAULT", f"midside {RATE_HZ // 2} raise")
    samples = music(1.0)
    song = write_song(tmp_path / "song.wav", samples)
    settings = session(song, tmp_path / "out.wav", "faulty", "real", mixer={"stems": {"mid": {"mute": True}}})
    host = Host(settings)
    with pytest.raises(RtsepError, match="on purpose"), host:
        assert host.wait(60)
    out, _ = read_audio(tmp_path / "out.wav")
    assert out.shape == samples.shape
    n_late = host.stats()["n_late_samples"]
    np.testing.assert_allclose(out[:, -4096:], samples[:, -4096:], atol=STEP_24_BIT)
    assert RATE_HZ / 2 - 4096 < n_late < RATE_HZ


def test_an_engine_that_is_held_up_is_late_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTSIDE_FAULT", f"midside {RATE_HZ // 4} 0.3")
    samples = music(1.0)
    song = write_song(tmp_path / "song.wav", samples)
    mix = {"stems": {"mid": {"mute": True}, "side": {"mute": True}}}
    account = play(session(song, tmp_path / "out.wav", "faulty", "real", mixer=mix))
    out, _ = read_audio(tmp_path / "out.wav")
    assert account["n_late_samples"] > 0.1 * RATE_HZ
    is_mixture = np.abs(out - samples).max(axis=0) <= STEP_24_BIT
    is_stems = np.abs(out).max(axis=0) <= STEP_24_BIT  # all are muted
    n_fades = 64 * 2 * (1 + account["n_late_blocks"])
    assert (~is_stems).sum() <= account["n_late_samples"]
    assert (~is_stems & ~is_mixture).sum() <= n_fades


def test_another_model_repairs_what_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUTSIDE_FAULT", f"midside {RATE_HZ // 2} raise")
    song = write_song(tmp_path / "song.wav", music(20.0))
    broken, whole = (session(song, tmp_path / "out.wav", name, "real") for name in ("faulty", "midside"))
    host = Host(broken)

    def turn(hands: Hands) -> None:
        hands.reload = host.settings is broken and host.error is not None
        hands.quit = hands.quit or (host.settings is not broken and "read anew" in hands.message)

    written = SimpleNamespace(read=lambda: whole, accept=lambda: None)
    play_on_screen(host, keys=False, turn=turn, written=written)
    said = capsys.readouterr()
    assert (said.out + said.err).count("warning: ") == 1
    assert host.error is None


def test_a_broken_disk_ends_a_session_that_only_writes_a_file(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(2.0))
    host = Host(session(song, tmp_path / "out.wav", "midside"))
    part = host._rig.recording._recorders[0]._growing[0].writer._part
    part._file.close()
    part._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123
    with pytest.raises(AudioFileError, match="No space left"), host:
        host.wait(60)
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
@pytest.mark.parametrize("clock", ["free", "real"])
def test_a_full_disk_ends_the_recording_and_not_the_session(tmp_path: Path, clock: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=5500k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted")
    try:
        samples = music(3.0)
        song = write_song(tmp_path / "song.wav", samples)
        run = [
            sys.executable,
            "-m",
            "rtsep",
            "live",
            str(song),
            "-m",
            "midside",
            "--clock",
            clock,
            "--no-keys",
        ]
        run += ["--output", str(tmp_path / "out.wav"), "--record", str(disk / "take")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(OUTSIDE), *sys.path])}
        done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 1
        assert "error: " in done.stderr
        assert "No space left on device" in done.stderr
        assert "kept: mixture.wav, mid.wav, side.wav, mix.wav" in " ".join(done.stderr.split())
        assert (clock == "free") or "The music goes on." in done.stderr
        assert read_audio(tmp_path / "out.wav")[0].shape == samples.shape
        taken, _ = read_audio(disk / "take" / "mixture.wav")
        assert RATE_HZ / 2 < taken.shape[1] < samples.shape[1]
        np.testing.assert_allclose(taken, samples[:, : taken.shape[1]], atol=STEP_24_BIT)
        names = {path.name for path in (disk / "take").iterdir()} - {"marks.txt"}
        assert names == {"mixture.wav", "mid.wav", "side.wav", "mix.wav", "session.yaml"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
