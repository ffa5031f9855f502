"""What a card's clock says, filtered: a straight line through the times at which its callback was called.

A callback comes when the system lets it: mostly some tenths of a millisecond late, now and then several. The card's
own time is a line, ``time = time_s + (position − p) / rate_hz``, which bends by a part in a million within minutes. A
delay-locked loop finds it: from every call to the next it predicts, and what is off corrects time a little and rate
still less (F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005)::

    off = now − predicted      time += b · off      period += c · off / n      b = √2 w dt      c = (w dt)²

Two things are added. The loop's bandwidth w shrinks as the line gets longer, as that of a least-squares line would: it
locks within a second, and ends at `NARROW_HZ`. And no call moves it by more than one that is `AWAY_S` off. If all calls
of `PATIENCE_S` are further off than that, on the same side, samples were lost, or none came while time went by: then
the line moves there at once, which is counted, and keeps its rate. A second time within `TRUST_S`, the rate was wrong.

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

NARROW_HZ = 0.004  # jitter that is faster than this does not reach the line
LEAST_AGE_S = 1.0  # the nominal rate is better than any that is measured within it
GROWTH = 2.5  # w · age of a least-squares line: b = 4 / n and c = 6 / n² after n calls
AWAY_S = 0.002
PATIENCE_S = 0.1
TRUST_S = 10.0
MOST_DEVIATION = 0.005  # of a rate from the nominal one: far beyond any crystal

LINE = np.dtype(
    [
        ("epoch_ns", np.int64),  # what times are counted from, on the host's monotonic clock
        ("position", np.int64),
        ("time_s", np.float64),  # of that position
        ("rate_hz", np.float64),
        ("age_s", np.float64),  # how much of the line agrees on where it is
    ],
    align=True,
)

CLOCK = np.dtype(
    [
        ("line", LINE),
        ("nominal_hz", np.float64),
        ("rate_age_s", np.float64),  # how much of the line agrees on how steep it is
        # Calls that were away, in a row, on the same side.
        ("away_s", np.float64),
        ("away_sum_s", np.float64),
        ("n_away", np.int64),
        ("rate_before_hz", np.float64),
        ("n_calls", np.int64),
        ("n_moves", np.int64),
        # Where it is published; the address 0 is nowhere.
        ("slots", np.int64),
        ("word", np.int64),
        ("mine", np.int64),
    ],
    align=True,
)

_inline = njit(
    error_model="numpy", nogil=True, forceinline=True
)  # into the callback; see `rtsep.callback.records`


@_inline
def bandwidth(age_s: float) -> float:
    """That of a loop which has run for so long, in radians a second."""
    return max(2 * math.pi * NARROW_HZ, GROWTH / max(age_s, LEAST_AGE_S))


@_inline
def note(clock: Any, now_ns: int, position: int) -> None:
    """A callback was called at `now_ns`, when the card was at `position`."""
    line = clock.line
    if clock.n_calls == 0:
        line.epoch_ns, line.position, line.rate_hz = now_ns, position, clock.nominal_hz
    n = position - line.position
    clock.n_calls += 1
    if n <= 0:
        return
    dt = n / line.rate_hz
    line.position = position
    line.time_s += dt
    line.age_s += dt
    clock.rate_age_s += dt
    off = 1e-9 * (now_ns - line.epoch_ns) - line.time_s
    if _was_moved(clock, off, dt):
        return
    off = min(AWAY_S, max(-AWAY_S, off))
    w_dt = bandwidth(clock.rate_age_s) * dt
    line.time_s += min(1.0, max(math.sqrt(2.0) * w_dt, dt / line.age_s)) * off
    rate_hz = n / (dt + min(1.0, w_dt * w_dt) * off)
    lowest, highest = (1 - MOST_DEVIATION) * clock.nominal_hz, (1 + MOST_DEVIATION) * clock.nominal_hz
    line.rate_hz = min(highest, max(lowest, rate_hz))


@_inline
def _was_moved(clock: Any, off: float, dt: float) -> bool:
    """Whether calls have been away for long enough to say that the line lies there, and it was moved."""
    if abs(off) < AWAY_S or off * clock.away_sum_s < 0:
        clock.away_s = clock.away_sum_s = 0.0
        clock.n_away = 0
    if abs(off) < AWAY_S:
        return False
    if clock.n_away == 0:
        clock.rate_before_hz = clock.line.rate_hz
    clock.away_s += dt
    clock.away_sum_s += off
    clock.n_away += 1
    if clock.away_s < PATIENCE_S:
        return False
    line = clock.line
    line.time_s += clock.away_sum_s / clock.n_away
    if line.age_s < TRUST_S:
        clock.rate_age_s = 0.0
    else:
        line.rate_hz = clock.rate_before_hz
    line.age_s = clock.away_s
    clock.away_s = clock.away_sum_s = 0.0
    clock.n_away = 0
    clock.n_moves += 1
    return True


@_inline
def publish(clock: Any) -> None:
    """Let the other thread have the line as it is."""
    slot = carray(void_pointer(clock.slots), 3, LINE)[clock.mine]
    line = clock.line
    slot.epoch_ns, slot.position, slot.time_s = line.epoch_ns, line.position, line.time_s
    slot.rate_hz, slot.age_s = line.rate_hz, line.age_s
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
    """

    def __init__(self, rate_hz: float) -> None:
        self.slots: NDArray[Any] = np.zeros(3, LINE)
        self._word = np.array([1], np.int64)  # the reader starts with slot 0, the writer with slot 2
        self.word_address = int(self._word.ctypes.data)
        self.clocks = np.zeros(1, CLOCK)
        clock = self.clocks[0]
        clock["nominal_hz"], clock["mine"] = rate_hz, 2
        clock["slots"], clock["word"] = self.slots.ctypes.data, self.word_address

    @property
    def address(self) -> int:
        """Of the record, for the callback."""
        return int(self.clocks.ctypes.data)
