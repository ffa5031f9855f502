"""What happened where: a ring of events that the callback writes and the host reads.

An event is three words: what, the position on the tapes, and for how many samples.
"""

from __future__ import annotations

from typing import Any

from numba import carray

from rtsep.atomics import load_acquire, store_release
from rtsep.callback.records import inner, word_pointer

N_EVENTS = 1024  # kept; a reader that comes more seldom is told how many it missed
LATE, XRUN, STARVED, SWITCH, JUMP = range(5)


@inner
def note(state: Any, what: int, position: int, n_samples: int) -> None:
    """Keep an event."""
    ring = carray(word_pointer(state.events), (N_EVENTS, 3))
    n = load_acquire(state.events_written)
    event = ring[n % N_EVENTS]
    event[0], event[1], event[2] = what, position, n_samples
    store_release(state.events_written, n + 1)
