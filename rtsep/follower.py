"""Two cards, two clocks: the output follows the input's tape at its own rate, for ever at the same distance.

The input's callback writes the tape and notes the time; the output's asks where on the tape it ought to be, which is
where the input is at that instant less the offset, and goes there by playing a little faster or slower::

    input callback        note ─▶ clock ─▶ line: position, time, rate ──(slots, no lock)──┐
                                                                                          ▼
    output callback       note ─▶ clock ─▶ line ─▶ where it is, where it ought to be ─▶ ratio
                                                                                          ▼
                          begin: n_in ─▶ the caller mixes n_in samples from `position` ─▶ converter ─▶ finish: n out

The loop (after F. Adriaensen, "Controlling adaptive resampling", Linux Audio Conference 2012): the ratio is that of the
two measured rates, plus what is wrong times the loop's bandwidth, through two low-pass filters. All of it starts wide
and becomes as narrow as the clocks' own loops, so that neither their jitter nor its own corrections are heard. As the
measured rates lead, a constant difference leaves no error.

It jumps, and counts it, when it is more than `AWAY_S` from where it ought to be: a clock was moved, as samples were
lost on one side. A jump is a fade to silence, and from silence in the next block. It falls silent as well while the
tape is not written as far as it needs (the input has stopped), and begins in silence, until both clocks have been
watched for `LOCK_S`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray, njit

from rtsep.atomics import load_acquire, void_pointer
from rtsep.clocks import AWAY_S, CLOCK, LINE, MOST_DEVIATION, PublishedClock, bandwidth, newest, note
from rtsep.dsp.polyphase import (
    CONVERTER,
    Converter,
    kernel_taps,
    make,
    n_needed,
    push,
    push_silence,
    seek,
    set_ratio,
)

LOCK_S = 0.25
SMOOTHER = 3.0  # the low-pass filters are wider than the loop by this: 53 degrees of phase margin are left
FADE_SAMPLES = 64
JITTER_S = 0.005  # callbacks that are late by less than this leave no gap

FOLLOWER = np.dtype(
    [
        ("clock", CLOCK),  # of the output
        ("converter", CONVERTER),
        # The input: its line, and the tape's published word.
        ("lines", np.int64),
        ("word", np.int64),
        ("front", np.int64),
        ("written", np.int64),
        # The loop.
        ("offset", np.float64),
        ("nominal_ratio", np.float64),
        ("most_deviation", np.float64),
        ("smooth", np.float64),
        ("ratio", np.float64),
        ("since", np.int64),  # delivered at the last correction
        ("age_s", np.float64),  # since it began to play
        ("error_samples", np.float64),
        # What it is doing, and what is counted.
        ("delivered", np.int64),
        ("is_playing", np.int64),
        ("fade", np.float64),
        ("n_in", np.int64),
        ("n_missing", np.int64),
        ("n_starts", np.int64),
        ("n_silent_samples", np.int64),
    ],
    align=True,
)

_inline = njit(
    error_model="numpy", nogil=True, forceinline=True
)  # into the callback; see `rtsep.callback.records`


@_inline
def steer(state: Any, now_ns: int) -> None:
    """At the begin of an output callback: find out where it is and where it ought to be, and set the ratio."""
    note(state.clock, now_ns, state.delivered)
    state.front = newest(state.word, state.front)
    line = carray(void_pointer(state.lines), 3, LINE)[state.front]
    here = state.clock.line
    if min(line.age_s, here.age_s) < LOCK_S and state.n_starts == 0:
        return
    ahead_s = 1e-9 * (here.epoch_ns - line.epoch_ns) + here.time_s - line.time_s
    beyond = ahead_s * line.rate_hz - state.offset  # where it ought to be, from the line's position
    rates = line.rate_hz / here.rate_hz
    if state.is_playing != 0:
        _correct(state, line.position, beyond, rates)
    elif state.fade == 0:
        _jump(state, line.position, beyond, rates)


@_inline
def _correct(state: Any, position: int, beyond: float, rates: float) -> None:
    """The ratio that leads to ``position + beyond``; if that is too far, an end to this."""
    converter = state.converter
    fraction = converter.fraction / converter.denominator
    state.error_samples = (position - converter.whole) + (beyond - fraction)
    rate_hz = state.clock.line.rate_hz
    if abs(state.error_samples) > AWAY_S * rate_hz * rates:
        state.is_playing = 0
        return
    w = bandwidth(state.age_s)
    dt = (state.delivered - state.since) / rate_hz
    state.since = state.delivered
    state.age_s += dt
    part = 1 - math.exp(-SMOOTHER * w * dt)
    state.smooth += part * (rates + w * state.error_samples / rate_hz - state.smooth)
    state.ratio += part * (state.smooth - state.ratio)
    _set_ratio(state)


@_inline
def _set_ratio(state: Any) -> None:
    most = state.most_deviation * state.nominal_ratio
    set_ratio(state.converter, min(state.nominal_ratio + most, max(state.nominal_ratio - most, state.ratio)))


@_inline
def _jump(state: Any, position: int, beyond: float, rates: float) -> None:
    """Begin at ``position + beyond``."""
    converter = state.converter
    whole = math.floor(beyond)
    seek(converter, position + whole, int((beyond - whole) * converter.denominator))
    state.smooth = state.ratio = rates
    state.error_samples = state.age_s = 0.0
    state.since = state.delivered
    state.is_playing = 1
    _set_ratio(state)


@_inline
def position(state: Any) -> int:
    """The tape position of the first sample that `begin` asks for."""
    return state.converter.pushed  # type: ignore[no-any-return]


@_inline
def begin(state: Any, n: int) -> int:
    """How many tape samples must be mixed, from `position` on, for `n` samples of output; all of them are written.

    `n` is at most what the owner was made for. Positions below 0 are silence.
    """
    state.n_in = state.n_missing = 0
    if state.is_playing == 0 and state.fade == 0:
        return 0
    needed = n_needed(state.converter, n)
    there = max(0, load_acquire(state.written) - state.converter.pushed)
    if needed > there:  # it fades out on what it has
        state.is_playing = 0
        if state.fade == 0:
            return 0
    elif state.fade == 0:
        state.n_starts += 1
    state.n_in = min(needed, there)
    state.n_missing = needed - state.n_in
    return state.n_in  # type: ignore[no-any-return]


@_inline
def finish(state: Any, mixed: Any, out: Any, first: int, n: int) -> None:
    """What `begin` asked for, ``(channels, ≥ n_in)``, to `n` samples of output from ``out[:, first]`` on."""
    converter = state.converter
    state.delivered += n
    if state.is_playing == 0 and state.fade == 0:
        for c in range(converter.n_channels):
            for i in range(n):
                out[c, first + i] = 0
    else:
        push(converter, mixed, 0, state.n_in)
        push_silence(converter, state.n_missing)
        make(converter, out, first, n)
        _fade(state, out, first, n)
    if state.fade < 1 and state.n_starts > 0:
        state.n_silent_samples += n


@_inline
def _fade(state: Any, out: Any, first: int, n: int) -> None:
    """In while it plays, out when it does not."""
    step = (1.0 if state.is_playing != 0 else -1.0) / FADE_SAMPLES
    for i in range(n):
        state.fade = min(1.0, max(0.0, state.fade + step))
        if state.fade < 1:
            for c in range(state.converter.n_channels):
                out[c, first + i] *= np.float32(state.fade)


class Follower:
    """The memory of a follower, and of the clock that the input's callback notes and publishes.

    Parameters
    ----------
    n_channels
        Output channels.
    rate_in_hz, rate_out_hz
        Nominal rates of the tape and of the output.
    offset_samples
        How far behind the input's present it plays, in samples of the tape. At least `least_offset_samples`, and the
        latency of whatever must be on other tapes by then.
    written_address
        Of the input tape's published word.
    most_samples
        The most that `begin` is asked for.
    """

    def __init__(
        self,
        n_channels: int,
        rate_in_hz: int,
        rate_out_hz: int,
        offset_samples: int,
        written_address: int,
        most_samples: int,
    ) -> None:
        ratio = rate_in_hz / rate_out_hz
        most_in = math.ceil(most_samples * ratio * (1 + MOST_DEVIATION)) + 2
        self._converter = Converter(
            n_channels, rate_in_hz, rate_out_hz, is_steered=True, most_samples=2 * most_in
        )
        self.most_in_samples = most_in + 2 * self._converter.lag_samples  # a jump fills the kernel as well
        self.input_clock = PublishedClock(rate_in_hz)
        self.states = np.zeros(1, FOLLOWER)
        state = self.states[0]
        state["converter"] = self._converter.states[0]
        state["clock"]["nominal_hz"] = rate_out_hz
        state["lines"], state["word"] = self.input_clock.slots.ctypes.data, self.input_clock.word_address
        state["written"] = written_address
        state["offset"], state["nominal_ratio"] = offset_samples, ratio
        state["most_deviation"] = MOST_DEVIATION

    @property
    def address(self) -> int:
        """Of the record, for the callback."""
        return int(self.states.ctypes.data)

    @property
    def n_jumps(self) -> int:
        """How often it left where it was and began anew."""
        return max(0, int(self.states[0]["n_starts"]) - 1)


def least_offset_samples(rate_in_hz: int, rate_out_hz: int, block_in: int, block_out: int) -> dict[str, int]:
    """What the two callbacks and the converter need between input and output, by parts, in samples of the tape.

    Parameters
    ----------
    rate_in_hz, rate_out_hz
        Nominal rates of the tape and of the output.
    block_in, block_out
        The largest blocks of the two, each in its own samples; `block_in` is 0 if the input notes where its block
        begins, and not where it ends.
    """
    ratio = rate_in_hz / rate_out_hz
    return {
        "input block": block_in,
        "output block": math.ceil(block_out * ratio * (1 + MOST_DEVIATION)),
        "converter": kernel_taps(max(1.0, ratio)) // 2 + 1,
        "jitter": math.ceil(JITTER_S * rate_in_hz),
    }
