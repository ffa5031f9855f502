"""The compiled audio callback: input to tape, stems and mixture through fade and matrix to the outputs.

One call moves one block. At card position p (samples delivered so far) it plays stem position p − offset::

    card input or source tape ─▶ input tape [p, p + n)
    stem tape  [p − offset ..) ─┐
    input tape [p − offset ..) ─┴▶ fade a ─▶ rows ─▶ matrix ─▶ card output, sink tape
                                                └▶ meters

It takes no lock, allocates nothing and never touches Python: numba compiles it to a C function over raw addresses,
all of which stand in one record, `STATE`. A block is cut into chunks of at most `CHUNK_SAMPLES`.

The fade: a runs from 1 (stems) to 0 (the aligned mixture) when a chunk is late, and back when it is not. A chunk is
late when the stem tape has not reached its end plus the fade, or holds something that is not finite. So the stems
that a fade to the mixture needs are always there: the chunk before was checked that far ahead.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numba import carray, cfunc, from_dtype, njit, types

from rtsep.atomics import FRESH, SLOT, exchange, float_pointer, load_acquire, store_release
from rtsep.mixer import N_EXTRA_ROWS
from rtsep.stream import N_CHANNELS

CHUNK_SAMPLES = 256
FADE_SAMPLES = 64  # linear: the two signals are nearly the same, equal power would bump by 3 dB
PEAK_FALL_S = 0.35  # a meter's peak falls to 1/e in this time: 25 dB/s
RMS_WINDOW_S = 0.3
TINY = np.float32(1e-15)  # added to what decays, so that no meter ever meets a denormal
XRUN_FLAGS = 0xF  # paInputUnderflow .. paOutputOverflow

TAPE_FIELDS = ("input", "source", "stem", "sink")

STATE = np.dtype(
    [
        # The card.
        ("position", np.int64),
        ("n_card_inputs", np.int64),
        ("left_input", np.int64),
        ("right_input", np.int64),
        ("n_card_outputs", np.int64),
        # The tapes: address of the samples, of the published word, and capacity - 1; address 0 is no tape.
        *[(f"{tape}_{part}", np.int64) for tape in TAPE_FIELDS for part in ("samples", "written", "mask")],
        # The mix.
        ("n_stems", np.int64),
        ("n_outputs", np.int64),
        ("offset", np.int64),
        ("slots", np.int64),
        ("word", np.int64),
        ("front", np.int64),
        ("gains", np.int64),
        ("steps", np.int64),
        ("ramp_samples", np.int64),
        ("ramp_left", np.int64),
        # Scratch and meters.
        ("rows", np.int64),
        ("buses", np.int64),
        ("peaks", np.int64),
        ("squares", np.int64),
        ("peak_fall", np.float64),
        ("rms_fall", np.float64),
        # The fade and what is counted.
        ("fade", np.float64),
        ("bypass", np.int64),
        ("checked", np.int64),
        ("late_now", np.int64),
        ("n_blocks", np.int64),
        ("n_late_blocks", np.int64),
        ("n_late_samples", np.int64),
        ("n_xruns", np.int64),
        ("n_starved_samples", np.int64),
    ],
    align=True,
)

_ULONG = types.uint32 if ctypes.sizeof(ctypes.c_ulong) == 4 else types.uint64
_FLOATS = types.CPointer(types.float32)
_STATE_POINTER = types.CPointer(from_dtype(STATE))
_SIGNATURE = types.intc(_FLOATS, _FLOATS, _ULONG, types.voidptr, _ULONG, _STATE_POINTER)
_inline = njit(error_model="numpy", nogil=True, cache=True)


@_inline
def _finite(value: Any) -> Any:
    """What is not a number must not reach the tape: one would stay in the networks' window for seconds."""
    return value if math.isfinite(value) else np.float32(0)


