"""Whole sessions from file to file: the clocks agree, the latency is true, whatever fails leaves nothing behind."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from file_session import OUTSIDE, RATE_HZ, STEP_24_BIT, music, play, session, write_song

import rtsep
from rtsep.account import tell
from rtsep.chain import Chain
from rtsep.cli.play import play as play_on_screen
from rtsep.control.terminal.hands import Hands
from rtsep.errors import AudioFileError, DeviceError, ModelError, RtsepError, UsageError
from rtsep.host import Host
from rtsep.io.files import read_audio
from rtsep.io.microphone import DEAF
from rtsep.nets.unet import SeparationNet
from rtsep.separation import Separation, load_model, tune_model, warm_up
from rtsep.settings import LiveSettings
from rtsep.zoo import ModelCard, NetworkCard, write_folder

ELSEWHERE = {"stems": {"rest": {"route": [3, 4]}}}
pytestmark = pytest.mark.usefixtures("outside")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(3)
    network = NetworkCard(instruments=("vocals", "rest"), conv_n_filters=(2, 2, 2, 2, 2, 2))
    card = ModelCard(name="tiny", stems=("vocals", "rest"), n_frames=64, n_bins=256, network=network)
    state = SeparationNet(network.instruments, network.unet).state_dict()
    return str(write_folder(tmp_path_factory.mktemp("models") / "tiny", card, state).path)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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


def test_a_recording_never_replaces_the_song_nor_another_take(tmp_path: Path) -> None:
    song = write_song(tmp_path / "mid.wav", music(0.2))  # named as one of the stems
    before = song.read_bytes()
    accounts = [play(session(song, tmp_path / "out.flac", "midside", output={"record": str(tmp_path)}))]
    accounts.append(play(session(song, tmp_path / "out.flac", "midside", output={"record": str(tmp_path)})))
    assert song.read_bytes() == before
    names = ["mixture.wav", "mid.wav", "side.wav", "mix.wav"]
    for account, take in zip(accounts, ("take-2", "take-3"), strict=True):
        assert sorted(path.name for path in (tmp_path / take).iterdir()) == sorted([*names, "session.yaml"])
        assert account["files"] == [str(tmp_path / "out.flac"), *(str(tmp_path / take / n) for n in names)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mid.wav", "out.flac", "take-2", "take-3"]


def test_two_sessions_at_a_time_record_two_takes(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.2))
    hosts = [Host(session(song, tmp_path / f"{i}.wav", "midside", output={"record": "takes"})) for i in "12"]
    for host in hosts:
        with host:
            assert host.wait(60)
    assert hosts[0].stats()["files"][1] == str(Path("takes") / "mixture.wav")
    assert hosts[1].stats()["files"][1] == str(Path("takes") / "take-2" / "mixture.wav")


@pytest.mark.parametrize(
    ("sink", "text"),
    [
        ("song.wav", "'song.wav' is input and output"),
        ("other/../song.wav", "is input and output"),
        ("takes/mix.wav", "'takes/mix.wav' is a file of the recording in takes; name another"),
        ("takes/take-2/side.wav", "is a file of the recording in takes; name another"),
        ("link.wav", "is input and output"),
    ],
)
def test_two_uses_of_one_file_are_refused(tmp_path: Path, sink: str, text: str) -> None:
    song = write_song(Path("song.wav"), music(0.2))
    Path("link.wav").hardlink_to(song)
    Path("other").mkdir()
    Path("takes").mkdir()
    write_song(Path("takes/mixture.wav"), music(0.1))  # an earlier take: this one is take-2
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.wav")}
    with pytest.raises(UsageError, match=text):
        Host(session(song, Path(sink), "midside", output={"record": "takes"}))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.wav")} == before
    assert not list(tmp_path.rglob("*.part"))


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


@pytest.mark.parametrize(
    ("stats", "text"),
    [
        ("song.wav", "--stats-json song.wav would replace the music"),
        ("out.wav", "would replace the music"),
        ("none/stats.json", "none/stats.json: No such file or directory"),
        (".", "--stats-json .: Is a directory"),
    ],
)
def test_an_account_that_could_not_be_left_is_refused_at_the_start(
    tmp_path: Path, stats: str, text: str
) -> None:
    song = write_song(Path("song.wav"), music(0.2))
    with pytest.raises(UsageError, match=text):
        Host(session(song, Path("out.wav"), "midside", control={"stats_json": stats}))
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


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


def test_a_session_tells_what_it_does(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.5))
    host = Host(session(song, tmp_path / "out.wav", "midside"))
    with host:
        host.mix.set_gain_db("mid", -12)
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


@pytest.mark.parametrize("latency_grows", [True, False])
def test_another_model_fades_in_while_it_plays_and_faders_stay(
    tmp_path: Path, model: str, latency_grows: bool
) -> None:
    samples = music(20.0)  # longer than a busy machine takes
    song = write_song(tmp_path / "song.wav", samples)
    names = ("midside", model) if latency_grows else (model, "midside")
    before, after = (session(song, tmp_path / "out.wav", name, "real") for name in names)
    warm_up(
        after, tune_model(after, load_model(after))
    )  # the first time this compiles, for longer than the song
    host = Host(before)
    with host:
        first = host.latency.total_samples
        host.mix.set_gain_db(next(iter(host.stems)), -6.0)
        time.sleep(0.3)
        host.mix.set_gain_db(next(iter(host.stems)), 0.0)
        host.change(after)
        assert set(host.stems) == ({"vocals", "rest"} if latency_grows else {"mid", "side"})
        second = host.latency.total_samples
        assert (second > first) == latency_grows
        sink = host._rig.desk.sink_tape
        time.sleep(0.3)
        assert not host.done
    [switch] = [label for label in host._rig.recording.labels if label.text.startswith("switch")]
    out = sink.read(0, sink.written)
    assert out is not None
    position = switch.start_samples + first
    settled = out[:, position + 2048 :]
    expected = samples[:, position + 2048 - second :][:, : settled.shape[1]]
    assert np.abs(settled - expected).max() < 1.2e-7 or host.stats()["n_late_samples"]


def test_another_model_is_heard_when_all_that_it_plays_was_made(tmp_path: Path, model: str) -> None:
    """Otherwise the mixture would be heard for the length of its latency, with the voice that karaoke had muted."""
    song = write_song(tmp_path / "song.wav", music(0.1))
    host = Host(session(song, tmp_path / "out.wav", "midside"))
    try:
        rig = host._rig
        rig.desk.input_tape.append(music(1.0))
        begun = rig.desk.input_tape.written
        model_again = tune_model(host.settings, load_model(host.settings))
        after = Separation(host.settings, model_again, rig.ends, rig.mixer, rig.desk.input_tape)
        heard = begun + after.latency.total_samples
        assert not after.is_ahead_of(begun)
        assert not after.is_ahead_of(heard)  # nothing is made
        rig.desk.input_tape.append(music(1.0))
        while after.engine.step():
            pass
        assert not after.is_ahead_of(heard - 1)
        assert after.is_ahead_of(heard)
        after.close()
    finally:
        host.stop()


def test_a_model_that_is_not_played_any_more_is_let_go_of(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    output = {"record": str(tmp_path / "takes")}
    settings = session(song, tmp_path / "out.wav", "midside", "real", output=output)
    host = Host(settings)
    with host:
        time.sleep(0.2)
        first = weakref.ref(host._rig.separation), weakref.ref(host._rig.desk.chain.stem_tape)
        host.change(settings.with_overrides({"model": {"lookahead_frames": 1}}))
        gc.collect()
        assert [one() for one in first] == [None, None]
        assert len(host.mix._players) == 1


def test_a_change_that_is_refused_changes_nothing_at_all(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    settings = session(song, tmp_path / "out.wav", "midside", "real")
    host = Host(settings)
    with host:
        rig, chain = host._rig, host._rig.desk.chain
        record = {"record": str(song / "takes")}
        with pytest.raises(AudioFileError, match="cannot be made"):
            host.change(session(song, tmp_path / "out.wav", model, "real", output=record, mixer=ELSEWHERE))
        assert host._rig is rig
        assert rig.desk.chain is chain
        assert chain.coefficients.newest.max() != 0
        with pytest.raises(UsageError, match="midside makes no stem 'middle'; it makes mid, side"):
            host.change(settings.with_overrides({"mixer": {"stems": {"middle": {"mute": True}}}}))
        assert "middle" not in host.mix.state


def test_a_session_that_is_not_playing_cannot_change(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(1.0))
    settings = session(song, tmp_path / "out.wav", "midside", "real")
    host = Host(settings)
    with pytest.raises(UsageError, match="does not play"):
        host.change(settings)
    with host:
        pass
    with pytest.raises(UsageError, match="does not play"):
        host.change(settings)


def test_a_change_that_is_under_way_at_the_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands between the end of a take and the fade, where it cannot go back, when the session ends."""
    song = write_song(tmp_path / "song.wav", music(20.0))
    takes = tmp_path / "takes"
    settings = session(song, tmp_path / "out.wav", "midside", "real", output={"record": str(takes)})
    host = Host(settings)
    fade_to, is_here, may_go = host._rig.desk.fade_to, threading.Event(), threading.Event()

    def wait_and_fade(chain: Chain) -> None:
        is_here.set()
        may_go.wait(10)
        fade_to(chain)

    monkeypatch.setattr(host._rig.desk, "fade_to", wait_and_fade)
    with host:
        time.sleep(0.3)
        host.ask("model", "...", lambda: settings.with_overrides({"model": {"lookahead_frames": 1}}))
        assert is_here.wait(20)
        threading.Timer(0.3, may_go.set).start()
    host._podium.join()
    assert "the session ended before midside was heard" in host.message
    assert not [thread for thread in threading.enumerate() if thread.name == "rtsep-engine"]
    names = {path.name for path in takes.iterdir()} - {"marks.txt"}  # a busy machine may have lost something
    assert names == {"mid.wav", "mix.wav", "mixture.wav", "session.yaml", "side.wav"}


