"""Sessions from file to file: a song of noise, the settings that play it, and the account that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings

OUTSIDE = Path(__file__).parent / "outside"
RATE_HZ = 44100
STEP_24_BIT = 2**-23
PATIENCE_S = 20.0


def music(duration_s: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    values = np.random.default_rng(5).integers(-(2**13), 2**13, (2, round(duration_s * rate_hz)))
    return (values / 2**15).astype(np.float32)


def write_song(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    with AudioWriter(path, rate_hz, 2, subtype="PCM_16") as writer:
        writer.write(samples)
    return path


def session(song: Path, sink: Path, model: str, clock: str = "free", /, **groups: dict) -> LiveSettings:
    tree = {
        "input": {"source": f"file:{song}"},
        "model": {"name": model, "update_hops": 4, "lookahead_frames": 0, "synthesis_hops": 4},
        "output": {"sink": f"file:{sink}", "clock": clock},
    }
    return LiveSettings().with_overrides(tree).with_overrides(groups)


def play(settings: LiveSettings) -> dict:
    """Run a session to its end and return its account."""
    host = Host(settings)
    with host:
        assert host.wait(60)
    return host.stats()


def wait_for(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.005)
