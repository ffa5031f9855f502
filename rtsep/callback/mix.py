"""Rows times matrix, with the gains on their way; of one chain, or of two and a fade between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from rtsep.atomics import FRESH, SLOT, exchange, float_pointer, load_acquire, store_release
from rtsep.callback.events import LATE, SWITCH, note
from rtsep.callback.meters import measure
from rtsep.callback.records import CHUNK_SAMPLES, chain_pointer, inner
from rtsep.callback.rows import fill_rows


@inner
def mix(state: Any, n: int) -> Any:
    """The next `n` samples of all outputs, ``(outputs, CHUNK_SAMPLES)``."""
    if state.next_chain == 0:
        state.next_chain = exchange(state.incoming, 0)
    chain = carray(chain_pointer(state.chain), 1)[0]
    outputs = _play(state, chain, n, True)
    if state.next_chain != 0:
        after = carray(chain_pointer(state.next_chain), 1)[0]
        _cross(state, outputs, _play(state, after, n, False), n)
        state.cross += n
        if state.cross >= state.cross_samples:
            _switch(state, chain, after)
            return carray(float_pointer(after.outputs), (state.n_outputs, CHUNK_SAMPLES))
    return outputs


@inner
def _play(state: Any, chain: Any, n: int, counts: bool) -> Any:
    """What one chain makes of the next `n` samples; whether it counts what is late."""
    n_late = fill_rows(state, chain, n)
    if counts:
        _count_late(state, chain, n_late)
    _take_coefficients(chain)
    _multiply(chain, n)
    rows = carray(float_pointer(chain.rows), (chain.n_rows, CHUNK_SAMPLES))
    peaks = carray(float_pointer(chain.peaks), (chain.n_rows,))
    squares = carray(float_pointer(chain.squares), (chain.n_rows,))
    measure(rows, n, peaks, squares, state.peak_fall, state.rms_fall)
    return carray(float_pointer(chain.outputs), (state.n_outputs, CHUNK_SAMPLES))


@inner
def _count_late(state: Any, chain: Any, n_late: int) -> None:
    """Count late samples, which are the first ones of a chunk, and note where a span of them was when it is over."""
    state.n_late_samples += n_late
    start = max(0, state.position - chain.offset)
    if n_late > 0 and chain.late_start < 0:
        chain.late_start = start
    if chain.late_now == 0 and chain.late_start >= 0:
        # A follower may have jumped back in the middle of it.
        note(state, LATE, chain.late_start, max(0, start + n_late - chain.late_start))
        chain.late_start = -1


@inner
def _take_coefficients(chain: Any) -> None:
    """If a new matrix was published: ramp from where the gains are to there."""
    if load_acquire(chain.word) & FRESH == 0:
        return
    chain.front = exchange(chain.word, chain.front) & SLOT
    n_cells = chain.n_rows * chain.n_outputs
    slots = carray(float_pointer(chain.slots), (3, n_cells))
    gains = carray(float_pointer(chain.gains), (n_cells,))
    steps = carray(float_pointer(chain.steps), (n_cells,))
    for k in range(n_cells):
        steps[k] = (slots[chain.front, k] - gains[k]) / np.float32(chain.ramp_samples)
    chain.ramp_left = chain.ramp_samples


@inner
def _multiply(chain: Any, n: int) -> None:
    """The outputs of a chain."""
    shape = (chain.n_rows, chain.n_outputs)
    rows = carray(float_pointer(chain.rows), (chain.n_rows, CHUNK_SAMPLES))
    outputs = carray(float_pointer(chain.outputs), (chain.n_outputs, CHUNK_SAMPLES))
    gains, steps = carray(float_pointer(chain.gains), shape), carray(float_pointer(chain.steps), shape)
    slots = carray(float_pointer(chain.slots), (3, chain.n_rows, chain.n_outputs))
    n_ramp = min(n, chain.ramp_left)
    for c in range(chain.n_outputs):
        for i in range(n):
            outputs[c, i] = 0
        for r in range(chain.n_rows):
            target, step = slots[chain.front, r, c], steps[r, c]
            for i in range(n_ramp):  # counted back from where it ends, so that no rounding adds up
                outputs[c, i] += (target - step * np.float32(chain.ramp_left - 1 - i)) * rows[r, i]
            gain = target - step * np.float32(chain.ramp_left - n_ramp)
            gains[r, c] = gain
            if gain != 0:
                for i in range(n_ramp, n):
                    outputs[c, i] += gain * rows[r, i]
    chain.ramp_left -= n_ramp


@inner
def _cross(state: Any, before: Any, after: Any, n: int) -> None:
    """From one chain's outputs to the other's, into both: linear, for where the offsets agree they are the same."""
    for i in range(n):
        share = min(np.float32(1), np.float32(state.cross + 1 + i) / np.float32(state.cross_samples))
        for c in range(state.n_outputs):
            value = before[c, i] + share * (after[c, i] - before[c, i]) if share < 1 else after[c, i]
            before[c, i] = after[c, i] = value


@inner
def _switch(state: Any, before: Any, after: Any) -> None:
    """The next chain is the one that plays; the host may let go of the other."""
    if before.late_start >= 0:
        note(state, LATE, before.late_start, state.position - before.offset - before.late_start)
    note(state, SWITCH, state.position - after.offset, after.offset - before.offset)
    state.chain, state.next_chain, state.cross = state.next_chain, 0, 0
    state.n_switches += 1
    store_release(state.playing, state.chain)
