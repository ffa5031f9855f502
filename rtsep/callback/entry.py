"""The C functions that cards call, or whatever stands in for a card."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numba import carray, cfunc, types

from rtsep.atomics import float_pointer, load_acquire, store_release, void_pointer
from rtsep.callback.durations import count_duration
from rtsep.callback.events import JUMP, XRUN, note
from rtsep.callback.intake import note_starved, record
from rtsep.callback.limiter import limit
from rtsep.callback.meters import measure
from rtsep.callback.mix import mix
from rtsep.callback.records import CHUNK_SAMPLES, STATE_POINTER, chain_pointer, inner
from rtsep.clocks import CLOCK, publish
from rtsep.clocks import note as note_time
from rtsep.digest import digest_of
from rtsep.follower import FOLLOWER, begin, finish, steer
from rtsep.follower import position as place
from rtsep.monotonic import now_ns

XRUN_FLAGS = 0xF  # paInputUnderflow .. paOutputOverflow
CURRENT_TIME = 1  # of a PaStreamCallbackTimeInfo: three doubles; the call's own time is the second

# Unsigned long: 32 bits on Windows.
_ULONG = types.uint32 if ctypes.sizeof(ctypes.c_ulong) == 4 else types.uint64
_FLOATS = types.CPointer(types.float32)
SIGNATURE = types.intc(_FLOATS, _FLOATS, _ULONG, types.intp, _ULONG, STATE_POINTER)


@inner
def _finish(state: Any, outputs: Any, n: int) -> None:
    """What the outputs pass on their way out: limiter and meters."""
    limit(state, outputs, n)
    peaks = carray(float_pointer(state.peaks), (state.n_outputs,))
    squares = carray(float_pointer(state.squares), (state.n_outputs,))
    measure(outputs, n, peaks, squares, state.peak_fall, state.rms_fall)


@inner
def _keep(state: Any, outputs: Any, n: int) -> None:
    """To the sink tape, for whoever writes a file. After a jump what lies between is silent, or there already."""
    _bridge(state)
    mask, p, written = state.sink_mask, state.position, load_acquire(state.sink_written)
    sink = carray(float_pointer(state.sink_samples), (state.n_outputs, mask + 1))
    for c in range(state.n_outputs):
        for i in range(max(0, written - p), n):
            sink[c, (p + i) & mask] = outputs[c, i]
    if p + n > written:
        store_release(state.sink_written, p + n)


@inner
def _bridge(state: Any) -> None:
    """Silence on the sink tape up to where it is kept next; by chunks, for readers trust all but a guard of it."""
    mask, p, written = state.sink_mask, state.position, load_acquire(state.sink_written)
    sink = carray(float_pointer(state.sink_samples), (state.n_outputs, mask + 1))
    if 0 < written < p:
        chain = carray(chain_pointer(state.chain), 1)[0]
        note(state, JUMP, written - chain.offset, p - written)  # of the input, as it would be heard there
    written = max(written, p - mask - 1)
    while written < p:
        n = min(CHUNK_SAMPLES, p - written)
        for c in range(state.n_outputs):
            for i in range(n):
                sink[c, (written + i) & mask] = 0
        written += n
        store_release(state.sink_written, written)


@inner
def _deliver(state: Any, outputs: Any, block: Any, done: int, n: int) -> None:
    """To the card's channels."""
    if state.n_card_outputs == 0:
        return
    card = carray(block, (done + n, state.n_card_outputs))
    for i in range(n):
        for c in range(state.n_card_outputs):
            card[done + i, c] = outputs[c, i] if c < state.n_outputs else 0


@inner
def _count_block(state: Any, n_samples: int, time_info: int, flags: int) -> None:
    state.n_blocks += 1
    _measure_block(state, n_samples, time_info)
    if flags & XRUN_FLAGS:
        _count_xruns(state, state.position, 1)


@inner
def _measure_block(state: Any, n_samples: int, time_info: int) -> None:
    """How much the card moves at once: PortAudio may cut it into several calls, which all get the same time."""
    is_new = True
    if time_info != 0:
        time_s = carray(void_pointer(time_info), 3, np.float64)[CURRENT_TIME]
        is_new = time_s == 0 or time_s != state.block_time_s  # some host APIs tell no time
        state.block_time_s = time_s
    if is_new:
        state.block_samples = 0
    state.block_samples += np.int64(n_samples)
    state.longest_block = max(state.longest_block, state.block_samples)


@inner
def _count_xruns(state: Any, position: int, n_xruns: int) -> None:
    state.n_xruns += n_xruns
    if position < state.settled_position:
        state.n_xruns_at_start += n_xruns
    note(state, XRUN, position, 0)


@inner
def _count_input_xruns(state: Any) -> None:
    """Those of the other card: events have one writer, which is the output."""
    n_new = load_acquire(state.input_xruns) - state.n_input_xruns
    if n_new > 0:
        state.n_input_xruns += n_new
        _count_xruns(state, load_acquire(state.input_xrun_at), n_new)


