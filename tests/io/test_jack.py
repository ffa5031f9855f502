"""The whole program on a real card: a JACK server without hardware, and a real JACK client that plays and listens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from heard import N_OUTPUTS, check_count, compare, four_stems
from jack_server import RATE_HZ, Desk, run_server
from live_session import Session, environment, running
from random_model import STEMS

from rtsep.io.files import AudioWriter, read_audio


def place_of(part: np.ndarray, whole: np.ndarray) -> int:
    """Where `part` is found in `whole`: where their squared difference is least."""
    power = np.convolve((whole.astype(np.float64) ** 2).sum(axis=0), np.ones(part.shape[1]), "valid")
    products = sum(np.correlate(w, p, "valid") for w, p in zip(whole, part, strict=True))
    return int(np.argmin(power - 2 * products))


MATRIX = [(44100, 64, 2), (44100, 256, 4), (48000, 256, 2), (48000, 1024, 4)]


@pytest.mark.parametrize(("rate_hz", "period_samples", "synthesis_hops"), MATRIX)
def test_every_sample_is_the_stem_or_the_counted_mixture(
    model: Path, music: np.ndarray, tmp_path: Path, rate_hz: int, period_samples: int, synthesis_hops: int
) -> None:
    """Also while the engine is held up for 0.7 s, and where it skips to the present after that."""
    settings = four_stems(tmp_path, synthesis_hops=synthesis_hops)
    with run_server(2, N_OUTPUTS, period_samples, rate_hz=rate_hz) as server, Desk(server, music, 10) as desk:
        env = environment(server, OUTSIDE_FAULT=f"{model} {rate_hz // 2} 0.7")
        with Session(settings, env) as session:
            desk.patch()
            before = session.say("stats")
            desk.play_for(2.5)
            after = session.say("stop")
        take = compare(desk, after, tmp_path, model, synthesis_hops)
    assert desk.n_gaps == 0
    n = take.mixture.shape[1]
    assert n > 1.5 * rate_hz
    np.testing.assert_array_equal(take.mixture, music[:, :n])  # what came in is what was played
    check_count(take, before, after, period_samples)
    assert take.share.min() == 0
    assert take.n_late > 0.2 * rate_hz


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


def test_a_card_that_moves_more_than_the_latency_allows_for_is_told_once() -> None:
    settings = {
        "input": {"source": "device:system"},
        "model": {"name": "midside"},
        "output": {"sink": "device:system"},
    }
    with run_server(2, 2, 2048) as server, Desk(server, np.zeros((2, 1), np.float32), 2) as desk:
        for output, n_told in (({}, 1), ({"max_block_samples": 2048}, 0)):
            tree = {**settings, "output": {**settings["output"], **output}}
            with Session(tree, environment(server)) as session:
                desk.patch()
                first = session.say("stats")
                while not first["longest_block_samples"]:  # it starts
                    first = session.say("stats")
                last = session.say("stop")
            assert last["longest_block_samples"] == 2048
            told = [line for line in first["news"] if "max_block_samples: 2048" in line]
            assert len(told) == n_told
            assert last["news"] == []


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
