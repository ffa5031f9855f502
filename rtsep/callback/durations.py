"""How long the callback takes, by its own clock: a histogram with steps of 9 %, of which percentiles are read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray
from numpy.typing import NDArray

from rtsep.callback.records import inner, word_pointer

N_STEPS = 256
STEPS_PER_OCTAVE = 8
SHORTEST_NS = 100.0


@inner
def count_duration(state: Any, duration_ns: int) -> None:
    """Count one call."""
    step = int(STEPS_PER_OCTAVE * math.log2(max(duration_ns, 1) / SHORTEST_NS))
    counts = carray(word_pointer(state.durations), (N_STEPS,))
    counts[min(N_STEPS - 1, max(0, step))] += 1
    state.longest_ns = max(state.longest_ns, duration_ns)


def percentile_us(counts: NDArray[np.int64], percent: float) -> float:
    """A duration that so many percent of the calls did not exceed, in microseconds; 0 if there were none."""
    reached = np.cumsum(counts)
    if not reached[-1]:
        return 0.0
    step = int(np.searchsorted(reached, reached[-1] * percent / 100))
    return float(SHORTEST_NS * 2 ** ((step + 1) / STEPS_PER_OCTAVE) / 1000)