@inner
def _next(state: Any, n: int) -> Any:
    """Mix, finish and keep the next samples, at the rate of the tapes."""
    outputs = mix(state, n)
    _finish(state, outputs, n)
    _keep(state, outputs, n)
    state.position += n
    return outputs


@inner
def _move_block(states: Any, inputs: Any, block: Any, n_samples: int, time_info: int, flags: int) -> None:
    """Both ends on one clock: record a chunk, play a chunk."""
    started_ns = now_ns()
    state = carray(states, 1)[0]
    _count_block(state, n_samples, time_info, flags)
    late_before, done = state.n_late_samples, 0
    while done < n_samples:
        n = min(CHUNK_SAMPLES, n_samples - done)
        record(state, inputs, done, n)
        note_starved(state)
        outputs = _next(state, n)
        _deliver(state, outputs, block, done, n)
        done += n
    if state.n_late_samples > late_before:
        state.n_late_blocks += 1
    count_duration(state, now_ns() - started_ns)


@inner
def _capture_block(states: Any, inputs: Any, n_samples: int, flags: int) -> None:
    """The input's half of two clocks: record, and note the time."""
    called_ns = now_ns()
    state = carray(states, 1)[0]
    if flags & XRUN_FLAGS:
        store_release(state.input_xrun_at, load_acquire(state.input_written))
        store_release(state.input_xruns, load_acquire(state.input_xruns) + 1)
    # Where the block begins is what the output follows: a card's own latency has the block in it already, as it has
    # with one clock; and nothing that is played can be further on than what is written.
    begun, done = load_acquire(state.input_written), 0
    while done < n_samples:
        n = min(CHUNK_SAMPLES, n_samples - done)
        record(state, inputs, done, n)
        done += n
    clock = carray(void_pointer(state.input_clock), 1, CLOCK)[0]
    note_time(clock, called_ns, begun)
    publish(clock)


@inner
def _play_block(states: Any, block: Any, n_samples: int, time_info: int, flags: int) -> None:
    """The output's half: find out where it ought to be, mix what that takes, and convert it."""
    started_ns = now_ns()
    state = carray(states, 1)[0]
    _count_block(state, n_samples, time_info, flags)
    _count_input_xruns(state)
    note_starved(state)
    follower = carray(void_pointer(state.follower), 1, FOLLOWER)[0]
    converted = carray(float_pointer(state.converted), (state.n_outputs, CHUNK_SAMPLES))
    mixed = carray(float_pointer(state.mixed), (state.n_outputs, state.most_mixed))
    late_before, done = state.n_late_samples, 0
    steer(follower, started_ns)
    while done < n_samples:
        n = min(CHUNK_SAMPLES, n_samples - done)
        n_in = begin(follower, n)
        state.position = place(follower)
        _mix_into(state, mixed, n_in)
        finish(follower, mixed, converted, 0, n)
        _deliver(state, converted, block, done, n)
        done += n
    if state.n_late_samples > late_before:
        state.n_late_blocks += 1
    count_duration(state, now_ns() - started_ns)


@inner
def _mix_into(state: Any, mixed: Any, n_in: int) -> None:
    """So many samples at the rate of the tapes, chunk by chunk."""
    made = 0
    while made < n_in:
        n = min(CHUNK_SAMPLES, n_in - made)
        outputs = _next(state, n)
        for c in range(state.n_outputs):
            for i in range(n):
                mixed[c, made + i] = outputs[c, i]
        made += n


_entry = cfunc(SIGNATURE, error_model="numpy", nopython=True, cache=True)


def _entry_point(sources: str) -> Any:
    """What a card with both ends calls; for `sources` see `rtsep.digest.digest_of`.

    The signature is PortAudio's ``PaStreamCallback``. It is a single call, or LLVM would not see through.
    """

    @_entry
    def callback(inputs: Any, block: Any, n_samples: int, time_info: Any, flags: int, states: Any) -> int:
        _ = sources
        _move_block(states, inputs, block, n_samples, time_info, flags)
        return 0

    return callback


def _half_entry_points(sources: str) -> tuple[Any, Any]:
    """What cards call of which one has an input and the other an output, each on a clock of its own."""

    @_entry
    def capture(inputs: Any, block: Any, n_samples: int, time_info: Any, flags: int, states: Any) -> int:
        _ = sources
        _capture_block(states, inputs, n_samples, flags)
        return 0

    @_entry
    def playback(inputs: Any, block: Any, n_samples: int, time_info: Any, flags: int, states: Any) -> int:
        _ = sources
        _play_block(states, block, n_samples, time_info, flags)
        return 0

    return capture, playback


callback = _entry_point(digest_of(__name__))


@cache
def halves() -> tuple[Any, Any]:
    """The entry points for two cards, input and output; compiled when somebody has two."""
    return _half_entry_points(digest_of(__name__))
