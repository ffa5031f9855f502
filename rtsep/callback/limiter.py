"""A peak limiter on the main bus: below the ceiling every bit goes through as it is, above it nothing does.

With a lookahead of W samples, the gain that sample n needs is ``need = min(1, ceiling / peak)`` of both channels::

    least[n] = min(need[n − W .. n])                        what any sample on its way out needs
    held[n]  = min(least[n], 1 − (1 − held[n − 1]) · r)     down at once, up slowly: the release
    gain[n]  = mean(held[n − W .. n])                       no corners;  out[n] = gain[n] · x[n − W]

The minimum is the head of a queue: needs that no later one is below, each with the sample at which it leaves (Lemire,
"Streaming maximum-minimum filter", 2006). So it costs the same for any W. While nothing is turned down, there is none.

Each of the W + 1 `held` in the mean has ``need[n − W]`` in its minimum, so no sample passes above the ceiling. Their
sum is kept in integers of 2^−32, so that it comes back to exactly 1. All outputs are delayed by W: that is the declared
latency, and 0 without a lookahead, where the mean is of one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray

from rtsep.atomics import float_pointer
from rtsep.callback.records import inner, word_pointer

ONE = 1 << 32
SETTLED = 1 - 1e-6  # a release ends here: 1e-5 dB


@inner
def limit(state: Any, outputs: Any, n: int) -> None:
    """Limit the main bus of ``outputs (outputs, n)``, and delay all by the lookahead."""
    if state.main_left < 0:  # none is wanted
        return
    window = state.limiter_window
    gains = carray(word_pointer(state.limiter_gains), (window,))
    delays = carray(float_pointer(state.limiter_delays), (state.n_outputs, window))
    for i in range(n):
        at = state.limiter_at
        peak = max(abs(outputs[state.main_left, i]), abs(outputs[state.main_right, i]))
        need = state.ceiling / peak if peak > state.ceiling else np.float32(1)
        if peak > state.ceiling:
            if state.limiter_busy == 0:
                state.limiter_now = state.limiter_head = state.limiter_tail = 0
            state.limiter_busy = 2 * window  # until this has left the minimum and the mean
            state.n_limited_samples += 1
        for c in range(state.n_outputs):
            delays[c, at] = outputs[c, i]
        state.limiter_at = (at + 1) % window
        for c in range(state.n_outputs):
            outputs[c, i] = delays[c, state.limiter_at]
        if state.limiter_busy > 0:
            _turn_down(state, need, gains, at, outputs, i)


@inner
def _least(state: Any, need: Any) -> Any:
    """The least need of the window, this one in it."""
    window, now = state.limiter_window, state.limiter_now
    needs = carray(float_pointer(state.limiter_needs), (window,))
    leaves = carray(word_pointer(state.limiter_leaves), (window,))
    if state.limiter_head < state.limiter_tail and leaves[state.limiter_head % window] == now:
        state.limiter_head += 1
    while state.limiter_head < state.limiter_tail and needs[(state.limiter_tail - 1) % window] >= need:
        state.limiter_tail -= 1
    needs[state.limiter_tail % window] = need
    leaves[state.limiter_tail % window] = now + window
    state.limiter_tail += 1
    state.limiter_now += 1
    return needs[state.limiter_head % window]


@inner
def _turn_down(state: Any, need: Any, gains: Any, at: int, outputs: Any, i: int) -> None:
    """The gain of one sample, while there is anything to turn down."""
    least = _least(state, need)
    risen = 1 - (1 - state.limiter_gain) * state.limiter_release
    state.limiter_gain = min(float(least), 1.0 if risen > SETTLED else risen)
    held = math.floor(state.limiter_gain * ONE)
    state.limiter_sum += held - gains[at]
    gains[at] = held
    if state.limiter_gain == 1:
        state.limiter_busy -= 1
    gain = np.float32(state.limiter_sum / (ONE * state.limiter_window))
    _scale(outputs, state.main_left, i, gain, state.ceiling)
    if state.main_right != state.main_left:
        _scale(outputs, state.main_right, i, gain, state.ceiling)


@inner
def _scale(outputs: Any, channel: int, i: int, gain: Any, ceiling: Any) -> None:
    """One sample, turned down; the ceiling once more, for a product may be rounded up."""
    outputs[channel, i] = min(ceiling, max(-ceiling, gain * outputs[channel, i]))
