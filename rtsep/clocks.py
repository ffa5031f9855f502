"""What a card's clock says, filtered: a straight line through the times at which its callback was called.

A callback comes when the system lets it: never early, mostly some tenths of a millisecond late, now and then several.
The card's own time is a line, ``time = time_s + (position − p) / rate_hz``, which bends by a part in a million within
minutes. It lies along the lower edge of the calls: of every `BUCKET_S` the least late one counts. Of n calls that are
late by an exponential law, that is n times nearer to the line than any one, and their mean √n times; and a machine that
gets busy makes calls late, but hardly the least late one.

From bucket to bucket the line is corrected by a Kalman filter of time and rate, whose rate is a random walk
(Bar-Shalom, Li, Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 6.2)::

    S = P_tt + R      time += P_tt / S · off      period += P_tr / S · off      P_rr grows by w⁴ R dt² a bucket

So it starts as a line of least squares, from the nominal rate, and its bandwidth ends at w, whatever R is. R is how far
buckets lie from the line, and is measured. If what is off leans to one side, the rate drifts, and w is wider.

A call that is `AWAY_S` off says nothing (or further, of a card whose calls come in bursts). If all of `PATIENCE_S` are,
on the same side, samples were lost, or none came while time went by: then the line moves there at once, which is
counted, and keeps its rate. A second time within `TRUST_S`, the rate was wrong. Buckets that are `ODD` are dealt with
alike: a sound server that is held up goes on some milliseconds later.

A line is published in three slots and one exchanged word, as coefficients are (`rtsep.mixer`): a reader in another
thread never waits and never sees half of one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray, njit
from numpy.typing import NDArray

from rtsep.atomics import FRESH, SLOT, exchange, load_acquire, void_pointer
from rtsep.digest import digest_of

BUCKET_S = 0.2
NARROW = 0.0126  # w in radians a second, 2 mHz: 1 ppm a minute leaves a tenth of a millisecond
LEAN = 0.5  # of the standard deviation: from here on the rate is said to drift
LEAN_BUCKETS = 25
JITTER_S = 30e-6  # of buckets, before it is measured,
LEAST_JITTER_S = 2e-6  # and not believed to be less
JITTER_BUCKETS = (10, 100)  # over which it is measured, at first and in the end
MOST_OFF = 3.0  # standard deviations that count in what is measured
CRYSTAL = 1e-4  # of a rate: the usual distance from the nominal one
MOST_DEVIATION = 0.005  # far beyond any crystal
ODD = 6.0  # standard deviations; a bucket that is further off,
ODD_S = 0.00025  # and further than this, is no jitter,
ODD_BUCKETS = 3  # but so many of them are a move
AWAY_S = 0.002
PATIENCE_S = 0.1
TRUST_S = 10.0

LINE = np.dtype(
    [
        ("epoch_ns", np.int64),  # what times are counted from, on the host's monotonic clock
        ("position", np.int64),
        ("time_s", np.float64),  # of that position
        ("rate_hz", np.float64),
        ("rate_error", np.float64),  # standard deviation, of 1
        ("age_s", np.float64),  # how much of the line agrees on where it is
    ],
    align=True,
)

CLOCK = np.dtype(
    [
        ("line", LINE),
        ("nominal_hz", np.float64),
        ("most_off_s", np.float64),
        # The filter: covariance of time and rate, and what is measured of the buckets.
        ("time_time", np.float64),
        ("time_rate", np.float64),
        ("rate_rate", np.float64),
        ("jitter_jitter", np.float64),
        ("lean", np.float64),
        ("n_buckets", np.int64),
        ("is_settled", np.int64),
        # The bucket: how long it is by now, and how late the least late call in it was.
        ("bucket_s", np.float64),
        ("least_s", np.float64),
        # Calls, and buckets, that were away, in a row, on the same side.
        ("n_odd", np.int64),
        ("odd_s", np.float64),
        ("away_s", np.float64),
        ("away_least_s", np.float64),
        ("n_calls", np.int64),
        ("n_moves", np.int64),
        # Where it is published; the address 0 is nowhere.
        ("slots", np.int64),
        ("word", np.int64),
        ("mine", np.int64),
    ],
    align=True,
)

# Into the callback; see `rtsep.callback.records`.
_inline = njit(error_model="numpy", nogil=True, forceinline=True)


@_inline
def note(clock: Any, now_ns: int, position: int) -> None:
    """A callback was called at `now_ns`, when the card was at `position`."""
    line = clock.line
    if clock.n_calls == 0:
        _begin(clock, now_ns, position)
    n = position - line.position
    clock.n_calls += 1
    if n <= 0:
        return
    dt = n / line.rate_hz
    line.position = position
    line.time_s += dt
    line.age_s += dt * clock.is_settled
    clock.bucket_s += dt
    off = 1e-9 * (now_ns - line.epoch_ns) - line.time_s
    if abs(off) >= clock.most_off_s and clock.n_buckets > 0:  # where it lies is not known before
        _be_away(clock, off, dt)
        return
    clock.away_s = 0.0
    clock.least_s = min(clock.least_s, off)
    if clock.bucket_s < BUCKET_S:
        return
    if (
        clock.is_settled == 0
    ):  # the first calls only fill the card's buffers; the next one is the first that counts
        clock.is_settled, clock.n_calls = 1, 0
        return
    _take(clock, clock.least_s, clock.bucket_s)
    _empty(clock)


@_inline
def _begin(clock: Any, now_ns: int, position: int) -> None:
    """At the first call that counts: the nominal rate, and a time that is as uncertain as a call is late."""
    line = clock.line
    line.epoch_ns, line.position, line.time_s = now_ns, position, 0.0
    line.rate_hz = clock.nominal_hz
    clock.time_time, clock.rate_rate = clock.most_off_s * clock.most_off_s, CRYSTAL * CRYSTAL
    clock.jitter_jitter = JITTER_S * JITTER_S
    line.rate_error = CRYSTAL
    _empty(clock)


@_inline
def _empty(clock: Any) -> None:
    """A bucket is over."""
    clock.bucket_s = 0.0
    clock.least_s = clock.most_off_s


@_inline
def _take(clock: Any, off: float, dt: float) -> None:
    """Correct the line by a bucket of length `dt` that lies `off` from it: predict, correct, and measure."""
    line, jitter = clock.line, clock.jitter_jitter
    w_w = NARROW * NARROW * max(1.0, abs(clock.lean) / LEAN)
    clock.time_time += dt * (2 * clock.time_rate + dt * clock.rate_rate)
    clock.time_rate += dt * clock.rate_rate
    clock.rate_rate += w_w * w_w * jitter * dt * dt
    variance = clock.time_time + jitter
    is_odd = abs(off) > max(ODD * math.sqrt(variance), ODD_S) and clock.n_buckets > 0
    _measure(clock, min(MOST_OFF, max(-MOST_OFF, off / math.sqrt(variance))))
    clock.n_odd = clock.n_odd + 1 if is_odd and off * clock.odd_s >= 0 else 1 if is_odd else 0
    clock.odd_s = off if is_odd else 0.0
    if clock.n_odd == ODD_BUCKETS:
        _move(clock, off, dt)
    if is_odd:
        return
    time_gain, rate_gain = clock.time_time / variance, clock.time_rate / variance
    clock.rate_rate -= rate_gain * clock.time_rate
    clock.time_rate -= time_gain * clock.time_rate
    clock.time_time -= time_gain * clock.time_time
    line.time_s += time_gain * off
    lowest, highest = (1 - MOST_DEVIATION) * clock.nominal_hz, (1 + MOST_DEVIATION) * clock.nominal_hz
    line.rate_hz = min(highest, max(lowest, line.rate_hz / (1 + rate_gain * off)))
    line.rate_error = math.sqrt(clock.rate_rate)


@_inline
def _measure(clock: Any, off: float) -> None:
    """From a bucket that was so many standard deviations off: the jitter, and to which side it leans."""
    clock.n_buckets += 1
    n = min(JITTER_BUCKETS[0] + clock.n_buckets, JITTER_BUCKETS[1])
    straight = off - clock.lean
    clock.jitter_jitter *= 1 + (straight * straight - 1) / n
    clock.jitter_jitter = max(LEAST_JITTER_S * LEAST_JITTER_S, clock.jitter_jitter)
    clock.lean += straight / LEAN_BUCKETS


@_inline
def _be_away(clock: Any, off: float, dt: float) -> None:
    """A call was away; if all have been for long enough, that is where the line lies."""
    if clock.away_s == 0 or off * clock.away_least_s < 0:
        clock.away_s, clock.away_least_s = 0.0, off
    clock.away_s += dt
    clock.away_least_s = min(clock.away_least_s, off)
    if clock.away_s < PATIENCE_S:
        return
    _move(clock, clock.away_least_s, clock.away_s)
    _empty(clock)


@_inline
def _move(clock: Any, off: float, agreed_s: float) -> None:
    """The line lies elsewhere, as so much of it agrees; if it was young, its rate was wrong."""
    line = clock.line
    line.time_s += off
    clock.time_time, clock.time_rate = clock.most_off_s * clock.most_off_s, 0.0
    if line.age_s < TRUST_S:
        clock.rate_rate = MOST_DEVIATION * MOST_DEVIATION
        line.rate_error = MOST_DEVIATION
    line.age_s = agreed_s
    clock.away_s = clock.lean = 0.0
    clock.n_odd = 0
    clock.n_moves += 1


@_inline
def publish(clock: Any) -> None:
    """Let the other thread have the line as it is."""
    slot = carray(void_pointer(clock.slots), 3, LINE)[clock.mine]
    line = clock.line
    slot.epoch_ns, slot.position, slot.time_s = line.epoch_ns, line.position, line.time_s
    slot.rate_hz, slot.rate_error, slot.age_s = line.rate_hz, line.rate_error, line.age_s
    clock.mine = exchange(clock.word, clock.mine | FRESH) & SLOT


@_inline
def newest(word: int, front: int) -> int:
    """The reader's slot with the newest line that was published; `front` is the one it had."""
    if load_acquire(word) & FRESH == 0:
        return front
    return exchange(word, front) & SLOT  # type: ignore[no-any-return]


