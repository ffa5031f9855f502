"""The C function that a card calls, or whatever stands in for a card."""

from __future__ import annotations

import ctypes
from typing import Any

from numba import carray, cfunc, types

from rtsep.atomics import float_pointer, store_release
from rtsep.callback.durations import count_duration
from rtsep.callback.events import XRUN, note
from rtsep.callback.intake import record
from rtsep.callback.limiter import limit
from rtsep.callback.meters import measure
from rtsep.callback.mix import mix
from rtsep.callback.records import CHUNK_SAMPLES, STATE_POINTER, inner
from rtsep.digest import digest_of
from rtsep.monotonic import now_ns

XRUN_FLAGS = 0xF  # paInputUnderflow .. paOutputOverflow

_ULONG = (
    types.uint32 if ctypes.sizeof(ctypes.c_ulong) == 4 else types.uint64
)  # unsigned long: 32 bits on Windows
_FLOATS = types.CPointer(types.float32)
SIGNATURE = types.intc(_FLOATS, _FLOATS, _ULONG, types.voidptr, _ULONG, STATE_POINTER)


@inner
def _finish(state: Any, outputs: Any, n: int) -> None:
    """What the outputs pass on their way out: limiter and meters."""
    limit(state, outputs, n)
    peaks = carray(float_pointer(state.peaks), (state.n_outputs,))
    squares = carray(float_pointer(state.squares), (state.n_outputs,))
    measure(outputs, n, peaks, squares, state.peak_fall, state.rms_fall)


@inner
def _deliver(state: Any, outputs: Any, block: Any, done: int, n: int) -> None:
    """To the card, and to the sink tape for whoever writes a file."""
    if state.n_card_outputs > 0:
        card = carray(block, (done + n, state.n_card_outputs))
        for i in range(n):
            for c in range(state.n_card_outputs):
                card[done + i, c] = outputs[c, i] if c < state.n_outputs else 0
    sink = carray(float_pointer(state.sink_samples), (state.n_outputs, state.sink_mask + 1))
    for c in range(state.n_outputs):
        for i in range(n):
            sink[c, (state.position + i) & state.sink_mask] = outputs[c, i]
    store_release(state.sink_written, state.position + n)


@inner
def _count_block(state: Any, flags: int) -> None:
    state.n_blocks += 1
    if flags & XRUN_FLAGS:
        state.n_xruns += 1
        if state.position < state.settled_position:
            state.n_xruns_at_start += 1
        note(state, XRUN, state.position, 0)


@inner
def _move_block(states: Any, inputs: Any, block: Any, n_samples: int, flags: int) -> None:
    started_ns = now_ns()
    state = carray(states, 1)[0]
    _count_block(state, flags)
    late_before, done = state.n_late_samples, 0
    while done < n_samples:
        n = min(CHUNK_SAMPLES, n_samples - done)
        record(state, inputs, done, n)
        outputs = mix(state, n)
        _finish(state, outputs, n)
        _deliver(state, outputs, block, done, n)
        state.position += n
        done += n
    if state.n_late_samples > late_before:
        state.n_late_blocks += 1
    count_duration(state, now_ns() - started_ns)


def _entry_point(sources: str) -> Any:
    """What the card calls; for `sources` see `rtsep.digest.digest_of`."""

    @cfunc(SIGNATURE, error_model="numpy", nopython=True, cache=True)
    def callback(inputs: Any, block: Any, n_samples: int, time_info: Any, flags: int, states: Any) -> int:
        """Move one block; the signature is PortAudio's ``PaStreamCallback``."""
        _ = sources  # a single call, or LLVM would not see through
        _move_block(states, inputs, block, n_samples, flags)
        return 0

    return callback


callback = _entry_point(digest_of(__name__))