@_inline
def _record(state: Any, inputs: Any, done: int, n: int) -> None:
    """Input to the input tape: from the card, or from the source tape (a file), or silence."""
    mask = state.input_mask
    tape = carray(float_pointer(state.input_samples), (N_CHANNELS, mask + 1))
    p = state.position
    if state.source_samples != 0:
        source = carray(float_pointer(state.source_samples), (N_CHANNELS, state.source_mask + 1))
        n_there = min(n, max(0, load_acquire(state.source_written) - p))
        for c in range(N_CHANNELS):
            for i in range(n_there):
                tape[c, (p + i) & mask] = _finite(source[c, (p + i) & state.source_mask])
            for i in range(n_there, n):
                tape[c, (p + i) & mask] = 0
        state.n_starved_samples += n - n_there
    elif state.n_card_inputs > 0:
        block = carray(inputs, (done + n, state.n_card_inputs))
        for i in range(n):
            tape[0, (p + i) & mask] = _finite(block[done + i, state.left_input])
            tape[1, (p + i) & mask] = _finite(block[done + i, state.right_input])
    else:
        for c in range(N_CHANNELS):
            for i in range(n):
                tape[c, (p + i) & mask] = 0
    store_release(state.input_written, p + n)


@_inline
def _take_coefficients(state: Any) -> None:
    """If a new matrix was published: ramp from where the gains are to there."""
    if load_acquire(state.word) & FRESH == 0:
        return
    state.front = exchange(state.word, state.front) & SLOT
    n_cells = (N_CHANNELS * state.n_stems + N_EXTRA_ROWS) * state.n_outputs
    slots = carray(float_pointer(state.slots), (3, n_cells))
    gains = carray(float_pointer(state.gains), (n_cells,))
    steps = carray(float_pointer(state.steps), (n_cells,))
    for k in range(n_cells):
        steps[k] = (slots[state.front, k] - gains[k]) / np.float32(state.ramp_samples)
    state.ramp_left = state.ramp_samples


@_inline
def _is_ready(state: Any, start: int, n: int) -> bool:
    """Whether the stems are written and finite from `start` to `n` samples on, and as far as a fade reaches.

    `start` only ever moves forward, so that what was once found good is not looked at again.
    """
    end = start + n + FADE_SAMPLES
    if load_acquire(state.stem_written) < end:
        return False
    n_rows = N_CHANNELS * state.n_stems
    stems = carray(float_pointer(state.stem_samples), (n_rows, state.stem_mask + 1))
    for r in range(n_rows):
        for q in range(max(start, 0, state.checked), end):
            if not math.isfinite(stems[r, q & state.stem_mask]):
                return False
    state.checked = end
    return True


@_inline
def _fill_rows(state: Any, n: int) -> None:
    """The rows of the matrix: stems, residual and fallback at position p − offset, through the fade."""
    start = state.position - state.offset
    n_stem_rows = N_CHANNELS * state.n_stems
    rows = carray(float_pointer(state.rows), (n_stem_rows + N_EXTRA_ROWS, CHUNK_SAMPLES))
    stems = carray(float_pointer(state.stem_samples), (n_stem_rows, state.stem_mask + 1))
    mixture = carray(float_pointer(state.input_samples), (N_CHANNELS, state.input_mask + 1))
    ready = _is_ready(state, start, n)
    step = (1.0 if ready and state.bypass == 0 else -1.0) / FADE_SAMPLES
    if state.bypass != 0:
        state.late_now = 0  # the mixture is what is wanted
    elif not ready:
        state.late_now = 1
    for i in range(n):
        q = start + i
        a = min(1.0, max(0.0, state.fade + step))
        state.fade = a
        if a == 1.0:
            state.late_now = 0  # a late span ends when the stems are back in full
        if q < 0:  # before the first sample there is silence
            for r in range(n_stem_rows + N_EXTRA_ROWS):
                rows[r, i] = 0
            continue
        state.n_late_samples += state.late_now
        gain = np.float32(a)
        for c in range(N_CHANNELS):
            x = mixture[c, q & state.input_mask]
            total = np.float32(0)
            for s in range(state.n_stems):
                row = N_CHANNELS * s + c
                value = gain * stems[row, q & state.stem_mask] if gain > 0 else np.float32(0)
                rows[row, i] = value
                total += value
            fallback = (np.float32(1) - gain) * x
            rows[n_stem_rows + c, i] = x - fallback - total
            rows[n_stem_rows + N_CHANNELS + c, i] = fallback


