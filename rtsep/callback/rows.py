"""The rows of a chain's matrix: stems, residual and fallback at position p − offset, direct inputs at p.

The fade: a runs from 1 (stems) to 0 (the aligned mixture) when a chunk is late, and back when it is not. A chunk is
late when the stem tape has not reached its end plus the fade, or holds something that is not finite. So the stems
that a fade to the mixture needs are always there: the chunk before was checked that far ahead. Only where a follower
has jumped there was none before; it fades in by itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray

from rtsep.atomics import float_pointer, load_acquire
from rtsep.callback.records import CHUNK_SAMPLES, FADE_SAMPLES, inner
from rtsep.mix import N_EXTRA_ROWS
from rtsep.stream import N_CHANNELS


@inner
def _is_ready(chain: Any, start: int, n: int) -> bool:
    """Whether the stems are written and finite from `start` to `n` samples on, and as far as a fade reaches.

    What was found good is not looked at again: a fade's length before `checked`, if `start` moves forward as the sound
    does. A follower may jump; what lies between is then for another look, as there may be a hole.
    """
    if chain.checked > max(start, 0) + FADE_SAMPLES:  # it has jumped back
        chain.checked = 0
    end = start + n + FADE_SAMPLES
    if load_acquire(chain.stem_written) < end:
        return False
    n_stem_rows = N_CHANNELS * chain.n_stems
    stems = carray(float_pointer(chain.stem_samples), (n_stem_rows, chain.stem_mask + 1))
    for r in range(n_stem_rows):
        for q in range(max(start, 0, chain.checked), end):
            if not math.isfinite(stems[r, q & chain.stem_mask]):
                return False
    chain.checked = end
    return True


@inner
def fill_rows(state: Any, chain: Any, n: int) -> int:
    """Fill `n` samples of all rows; how many of these were late."""
    start = state.position - chain.offset
    rows = carray(float_pointer(chain.rows), (chain.n_rows, CHUNK_SAMPLES))
    stems = carray(float_pointer(chain.stem_samples), (N_CHANNELS * chain.n_stems, chain.stem_mask + 1))
    tape = carray(float_pointer(state.input_samples), (state.n_input_rows, state.input_mask + 1))
    ready = _is_ready(chain, start, n)
    if not ready and chain.checked - start < chain.fade * FADE_SAMPLES:
        chain.fade = 0.0  # after a jump there is nothing good to fade from
    step = (1.0 if ready and state.bypass == 0 else -1.0) / FADE_SAMPLES
    if state.bypass != 0:
        chain.late_now = 0  # the mixture is what is wanted
    elif not ready:
        chain.late_now = 1
    n_late = 0
    for i in range(n):
        q = start + i
        chain.fade = min(1.0, max(0.0, chain.fade + step))
        if chain.fade == 1.0:
            chain.late_now = 0  # a late span ends when the stems are back in full
        if q < 0:  # before the first sample there is silence
            for r in range(chain.n_rows):
                rows[r, i] = 0
        else:
            n_late += chain.late_now
            _fill_sample(state, chain, stems, tape, q, rows, i)
        _fill_directs(state, chain, tape, rows, i)
    return n_late


@inner
def _fill_sample(state: Any, chain: Any, stems: Any, tape: Any, q: int, rows: Any, i: int) -> None:
    """Stems, residual and fallback of one sample; together they are the mixture."""
    gain, n_stem_rows = np.float32(chain.fade), N_CHANNELS * chain.n_stems
    for c in range(N_CHANNELS):
        x = tape[c, q & state.input_mask]
        total = np.float32(0)
        for s in range(chain.n_stems):
            row = N_CHANNELS * s + c
            value = gain * stems[row, q & chain.stem_mask] if gain > 0 else np.float32(0)
            rows[row, i] = value
            total += value
        fallback = (np.float32(1) - gain) * x
        rows[n_stem_rows + c, i] = x - fallback - total
        rows[n_stem_rows + N_CHANNELS + c, i] = fallback


@inner
def _fill_directs(state: Any, chain: Any, tape: Any, rows: Any, i: int) -> None:
    """Direct inputs: neither separated nor delayed."""
    first = N_CHANNELS * chain.n_stems + N_EXTRA_ROWS
    for r in range(N_CHANNELS * chain.n_directs):
        rows[first + r, i] = tape[N_CHANNELS + r, (state.position + i) & state.input_mask]
