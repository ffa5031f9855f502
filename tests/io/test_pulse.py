"""The whole program on PulseAudio, which PortAudio reaches through ALSA's pulse plugin: null sinks for cards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from pulse_server import RATE_HZ, read_sound, run_server, wait_for, write_sound
from random_model import STEMS
from sound_spans import Span, spans

from rtsep.io.files import read_audio

ROOT = Path(__file__).parents[2]
TOLERANCE = 4 * 2**-23  # the files have 24 bits
N_HEARD = 2 + 2 * len(STEMS)
PLUGIN = "pulse, ALSA"


def n_samples(found: list[Span]) -> int:
    return sum(span.n for span in found)


def test_four_stems_on_eight_outputs_are_each_on_its_own(model: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    music = rng.normal(0, 0.1, (2, 8 * RATE_HZ)).clip(-0.5, 0.5).astype(np.float32)
    heard_file, stats, patient = tmp_path / "heard.raw", tmp_path / "stats.json", tmp_path / "patient.yaml"
    # The server's blocks vary with its load; what is late is compared too, but says little.
    patient.write_text("output: {compute_ms: 300, max_block_samples: 4096}")
    words = [
        sys.executable,
        "-m",
        "rtsep",
        "live",
        str(patient),
        "-i",
        PLUGIN,
        "-o",
        PLUGIN,
        "-m",
        str(model),
    ]
    words += ["--no-keys", "--record", str(tmp_path), "--stats-json", str(stats)]
    for i, name in enumerate(STEMS):
        words += ["--route", f"{name}={3 + 2 * i},{4 + 2 * i}"]
    with ExitStack() as opened:
        server = opened.enter_context(run_server(("music", 2), ("desk", N_HEARD)))
        env = {**server.environment, "PULSE_SOURCE": "music.monitor", "PULSE_SINK": "desk"}
        env |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        said = opened.enter_context((tmp_path / "said.txt").open("w+"))
        process = subprocess.Popen(words, env=env, stdout=said, stderr=said)
        opened.callback(process.wait)
        opened.callback(process.kill)
        wait_for(lambda: process.poll() is not None or "desk" in server.places.values(), "rtsep to play", 90)
        opened.enter_context(server.listening("desk", heard_file, N_HEARD))
        opened.enter_context(server.playing("player", write_sound(tmp_path / "music.raw", music)))
        wait_for(lambda: read_sound(heard_file, N_HEARD).any(axis=0).sum() > 5 * RATE_HZ, "five seconds")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, (tmp_path / "said.txt").read_text()
    account = json.loads(stats.read_text())
    heard = read_sound(heard_file, N_HEARD)
    recorded = {name: read_audio(tmp_path / f"{name}.wav")[0] for name in (*STEMS, "mixture")}

    came_in = spans(recorded["mixture"], music, 2**-23)
    assert len(came_in) <= account["n_xruns"] + 1
    assert n_samples(came_in) > 3 * RATE_HZ
    # What is heard of all stems at a time is what was recorded of all at a time: each on its channels, aligned.
    buses = np.concatenate([recorded[name] for name in STEMS])
    assert np.abs(buses).max(axis=1).min() > 0.01  # no channel is silent, and no two are alike
    went_out = spans(heard[2:], buses, TOLERANCE)
    starts = [span.in_whole for span in went_out]
    assert starts == sorted(starts)
    n_music = int((heard[2:] != 0).any(axis=0).sum())
    n_excused = account["n_late_samples"] + 64 * (len(went_out) + 2)
    assert n_samples(went_out) > n_music - n_excused
    assert n_samples(went_out) > RATE_HZ
    # The main bus has what the stems leave over.
    for span in went_out:
        stretch = slice(span.in_whole, span.in_whole + span.n)
        left_over = recorded["mixture"][:, stretch] - sum(recorded[name][:, stretch] for name in STEMS)
        main = heard[:2, span.in_part : span.in_part + span.n]
        np.testing.assert_allclose(main, left_over, atol=(1 + len(STEMS)) * TOLERANCE)
