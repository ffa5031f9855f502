"""Two cards, two clocks: the output follows the input's tape at its own rate, for ever at the same distance.

The input's callback writes the tape and notes the time; the output's asks where on the tape it ought to be, which is
where the input is at that instant less the offset, and goes there by playing a little faster or slower::

    input callback        note ─▶ clock ─▶ line: position, time, rate ──(slots, no lock)──┐
                                                                                          ▼
    output callback       note ─▶ clock ─▶ line ─▶ where it is, where it ought to be ─▶ ratio
                                                                                          ▼
                          begin: n_in ─▶ the caller mixes n_in samples from `position` ─▶ converter ─▶ finish: n out

The loop (after F. Adriaensen, "Controlling adaptive resampling", Linux Audio Conference 2012): the ratio is led to that
of the two measured rates, and by what is wrong, as a mass on a damped spring is (natural frequency w, damping 1/√2)::

    error' = rates − ratio        ratio' = √2 w (rates − ratio) + w² error

What is heard of it is how fast the ratio changes. If it changes by a in a second, time bends by a parabola, of which no
line takes 1/√720 · a seconds rms; that leaves, of a sine of frequency f, THD+N of ``20 log10(2π f · 0.037 a)``: −100 dB
at 1 kHz for 4e-8 a second. So w is wide only as long as the rates are not known. Once they are, to `KNOWN`, the ratio
becomes theirs, and w is narrow but for large errors: √2 · `NARROW` · `KNOWN` is 4e-8. As the measured rates lead, a
constant difference leaves no error.

It jumps, and counts it, when it is more than `AWAY_S` from where it ought to be: a clock was moved, as samples were
lost on one side. A jump is a cross-fade, from what the converter still has. It falls silent while the tape is not
written as far as it needs (the input has stopped), and begins in silence, until both clocks have been watched for
`LOCK_S`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray, njit

from rtsep.atomics import float_pointer, load_acquire, void_pointer
from rtsep.clocks import AWAY_S, CLOCK, LINE, MOST_DEVIATION, NARROW, PublishedClock, newest, note
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
WIDE = 1.0  # w in radians a second, at most
HURRY = 5e4  # w over the error of the rates, until they are
KNOWN = 2e-6
LARGE_S = 1e-4  # from here on an error makes w wider,
MOST_WIDER = 25.0  # but never by more: 2 ms are caught up with by 300 ppm at most
FADE_SAMPLES = 64
STORED_SAMPLES = FADE_SAMPLES // 2  # the converter can play on: the kernel has half of its taps in store
TAIL_SAMPLES = STORED_SAMPLES  # of what played before a jump
JITTER_S = 0.005  # callbacks that are late by less than this leave no gap
AWAY_SHARE = 0.5  # of that, where it is more: a call that is off by so much tells no time

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
        ("most_error_s", np.float64),
        ("ratio", np.float64),
        ("is_narrow", np.int64),
        ("since", np.int64),  # delivered at the last correction
        ("error_samples", np.float64),
        # What it is doing, and what is counted.
        ("delivered", np.int64),
        ("is_playing", np.int64),
        ("fade", np.float64),
        ("fade_step", np.float64),  # of a sample: up while it plays, down when it does not
        ("n_in", np.int64),
        ("n_missing", np.int64),
        ("tails", np.int64),  # (channels, TAIL_SAMPLES) of before a jump, faded
        ("tail_left", np.int64),
        ("n_starts", np.int64),
        ("n_silent_samples", np.int64),
    ],
    align=True,
)

# Into the callback; see `rtsep.callback.records`.
_inline = njit(error_model="numpy", nogil=True, forceinline=True)


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
        converter = state.converter
        fraction = converter.fraction / converter.denominator
        state.error_samples = (line.position - converter.whole) + (beyond - fraction)
        if abs(state.error_samples) < state.most_error_s * line.rate_hz:
            unknown = math.sqrt(line.rate_error * line.rate_error + here.rate_error * here.rate_error)
            _correct(state, state.error_samples / line.rate_hz, rates, unknown)
            return
        _keep_tail(state)
    if state.fade == 0 or state.is_playing != 0:
        _jump(state, line.position, beyond, rates)


@_inline
def _correct(state: Any, error_s: float, rates: float, unknown: float) -> None:
    """A step of the loop; `rates` are uncertain by so much of 1."""
    dt = (state.delivered - state.since) / state.clock.line.rate_hz
    state.since = state.delivered
    w = min(WIDE, HURRY * unknown)
    if unknown < KNOWN:
        w = NARROW * min(MOST_WIDER, max(1.0, abs(error_s) / LARGE_S))
        if state.is_narrow == 0:
            state.ratio = rates
    state.is_narrow = 1 if unknown < KNOWN else 0
    state.ratio += min(1.0, math.sqrt(2.0) * w * dt) * (rates - state.ratio)
    state.ratio += min(1.0, w * w * dt) * error_s * rates
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
    state.ratio = rates
    state.error_samples = state.fade = 0.0
    state.is_narrow = 0
    state.since = state.delivered
    state.is_playing = 1
    state.fade_step = 1 / FADE_SAMPLES
    _set_ratio(state)


@_inline
def _keep_tail(state: Any) -> None:
    """What would have been played next, as far as the converter has it, on its way to silence."""
    converter = state.converter
    tails = carray(float_pointer(state.tails), (converter.n_channels, TAIL_SAMPLES))
    push_silence(converter, n_needed(converter, TAIL_SAMPLES))
    make(converter, tails, 0, TAIL_SAMPLES)
    for i in range(TAIL_SAMPLES):
        share = np.float32(state.fade * (TAIL_SAMPLES - 1 - i) / TAIL_SAMPLES)
        for c in range(converter.n_channels):
            tails[c, i] *= share
    state.tail_left = TAIL_SAMPLES


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
    if needed > there:
        if state.is_playing != 0:
            _fall_silent(state, there)
        if state.fade == 0:
            return 0
    elif state.fade == 0:
        state.n_starts += 1
    state.n_in = min(needed, there)
    state.n_missing = needed - state.n_in
    return state.n_in  # type: ignore[no-any-return]


@_inline
def _fall_silent(state: Any, there: int) -> None:
    """Fade out on what is there, and what the converter has in store: what comes behind is a cut."""
    state.is_playing = 0
    state.fade_step = -state.fade / min(FADE_SAMPLES, STORED_SAMPLES + there / state.ratio)


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
    _add_tail(state, out, first, n)
    if state.fade < 1 and state.n_starts > 0:
        state.n_silent_samples += n


@_inline
def _fade(state: Any, out: Any, first: int, n: int) -> None:
    """In while it plays, out when it does not."""
    for i in range(n):
        state.fade = min(1.0, max(0.0, state.fade + state.fade_step))
        if state.fade < 1:
            for c in range(state.converter.n_channels):
                out[c, first + i] *= np.float32(state.fade)


@_inline
def _add_tail(state: Any, out: Any, first: int, n: int) -> None:
    """What is left of before a jump."""
    tails = carray(float_pointer(state.tails), (state.converter.n_channels, TAIL_SAMPLES))
    n_tail = min(n, state.tail_left)
    for c in range(state.converter.n_channels):
        for i in range(n_tail):
            out[c, first + i] += tails[c, TAIL_SAMPLES - state.tail_left + i]
    state.tail_left -= n_tail


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
    jitter_s
        How late callbacks may be, as in `least_offset_samples`.
    """

    def __init__(
        self,
        n_channels: int,
        rate_in_hz: int,
        rate_out_hz: int,
        offset_samples: int,
        written_address: int,
        most_samples: int,
        jitter_s: float = JITTER_S,
    ) -> None:
        ratio = rate_in_hz / rate_out_hz
        most_in = math.ceil(most_samples * ratio * (1 + MOST_DEVIATION)) + 2
        self._converter = Converter(
            n_channels, rate_in_hz, rate_out_hz, is_steered=True, most_samples=2 * most_in
        )
        self.most_in_samples = most_in + 2 * self._converter.lag_samples  # a jump fills the kernel as well
        most_off_s = max(AWAY_S, AWAY_SHARE * jitter_s if jitter_s > JITTER_S else 0.0)
        self.input_clock = PublishedClock(rate_in_hz, most_off_s)
        self.states = np.zeros(1, FOLLOWER)
        state = self.states[0]
        state["converter"] = self._converter.states[0]
        state["clock"]["nominal_hz"] = rate_out_hz
        state["clock"]["most_off_s"] = state["most_error_s"] = most_off_s
        state["lines"], state["word"] = self.input_clock.slots.ctypes.data, self.input_clock.word_address
        state["written"] = written_address
        self._tails = np.zeros((n_channels, TAIL_SAMPLES), np.float32)
        state["tails"] = self._tails.ctypes.data
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


def least_offset_samples(
    rate_in_hz: int, rate_out_hz: int, block_in: int, block_out: int, jitter_s: float = JITTER_S
) -> dict[str, int]:
    """What the two callbacks and the converter need between input and output, by parts, in samples of the tape.

    Parameters
    ----------
    rate_in_hz, rate_out_hz
        Nominal rates of the tape and of the output.
    block_in, block_out
        The largest blocks of the two, each in its own samples; `block_in` is 0 if the input notes where its block
        begins, and not where it ends.
    jitter_s
        How late the input's callbacks may be.
    """
    ratio = rate_in_hz / rate_out_hz
    return {
        "input block": block_in,
        "output block": math.ceil(block_out * ratio * (1 + MOST_DEVIATION)),
        "converter": kernel_taps(max(1.0, ratio)) // 2 + 1,
        "jitter": math.ceil(jitter_s * rate_in_hz),
    }
