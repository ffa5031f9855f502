"""Input and output as two streams of a real JACK server, the one following the other as if each had a clock."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from jack_server import Desk, run_server
from live_session import Session, environment

sys.path.append(str(Path(__file__).parents[1]))
from two_clocks import thd_n_db

TONE_HZ, PEAK = 440.0, 0.5
SILENCE_S = 1.0  # both clocks must have been watched for a while
ATTEMPTS = 4


def tone(duration_s: float, rate_hz: int) -> np.ndarray:
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    sound = PEAK * np.stack((np.sin(2 * np.pi * TONE_HZ * t), np.cos(2 * np.pi * TONE_HZ * t)))
    return np.pad(sound, ((0, 0), (round(SILENCE_S * rate_hz), 0))).astype(np.float32)


def play(rate_hz: int, period_samples: int) -> tuple[np.ndarray, dict]:
    """What is heard of six seconds, and the account."""
    settings = {
        "input": {"source": "device:system", "own_clock": True},
        "model": {"name": "midside"},
        "output": {"sink": "device:system", "max_block_samples": period_samples},
    }
    with (
        run_server(2, 2, period_samples, rate_hz=rate_hz) as server,
        Desk(server, tone(8.0, rate_hz), 2) as desk,
    ):
        with Session(settings, environment(server)) as session:
            desk.patch()
            session.say("stats")  # it plays by now
            desk.play_for(6.0)
            stats = session.say("stop")
        return desk.recording(), stats


@pytest.mark.parametrize(("rate_hz", "period_samples"), [(44100, 256), (48000, 512)])
def test_what_follows_on_a_second_stream_is_whole_and_as_late_as_declared(
    rate_hz: int, period_samples: int
) -> None:
    for _ in range(ATTEMPTS):
        heard, stats = play(rate_hz, period_samples)
        if stats["n_clock_jumps"] == 0:  # a machine that is busy may stall the server, which is no clock then
            break
    assert stats["n_clock_jumps"] == 0
    assert stats["latency_ms"]["two clocks"] > 0
    onset = int(np.argmax(np.abs(heard[1]) > 0.9 * PEAK)) - round(SILENCE_S * rate_hz)
    assert onset == pytest.approx(stats["latency_samples"], abs=0.003 * rate_hz)
    end = np.flatnonzero(np.abs(heard[0]) > 0.9 * PEAK)[-1] - rate_hz // 10
    last = heard[0, end - rate_hz : end]
    assert np.abs(np.diff(last)).max() < 1.05 * PEAK * 2 * np.pi * TONE_HZ / rate_hz
    assert thd_n_db(last.astype(np.float64), TONE_HZ, rate_hz) < -50