@_inline
def _mix(state: Any, n: int) -> None:
    """Rows times matrix, with the gains on their way; and the meters of both."""
    n_rows = N_CHANNELS * state.n_stems + N_EXTRA_ROWS
    n_outputs = state.n_outputs
    rows = carray(float_pointer(state.rows), (n_rows, CHUNK_SAMPLES))
    buses = carray(float_pointer(state.buses), (n_outputs, CHUNK_SAMPLES))
    gains = carray(float_pointer(state.gains), (n_rows, n_outputs))
    steps = carray(float_pointer(state.steps), (n_rows, n_outputs))
    slots = carray(float_pointer(state.slots), (3, n_rows, n_outputs))
    n_ramp = min(n, state.ramp_left)
    for c in range(n_outputs):
        for i in range(n):
            buses[c, i] = 0
        for r in range(n_rows):
            target, step = slots[state.front, r, c], steps[r, c]
            for i in range(n_ramp):  # counted back from where it ends, so that no rounding adds up
                buses[c, i] += (target - step * np.float32(state.ramp_left - 1 - i)) * rows[r, i]
            gain = target - step * np.float32(state.ramp_left - n_ramp)
            gains[r, c] = gain
            if gain != 0:
                for i in range(n_ramp, n):
                    buses[c, i] += gain * rows[r, i]
    state.ramp_left -= n_ramp
    _meter(state, rows, 0, n_rows, n)
    _meter(state, buses, n_rows, n_outputs, n)


@_inline
def _meter(state: Any, signals: Any, first: int, n_signals: int, n: int) -> None:
    """Peak and mean square, falling as meters do."""
    peaks = carray(float_pointer(state.peaks), (first + n_signals,))
    squares = carray(float_pointer(state.squares), (first + n_signals,))
    peak_fall, rms_fall = np.float32(state.peak_fall**n), np.float32(state.rms_fall**n)
    for r in range(n_signals):
        peak = peaks[first + r] * peak_fall + TINY
        energy = np.float32(0)
        for i in range(n):
            value = abs(signals[r, i])
            peak = max(peak, value)
            energy += value * value
        peaks[first + r] = peak
        mean = energy / np.float32(n)
        squares[first + r] = mean + (squares[first + r] - mean) * rms_fall + TINY


@_inline
def _deliver(state: Any, outputs: Any, done: int, n: int) -> None:
    """Buses to the card, and to the sink tape for whoever writes a file."""
    buses = carray(float_pointer(state.buses), (state.n_outputs, CHUNK_SAMPLES))
    if state.n_card_outputs > 0:
        block = carray(outputs, (done + n, state.n_card_outputs))
        for i in range(n):
            for c in range(state.n_card_outputs):
                block[done + i, c] = buses[c, i] if c < state.n_outputs else np.float32(0)
    if state.sink_samples != 0:
        mask = state.sink_mask
        sink = carray(float_pointer(state.sink_samples), (state.n_outputs, mask + 1))
        for c in range(state.n_outputs):
            for i in range(n):
                sink[c, (state.position + i) & mask] = buses[c, i]
        store_release(state.sink_written, state.position + n)


@cfunc(_SIGNATURE, error_model="numpy", nopython=True, cache=True)
def callback(inputs: Any, outputs: Any, n_samples: int, time_info: Any, flags: int, states: Any) -> int:
    """Move one block; the signature is PortAudio's ``PaStreamCallback``."""
    state = carray(states, 1)[0]
    state.n_blocks += 1
    if flags & XRUN_FLAGS:
        state.n_xruns += 1
    late_before = state.n_late_samples
    done = 0
    while done < n_samples:
        n = min(CHUNK_SAMPLES, n_samples - done)
        _record(state, inputs, done, n)
        _take_coefficients(state)
        _fill_rows(state, n)
        _mix(state, n)
        _deliver(state, outputs, done, n)
        state.position += n
        done += n
    if state.n_late_samples > late_before:
        state.n_late_blocks += 1
    return 0
