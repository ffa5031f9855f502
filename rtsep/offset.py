"""How far behind the card's position the stems are played: a sum of parts, fixed when a session starts."""

from __future__ import annotations

import math
import time

import numpy as np

from rtsep.callback import FADE_SAMPLES
from rtsep.engine import POLL_S
from rtsep.stream import N_CHANNELS, Latency, StemStream

N_WARM_UPS = 5
COMPUTE_FACTOR = 1.5  # an update may take this much longer than the slowest of the warm-up


def offset(stream: StemStream, sample_rate_hz: int, compute_s: float, largest_block_samples: int) -> Latency:
    """From the card's position back to the stem position that is played then.

    At the call that plays up to stem position ``p + block − offset``, and looks a fade ahead, the engine has had
    `compute_s` since the input that it needs was there.
    """
    parts = dict(stream.latency.parts)
    parts["fade"] = FADE_SAMPLES
    parts["block"] = largest_block_samples
    parts["compute"] = math.ceil(compute_s * sample_rate_hz)
    return Latency(sample_rate_hz, parts)


def measure_compute_s(stream: StemStream, sample_rate_hz: int) -> float:
    """Warm a stream up; what an update may take: what the slowest took and a half more, and the wake-up."""
    block = np.zeros((N_CHANNELS, stream.update_samples), np.float32)
    slowest_s = 0.0
    for i in range(N_WARM_UPS):
        started_s = time.perf_counter()
        stream.process(block)
        if i:  # the first call pays for what is made once
            slowest_s = max(slowest_s, time.perf_counter() - started_s)
    stream.reset()
    deadline_s = stream.update_samples / sample_rate_hz
    return min(slowest_s * COMPUTE_FACTOR, deadline_s) + 2 * POLL_S