def test_music_goes_on_without_a_take_where_none_can_be_made(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    takes = tmp_path / "takes"
    settings = session(song, tmp_path / "out.wav", "midside", "real", output={"record": str(takes)})
    host = Host(settings)
    with host:
        time.sleep(0.3)
        (takes / "take-2").write_text("not a folder")
        host.change(settings.with_overrides({"model": {"lookahead_frames": 1}}))
        assert host.settings.model.lookahead_frames == 1
        assert len(host.mix._players) == 1
        with pytest.raises(RtsepError, match="take-2"):
            host.check()
        host._rig.recording._error = None


def test_a_changed_mix_moves_what_is_named_and_leaves_what_a_hand_has_moved(
    tmp_path: Path, model: str
) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    host = Host(
        session(song, tmp_path / "out.wav", model, "real", mixer={"stems": {"vocals": {"gain_db": -3}}})
    )
    with host:
        host.mix.set_gain_db("rest", -10)
        host.change(
            session(song, tmp_path / "out.wav", model, "real", mixer={"stems": {"vocals": {"gain_db": -9}}})
        )
        assert host.mix.state["vocals"].gain_db == -9
        assert host.mix.state["rest"].gain_db == -10


def test_what_cannot_change_is_refused_and_the_music_goes_on(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(2.0))
    settings = session(song, tmp_path / "out.wav", model, "real")
    host = Host(settings)
    with host:
        for groups, text in (
            ({"output": {"clock": "free"}}, "without a clock only mix and recording can change"),
            ({"output": {"sink": "file:none/out.wav"}}, "does not exist"),
            ({"input": {"source": "file:none.wav"}}, "no such file"),
            ({"mixer": {"stems": {"drums": {"route": [3, 4]}}}}, "makes no stem 'drums'"),
            ({"model": {"name": "nothing"}}, "nothing"),
        ):
            with pytest.raises(RtsepError, match=text):
                host.change(settings.with_overrides(groups))
            assert host.settings == settings
            assert not host.done
        assert host.wait(10)


def latency_of(song: Path, model: str, latency: float | str, /, **groups: dict) -> dict[str, int]:
    model_settings = {"name": model, "update_hops": 1, "latency": latency}
    tree = {
        "input": {"source": f"file:{song}"},
        "model": model_settings,
        "output": {"sink": "file:out.wav", "clock": "free"},
    }
    host = Host(LiveSettings().with_overrides(tree).with_overrides(groups))
    host.stop()
    return dict(host.latency.parts)


def test_the_latency_is_chosen_by_name_or_by_milliseconds(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(0.1))
    assert latency_of(song, model, "auto") == latency_of(song, model, "quality")
    reaches = {
        "quality": (4096, 8192),
        "balanced": (2048, 2048),
        "low": (2048, 0),
        61: (2048, 0),  # window, fade and block are 59.5 ms; a hop more would be 82.7
        83: (2048, 1024),
        250: (2048, 8192),
        291: (2048, 8192),
        292: (4096, 8192),
        400: (4096, 12288),
        5000: (4096, 32768),
    }
    for latency, reach in reaches.items():
        parts = latency_of(song, model, latency)
        assert (parts["synthesis window"], parts["lookahead"]) == reach, latency
        assert isinstance(latency, str) or sum(parts.values()) <= latency * RATE_HZ / 1000
    with pytest.raises(
        UsageError, match=r"latency 50 ms cannot be had with tiny here: the least is 59.5 ms = synth"
    ):
        latency_of(song, model, 50)


def test_a_limiter_that_looks_ahead_is_within_the_latency(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(0.1))
    mixer = {"limiter": {"lookahead_ms": 10}}
    for latency, lookahead in ((71, 0), (92, 0), (93, 1024)):
        parts = latency_of(song, model, latency, mixer=mixer)
        assert parts["lookahead"] == lookahead, latency
        assert sum(parts.values()) <= latency * RATE_HZ / 1000
    with pytest.raises(UsageError, match=r"the least is 69.5 ms = .* \+ limiter 10.0"):
        latency_of(song, model, 61, mixer=mixer)


def test_what_is_named_goes_before_a_latency(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(0.1))
    parts = latency_of(song, model, "low", model={"lookahead_frames": 3})
    assert (parts["synthesis window"], parts["lookahead"]) == (2048, 3072)


def test_settings_are_read_anew_beside_whoever_watches(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    before = session(song, tmp_path / "out.wav", "midside", "real")
    host = Host(before)
    with host:
        asked = session(song, tmp_path / "out.wav", model, "real")
        host.ask("a", "reading ...", lambda: asked, lambda: f"{host.settings is asked}: read anew; ")
        assert host.message == "reading ..."
        host._podium.join()
        assert host.message.startswith("True: read anew; tiny plays; latency ")
        assert "ms were repeated." in host.message
        host.ask("b", "...", lambda: before.with_overrides({"output": {"clock": "free"}}))
        host._podium.join()
        assert host.message.startswith("nothing changed: without a clock only")
        host.ask("c", "...", lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        host._podium.join()
        assert "for an error in rtsep" in host.message
        assert "ZeroDivisionError" in host.message
        assert host.model_name == "tiny"


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


def test_a_take_ends_with_its_model_and_the_next_one_begins(tmp_path: Path, model: str) -> None:
    samples = music(30.0)
    song = write_song(tmp_path / "song.wav", samples)
    output = {"record": str(tmp_path / "takes"), "compute_ms": 200.0}
    names = ("midside", model)
    before, after = (session(song, tmp_path / "out.wav", name, "real", output=output) for name in names)
    host = Host(before)
    with host:
        time.sleep(1.0)
        host.change(after)
        time.sleep(1.0)
    first, second = tmp_path / "takes", tmp_path / "takes" / "take-2"
    assert {path.name for path in first.glob("*.wav")} == {"mixture.wav", "mid.wav", "side.wav", "mix.wav"}
    assert {path.name for path in second.glob("*.wav")} == {
        "mixture.wav",
        "vocals.wav",
        "rest.wav",
        "mix.wav",
    }
    for folder, stems in ((first, ("mid", "side")), (second, ("vocals", "rest"))):
        mixture, mix, *parts = (read_audio(folder / f"{name}.wav")[0] for name in ("mixture", "mix", *stems))
        assert mixture.shape == mix.shape == parts[0].shape
        assert mixture.shape[1] > 0.5 * RATE_HZ
        begin = np.lib.stride_tricks.sliding_window_view(samples[0], 8)
        start = int(np.argmax((begin == mixture[0, :8]).all(axis=1)))
        np.testing.assert_allclose(mixture, samples[:, start : start + mixture.shape[1]], atol=STEP_24_BIT)
        there = (parts[0] != 0).any(axis=0)  # where a stem was made: all of the take, if nothing was late
        np.testing.assert_allclose(mix, mixture, atol=3 * STEP_24_BIT)
        assert there.mean() > 0.5
    stats = host.stats()
    assert stats["n_switches"] == 1
    assert len(stats["files"]) == 9
