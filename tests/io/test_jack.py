"""The whole program on a real card: a JACK server without hardware, and a real JACK client that plays and listens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from jack_server import PERIOD_SAMPLES, RATE_HZ, Desk, run_server
from random_model import STEMS

import rtsep
from rtsep.demo.song import render
from rtsep.io.files import AudioWriter, read_audio

OUTSIDE = Path(__file__).parents[1] / "outside"
GAINS_DB = {"vocals": -6.0, "drums": 3.0, "bass": 0.0, "other": 0.0}
MUTED = "other"
UPDATE_HOPS = 4
TOLERANCE = 2e-6
FADE_STEP = 1 / 64


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """The demo song with a little noise, so that no sample is silence; in steps of 16 bits: files are exact."""
    song = np.tile(np.sum(list(render(0, duration_s=3.0).values()), axis=0), 3)
    noisy = 0.5 * song + np.random.default_rng(1).normal(0, 0.01, song.shape)
    return (np.round(np.clip(noisy, -0.9, 0.9) * 32768) / 32768).astype(np.float32)


def environment(server: str, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "JACK_DEFAULT_SERVER": server,
        "PYTHONPATH": os.pathsep.join([str(OUTSIDE), *sys.path]),
        "OMP_NUM_THREADS": "1",
        **more,
    }


class Session:
    """`live_driver.py` in a process of its own."""

    def __init__(self, settings: dict, env: dict[str, str]) -> None:
        command = [sys.executable, str(OUTSIDE / "live_driver.py"), json.dumps(settings)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True)

    def say(self, word: str) -> dict:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer: dict = json.loads(self.process.stdout.readline())
        return answer

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def running(command: list[str], server: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in a process that does not outlive the test."""
    process = subprocess.Popen(
        command, env=environment(server), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stems_of(model: Path, mixture: np.ndarray) -> np.ndarray:
    """The stems ``(stems, 2, samples)`` of an engine that nothing disturbs; a skip must leave no trace in them."""
    stream = rtsep.load(model, extension="top_band").stream(RATE_HZ, update_hops=UPDATE_HOPS)
    stems = np.concatenate([stream.process(mixture), stream.flush()], axis=2)
    return stems[:, :, stream.latency_samples :]


def heard_share(heard: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """How much of the stems is heard, per sample: 1 the stems, 0 the mixture; on the steps of the fade."""
    energy = (expected**2).sum(axis=0)
    share = (heard * expected).sum(axis=0) / np.maximum(energy, 1e-12)
    return np.where(energy > 1e-8, np.round(share / FADE_STEP) * FADE_STEP, np.nan)


def place_of(part: np.ndarray, whole: np.ndarray) -> int:
    """Where `part` is found in `whole`: where their squared difference is least."""
    power = np.convolve((whole.astype(np.float64) ** 2).sum(axis=0), np.ones(part.shape[1]), "valid")
    products = sum(np.correlate(w, p, "valid") for w, p in zip(whole, part, strict=True))
    return int(np.argmin(power - 2 * products))


def test_every_sample_is_the_stem_or_the_counted_mixture(
    model: Path, music: np.ndarray, tmp_path: Path
) -> None:
    stems = {name: {"gain_db": GAINS_DB[name], "mute": name == MUTED} for name in STEMS}
    for i, name in enumerate(STEMS):
        stems[name]["route"] = [3 + 2 * i, 4 + 2 * i]
    settings = {
        "input": {"source": "device:system"},
        "model": {
            "name": "faulty",
            "mask": "direct",
            "update_hops": UPDATE_HOPS,
            "lookahead_frames": 0,
            "synthesis_hops": 4,
        },
        "mixer": {"stems": stems},
        "output": {"sink": "device:system", "record": str(tmp_path)},
    }
    with run_server() as server:
        env = environment(server, OUTSIDE_FAULT=f"{model} {RATE_HZ} 0.7")
        desk = Desk(server, music, 10)
        with Session(settings, env) as session:
            desk.patch()
            before = session.say("stats")
            desk.play_for(3.5)
            after = session.say("stop")
        heard = desk.recording()
        desk.close()

    mixture, _ = read_audio(tmp_path / "mixture.wav")
    n_lead = int(np.argmax(mixture.any(axis=0)))  # silence on the input tape before the music
    n = mixture.shape[1] - n_lead
    assert desk.n_gaps == 0
    assert n > 2.5 * RATE_HZ
    np.testing.assert_array_equal(mixture[:, n_lead:], music[:, :n])  # what came in is what was played

    delay = after["latency_samples"]  # declared: the offset and what PortAudio adds
    heard = heard[:, delay : delay + n]
    came_in = np.concatenate((mixture[:, :n_lead], music), axis=1)  # the engine heard more than was played
    rows = stems_of(model, came_in)[:, :, n_lead : n_lead + n].astype(np.float64)
    gains = np.array([0 if name == MUTED else 10 ** (GAINS_DB[name] / 20) for name in STEMS])
    buses = (gains[:, None, None] * rows).reshape(8, n)
    share = heard_share(heard[2:], buses)
    assert not np.isnan(share).any()
    assert share.min() == 0
    assert share.max() == 1
    np.testing.assert_allclose(heard[2:], share * buses, atol=TOLERANCE)
    main = music[:, :n] - share * rows.sum(axis=0)
    np.testing.assert_allclose(heard[:2], main, atol=TOLERANCE)

    n_late = int((share < 1).sum())  # of those that were played while the music was there
    n_counted = after["n_late_samples"] - before["n_late_samples"]
    n_not_seen = after["offset_samples"] + 8 * PERIOD_SAMPLES  # played between the first count and the music
    assert n_late <= n_counted <= n_late + n_not_seen
    assert n_late > 0.3 * RATE_HZ  # the engine was held up for 0.7 s


def test_a_file_on_a_card_is_the_same_file_without_a_clock(
    model: Path, music: np.ndarray, tmp_path: Path
) -> None:
    song = tmp_path / "song.wav"
    with AudioWriter(song, RATE_HZ, 2, subtype="PCM_16") as writer:
        writer.write(music[:, : 3 * RATE_HZ])
    run = [
        sys.executable,
        "-m",
        "rtsep",
        "live",
        str(song),
        "-m",
        str(model),
        "--no-keys",
        "--gain",
        "bass=-3",
        "--update-hops",
        "4",
        "--precision",
        "float32",
    ]
    free = [*run, "--clock", "free", "--output", str(tmp_path / "free.wav")]
    subprocess.run(free, check=True, capture_output=True, timeout=120)
    with run_server() as server:
        desk = Desk(server, music[:, :0], 2)
        stats, patient = tmp_path / "stats.json", tmp_path / "patient.yaml"
        patient.write_text("output: {compute_ms: 300}")  # what is late would say nothing
        card = [
            *run,
            str(patient),
            "--output",
            "device:system",
            "--record",
            str(tmp_path),
            "--stats-json",
            str(stats),
        ]
        with running(card, server) as process:
            desk.patch()
            assert process.wait(60) == 0  # it ends with the song
        desk.close()
    expected, _ = read_audio(tmp_path / "free.wav")
    recorded, _ = read_audio(tmp_path / "mix.wav")
    n_late = json.loads(stats.read_text())["n_late_samples"]
    assert recorded.shape == expected.shape == (2, 3 * RATE_HZ)
    assert (recorded != expected).any(axis=0).sum() <= n_late <= expected.shape[1] / 2
    heard = np.concatenate([block for _, block in desk.heard], axis=1)
    # The patch may come after the first samples; what was heard since ends with the end of the song.
    end = place_of(recorded[:, -4096:], heard) + 4096
    first = max(int(np.argmax(heard.any(axis=0))), end - recorded.shape[1])
    assert end - first > RATE_HZ
    np.testing.assert_allclose(heard[:, first:end], recorded[:, first - end :], atol=2**-23)


def test_an_interrupted_session_on_a_card_leaves_whole_files(
    model: Path, music: np.ndarray, tmp_path: Path
) -> None:
    run = [sys.executable, "-m", "rtsep", "live", "--input", "device:system", "--output", "device:system"]
    stats = tmp_path / "stats.json"
    run += ["-m", str(model), "--route", "vocals=3,4", "--record", str(tmp_path), "--no-keys"]
    with run_server() as server:
        desk = Desk(server, music, 4)
        with running([*run, "--stats-json", str(stats)], server) as process:
            desk.patch()
            desk.play_for(1.3)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        desk.close()
    account = json.loads(stats.read_text())
    sounds = {name: read_audio(tmp_path / f"{name}.wav")[0] for name in (*STEMS, "mixture", "mix")}
    lengths = {sound.shape[1] for sound in sounds.values()}
    assert lengths == {round(account["duration_s"] * RATE_HZ) - account["offset_samples"]}
    assert lengths.pop() > RATE_HZ / 2
    assert not list(tmp_path.glob("*.part"))
    n_late = account["n_late_samples"] + account["n_recording_lost_samples"]
    main = sounds["mixture"] - sounds["vocals"]  # the voice has its own channels
    assert (np.abs(sounds["mix"] - main).max(axis=0) > 4 * 2**-23).sum() <= n_late


def test_a_server_that_ends_is_told(model: Path, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "rtsep", "live", "--input", "device:system", "--output", "device:system"]
    (tmp_path / "ends.yaml").write_text("output: {resume: false}")
    run += ["-m", str(model), "--no-keys", "--record", str(tmp_path), str(tmp_path / "ends.yaml")]
    with ExitStack() as opened:
        server_opened = opened.enter_context(ExitStack())
        server = server_opened.enter_context(run_server())
        desk = Desk(server, np.zeros((2, 1), np.float32), 2)
        process = opened.enter_context(running(run, server))
        desk.patch()
        desk.play_for(0.5)
        desk.close()
        server_opened.close()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "does not play any more" in said
    assert (tmp_path / "mixture.wav").is_file()
