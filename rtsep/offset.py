"""How far behind the card's position the stems are played: a sum of parts, fixed when a session starts."""

from __future__ import annotations

import math

from rtsep.callback import FADE_SAMPLES
from rtsep.rest import POLL_S
from rtsep.stream import Latency, StemStream
from rtsep.tuning import time_updates

N_WARM_UPS = 16
COMPUTE_FACTOR = 1.5  # an update may take this much longer than the slowest of the warm-up,
LEAST_RESERVE_S = 0.008  # and at least so much: two slices of a scheduler that has something else to do


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


def tell_block(longest_samples: int, allowed_samples: int) -> str | None:
    """What a person should know of a card that moves more at once than the latency allows for, or None."""
    if longest_samples <= allowed_samples:
        return None
    return (
        f"The card moves {longest_samples} samples at once, the latency allows for {allowed_samples}: the last of them "
        f"may be late. Set output.max_block_samples: {longest_samples} and output.block_samples: 0, or have the card "
        "move less."
    )


def measure_compute_s(stream: StemStream, sample_rate_hz: int) -> float:
    """Warm a stream up; what an update may take: what the slowest took, a reserve, and the wake-up."""
    slowest_s = max(time_updates(stream, sample_rate_hz, N_WARM_UPS, is_paced=False))
    deadline_s = stream.update_samples / sample_rate_hz
    return min(max(slowest_s * COMPUTE_FACTOR, slowest_s + LEAST_RESERVE_S), deadline_s) + 2 * POLL_S
