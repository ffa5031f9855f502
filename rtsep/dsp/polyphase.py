"""Sample rate conversion without bursts: one windowed sinc, read at any phase, at any ratio.

Output sample m is the input at position ``x = start + m · step``, which is kept as whole samples and an exact
fraction, so that nothing drifts::

    y(x) = Σ h(k − f) · input[⌊x⌋ + k],   f = x − ⌊x⌋,   k = −T/2 + 1 .. T/2

      ⌊x⌋ − T/2 + 1                 ⌊x⌋      x               ⌊x⌋ + T/2          pushed
    ───────┬─────────────────────────┬───────┴───────────────────┬─────────────────┬──▶ input position
           └───────────── the T taps of one output ──────────────┘   not yet used

Output keeps the input's time. It can be made once the input reaches half the taps beyond its position: that is the
lag, and it is the same for every sample.

The kernel h is a sinc that ends in a Kaiser window (Kaiser 1974, in Oppenheim and Schafer, *Discrete-Time Signal
Processing*, 7.6). Its cut-off is half the lower of the two rates, so its transition lies evenly around that: what is
below `PASS_BAND` of that half rate passes, and its images and aliases, which all lie above ``2 − PASS_BAND``, are
stopped. Only what lies between 0.907 and 1 (above 20 kHz of 44.1) is folded, and onto that band alone. So the kernel
is half as long as one that stops everything, and at a step of 1 its taps are 0 … 0 1 0 … 0: a delay, to the bit.

Why not soxr, which rtsep uses wherever nobody waits: at a fixed ratio it works in bursts, and at a varying one it
cannot run in the audio callback, which must not enter Python (figures of both: ``bench/resampling.py``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray, njit
from numpy.typing import NDArray

from rtsep.atomics import float_pointer
from rtsep.digest import digest_of
from rtsep.stream import Audio

STOP_BAND_DB = 120.0
PASS_BAND = 20000 / 22050  # of half the lower rate
N_PHASES = 64  # of the table; a cubic through four of them is good to -150 dB
N_MARGIN_ROWS = 3  # the cubic reaches one row back and two ahead
STEERED = 1 << 48  # denominator of a step that is no fraction of two rates
MOST_SAMPLES = 1 << 14  # that are counted or made at once: their fractions add up to less than 2^63
FLOAT_BYTES = 4
_SIMD_TAPS = 32  # the number of taps is a multiple: four vectors of eight, and no rest

CONVERTER = np.dtype(
    [
        # Position of the next output: whole + fraction / denominator; and the step to the one after it.
        ("whole", np.int64),
        ("fraction", np.int64),
        ("denominator", np.int64),
        ("step_whole", np.int64),
        ("step_fraction", np.int64),
        # Input: everything before this position is there. Its ring is kept twice in a row: no window wraps.
        ("pushed", np.int64),
        ("history", np.int64),
        ("mask", np.int64),
        # The kernel, its taps at the phase of one output, and the channels that share them.
        ("table", np.int64),
        ("taps", np.int64),
        ("n_taps", np.int64),
        ("n_channels", np.int64),
    ],
    align=True,
)

# Into the callback; see `rtsep.callback.records`.
_inline = njit(error_model="numpy", nogil=True, forceinline=True)
# Sums may be reordered, for the sake of SIMD; what is not finite stays so.
_kernel = njit(error_model="numpy", nogil=True, forceinline=True, fastmath={"reassoc", "contract", "nsz"})


def kernel_taps(stretch: float) -> int:
    """The length of the kernel (Kaiser's formula) in input samples.

    Parameters
    ----------
    stretch
        Input rate over output rate where that is more than 1, else 1.
    """
    width = 2 * math.pi * (1 - PASS_BAND)  # of the transition, in radians a sample
    n_taps = stretch * (STOP_BAND_DB - 7.95) / (2.285 * width)
    return _SIMD_TAPS * math.ceil(n_taps / _SIMD_TAPS)


def kernel_table(stretch: float) -> NDArray[np.float32]:
    """The kernel's taps at all phases.

    Returns
    -------
    ndarray
        ``(N_PHASES + 3, taps)``; row r is phase ``(r − 1) / N_PHASES``. Every row adds up to 1.
    """
    n_taps = kernel_taps(stretch)
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    phases = (np.arange(N_PHASES + N_MARGIN_ROWS)[:, None] - 1) / N_PHASES
    distance = np.arange(-n_taps // 2 + 1, n_taps // 2 + 1) - phases
    inside = np.maximum(0.0, 1 - (2 * distance / n_taps) ** 2)
    turns = distance / stretch
    nearest = np.round(turns)  # so that the sine of a whole number of half turns is exactly 0
    sine = np.sin(np.pi * (turns - nearest)) * (1 - 2 * (nearest % 2))
    sinc = np.divide(sine, np.pi * turns, out=np.ones_like(turns), where=turns != 0)
    rows = sinc * np.i0(beta * np.sqrt(inside)) * (inside > 0)
    return np.ascontiguousarray(rows / rows.sum(axis=1, keepdims=True), np.float32)


@_inline
def set_ratio(state: Any, ratio: float) -> None:
    """Steer: from now on an output sample is so many input samples after the other (`STEERED` converters only)."""
    whole = math.floor(ratio)
    state.step_whole = whole
    state.step_fraction = int((ratio - whole) * state.denominator)


@_inline
def n_needed(state: Any, n: int) -> int:
    """How many samples must be pushed before `n` more (at most `MOST_SAMPLES`) can be made; n ≥ 1."""
    fraction = state.fraction + (n - 1) * state.step_fraction
    last = state.whole + (n - 1) * state.step_whole + fraction // state.denominator
    return max(0, last + state.n_taps // 2 + 1 - state.pushed)  # type: ignore[no-any-return]


@_inline
def n_ready(state: Any) -> int:
    """How many samples can be made of what was pushed."""
    ahead = state.pushed - state.n_taps // 2 - state.whole  # the whole position must stay below this
    if ahead <= 0:
        return 0
    step = state.step_whole * state.denominator + state.step_fraction
    return (ahead * state.denominator - 1 - state.fraction) // step + 1  # type: ignore[no-any-return]


@_inline
def push(state: Any, block: Any, first: int, n: int) -> None:
    """Take input from `block` ``(channels, ≥ first + n)``."""
    ring = state.mask + 1
    history = carray(float_pointer(state.history), (state.n_channels, 2 * ring))
    for c in range(state.n_channels):
        for i in range(n):
            at = (state.pushed + i) & state.mask
            history[c, at] = history[c, at + ring] = block[c, first + i]
    state.pushed += n


@_inline
def push_silence(state: Any, n: int) -> None:
    """Take `n` samples of silence as input."""
    ring = state.mask + 1
    history = carray(float_pointer(state.history), (state.n_channels, 2 * ring))
    for c in range(state.n_channels):
        for i in range(n):
            at = (state.pushed + i) & state.mask
            history[c, at] = history[c, at + ring] = 0
    state.pushed += n


@_inline
def seek(state: Any, whole: int, fraction: int) -> None:
    """Go on at another input position; the next sample that is pushed is the first that its taps meet."""
    state.whole = whole
    state.fraction = fraction
    state.pushed = whole - state.n_taps // 2 + 1


@_kernel
def _set_taps(state: Any, fraction: int) -> None:
    """The kernel at one phase: the cubic through the four nearest rows (Lagrange)."""
    n_taps = state.n_taps
    taps = carray(float_pointer(state.taps), (n_taps,))
    at = fraction * (N_PHASES / state.denominator)
    row = int(at)
    t = at - row
    a = np.float32(-t * (t - 1) * (t - 2) / 6)
    b = np.float32((t + 1) * (t - 1) * (t - 2) / 2)
    c = np.float32(-(t + 1) * t * (t - 2) / 2)
    d = np.float32((t + 1) * t * (t - 1) / 6)
    rows = carray(float_pointer(state.table + row * n_taps * FLOAT_BYTES), (4, n_taps))
    for k in range(n_taps):
        taps[k] = a * rows[0, k] + b * rows[1, k] + c * rows[2, k] + d * rows[3, k]


@_kernel
def _weigh(taps: Any, samples: int, n_taps: int) -> Any:
    """The sum of taps times the samples at an address (counted from 0, or numba's check would keep SIMD out)."""
    window = carray(float_pointer(samples), (n_taps,))
    total = np.float32(0)
    for k in range(n_taps):
        total += taps[k] * window[k]
    return total


@_inline
def make(state: Any, block: Any, first: int, n: int) -> None:
    """Make `n` samples, for which enough was pushed, into `block` ``(channels, ≥ first + n)``."""
    n_taps = state.n_taps
    row_bytes = 2 * (state.mask + 1) * FLOAT_BYTES
    taps = carray(float_pointer(state.taps), (n_taps,))
    for i in range(n):
        _set_taps(state, state.fraction)
        start = state.history + ((state.whole - n_taps // 2 + 1) & state.mask) * FLOAT_BYTES
        for c in range(state.n_channels):
            block[c, first + i] = _weigh(taps, start + c * row_bytes, n_taps)
        fraction = state.fraction + state.step_fraction
        carry = 1 if fraction >= state.denominator else 0
        state.fraction = fraction - carry * state.denominator
        state.whole += state.step_whole + carry


def _entry_points(sources: str) -> Any:
    """For Python: convert, count what is ready, count what is needed, seek; for `sources` see `rtsep.digest`."""
    entry = njit(error_model="numpy", nogil=True, cache=True)

    @entry
    def convert(states: Any, block: Any, out: Any) -> None:
        """All of `block` in, all of `out` made, in pieces that fit the ring."""
        _ = sources
        state = states[0]
        pushed, made = 0, 0
        while made < out.shape[1] or pushed < block.shape[1]:
            n = min(block.shape[1] - pushed, state.mask + 1 - state.n_taps - state.step_whole - 1)
            push(state, block, pushed, n)
            pushed += n
            n = min(out.shape[1] - made, n_ready(state))
            make(state, out, made, n)
            made += n

    @entry
    def count_ready(states: Any, n_new: int) -> int:
        """How many samples can be made after so many more are pushed."""
        _ = sources
        state = states[0]
        state.pushed += n_new
        n = n_ready(state)
        state.pushed -= n_new
        return n  # type: ignore[no-any-return]

    @entry
    def count_needed(states: Any, n: int) -> int:
        _ = sources
        return n_needed(states[0], n)  # type: ignore[no-any-return]

    @entry
    def seek_whole(states: Any, whole: int) -> None:
        _ = sources
        seek(states[0], whole, 0)

    return convert, count_ready, count_needed, seek_whole


_convert, _count_ready, _count_needed, _seek = _entry_points(digest_of(__name__))


class Converter:
    """The memory of one converter, and its use from Python.

    Parameters
    ----------
    n_channels
        All are converted alike.
    rate_in_hz, rate_out_hz
        The two rates; their ratio is exact.
    is_steered
        Whether `set_ratio` may change it while it runs.
    most_samples
        Input samples that may be pushed before any is used.
    """

    def __init__(
        self,
        n_channels: int,
        rate_in_hz: int,
        rate_out_hz: int,
        *,
        is_steered: bool = False,
        most_samples: int = 1024,
    ) -> None:
        self.n_channels = n_channels
        self._table = kernel_table(max(1.0, rate_in_hz / rate_out_hz))
        n_taps = self._table.shape[1]
        self._taps = np.zeros(n_taps, np.float32)
        ring = 1 << (most_samples + n_taps + rate_in_hz // rate_out_hz + 1).bit_length()
        self._history = np.zeros((n_channels, 2 * ring), np.float32)
        self.states = np.zeros(1, CONVERTER)
        state = self.states[0]
        state["table"], state["taps"] = self._table.ctypes.data, self._taps.ctypes.data
        state["history"], state["mask"] = self._history.ctypes.data, ring - 1
        state["n_taps"], state["n_channels"] = n_taps, n_channels
        denominator = STEERED if is_steered else rate_out_hz // math.gcd(rate_in_hz, rate_out_hz)
        step = rate_in_hz * denominator // rate_out_hz
        state["denominator"] = denominator
        state["step_whole"], state["step_fraction"] = divmod(step, denominator)
        self.reset()

    @property
    def lag_samples(self) -> int:
        """Input samples that must follow a position before its output can be made."""
        return int(self.states[0]["n_taps"]) // 2

    def reset(self) -> None:
        """Forget all input: before its first sample there is silence."""
        self._history[:] = 0
        _seek(self.states, 0)
        self.states[0]["pushed"] = 0

    def n_needed(self, n_samples: int) -> int:
        """How much input must come before so many samples (at least 1) can be made."""
        return int(_count_needed(self.states, n_samples))

    def process(self, block: Audio, most_samples: int | None = None) -> Audio:
        """Take ``(channels, n)``, return ``(channels, m)``: all that can be made, or the first `most_samples` of it."""
        n = int(_count_ready(self.states, block.shape[1]))
        out = np.empty((self.n_channels, n if most_samples is None else min(n, most_samples)), np.float32)
        _convert(self.states, np.ascontiguousarray(block, np.float32), out)
        return out
