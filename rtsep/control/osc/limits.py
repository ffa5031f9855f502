"""What a network may ask for: so many messages a second, and so many bundles that wait for their time."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

from rtsep.control.osc.clients import Address

MOST_MESSAGES_PER_S = 2000  # a fader under a hand sends a hundred
BYTES_PER_MESSAGE = 64  # what is read of a datagram costs as much as so many messages would
MOST_WAIT_S = 10.0  # a bundle may be for later, but not for next week
MOST_WAITING = 1000  # bundles


class Budget:
    """Messages that may be dealt with, addresses touched and answers given: so many a second, a second's worth at once.

    Both threads of the surface spend of it.
    """

    def __init__(self, per_s: float) -> None:
        self._per_s, self._left, self._at_s = per_s, per_s, time.monotonic()
        self._lock = threading.Lock()

    def take(self, n: int) -> bool:
        """Whether there are so many left: all, or none."""
        with self._lock:
            self._earn()
            if self._left < n:
                return False
            self._left -= n
            return True

    def charge(self, n: int) -> bool:
        """Pay for so many, if need be with what is to come; and whether anything is left then."""
        with self._lock:
            self._earn()
            self._left -= n
            return self._left >= 0

    def _earn(self) -> None:
        now_s = time.monotonic()
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s


class Account:
    """What the messages of one bundle may spend: what was taken for them when they came, then what the budget has."""

    def __init__(self, budget: Budget, n_taken: int) -> None:
        self._budget, self._n_taken = budget, n_taken

    def spend(self, n: int) -> bool:
        """Whether so many are paid for."""
        n_taken = min(n, self._n_taken)
        self._n_taken -= n_taken
        return n == n_taken or self._budget.charge(n - n_taken)


def price_of(datagram: bytes) -> int:
    """What it costs to look at a datagram, whatever is in it."""
    return 1 + len(datagram) // BYTES_PER_MESSAGE


class Later:
    """Bundles that wait for their time, which is by the clock on the wall, as their senders have it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count()  # of two at one time the first one goes first
        self._heap: list[tuple[float, int, list[Any], Address]] = []

    def put(self, at_s: float, messages: list[Any], sender: Address) -> bool:
        """Whether there was room for it."""
        with self._lock:
            if len(self._heap) >= MOST_WAITING:
                return False
            heapq.heappush(self._heap, (at_s, next(self._ids), messages, sender))
            return True

    def take(self) -> Iterator[tuple[list[Any], Address]]:
        """Those whose time has come, whole."""
        while True:
            with self._lock:
                if not self._heap or self._wait_s() > 0:
                    return
                _, _, messages, sender = heapq.heappop(self._heap)
            yield messages, sender

    @property
    def wait_s(self) -> float:
        """How long until the next is due."""
        with self._lock:
            return self._wait_s() if self._heap else math.inf

    def _wait_s(self) -> float:
        wait_s = self._heap[0][0] - time.time()
        return wait_s if 0 < wait_s <= MOST_WAIT_S else 0.0  # more: the clock was set back