def _entry_point(sources: str) -> Any:
    """For Python; for `sources` see `rtsep.digest.digest_of`."""

    @njit(nogil=True, cache=True)
    def note_and_publish(clocks: Any, now_ns: int, position: int) -> None:
        """`note`, then `publish`, of the first of some records."""
        _ = sources
        note(clocks[0], now_ns, position)
        publish(clocks[0])

    return note_and_publish


note_and_publish = _entry_point(digest_of(__name__))


class PublishedClock:
    """The memory of a clock that another thread reads.

    Parameters
    ----------
    rate_hz
        The card's nominal rate.
    most_off_s
        A call that is further from the line says nothing.
    """

    def __init__(self, rate_hz: float, most_off_s: float = AWAY_S) -> None:
        self.slots: NDArray[Any] = np.zeros(3, LINE)
        self._word = np.array([1], np.int64)  # the reader starts with slot 0, the writer with slot 2
        self.word_address = int(self._word.ctypes.data)
        self.clocks = np.zeros(1, CLOCK)
        clock = self.clocks[0]
        clock["nominal_hz"], clock["most_off_s"], clock["mine"] = rate_hz, most_off_s, 2
        clock["slots"], clock["word"] = self.slots.ctypes.data, self.word_address

    @property
    def address(self) -> int:
        """Of the record, for the callback."""
        return int(self.clocks.ctypes.data)
