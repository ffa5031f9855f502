"""Threads for the transforms of a whole segment: channels side by side, each long enough to be worth two meetings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

from rtsep.realtime import HELPER_NAME

T = TypeVar("T")
R = TypeVar("R")


class Crew:
    """Maps a function over jobs of equal size.

    Parameters
    ----------
    n_threads
        Threads that torch may use in all.
    n_jobs
        How many jobs there are going to be.
    """

    def __init__(self, n_threads: int, n_jobs: int) -> None:
        n_workers = max(1, min(n_threads, n_jobs))
        self._pool = _pool(n_workers, n_threads // n_workers) if n_workers > 1 else None
        self._n_together = n_jobs // n_workers * n_workers

    def map(self, function: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
        """The results, in order. Jobs that would not fill the crew run one by one, on all threads."""
        if self._pool is None:
            return [function(job) for job in jobs]
        together, rest = jobs[: self._n_together], jobs[self._n_together :]
        return [*self._pool.map(function, together), *map(function, rest)]


def all_threads() -> int:
    """Threads that torch may use."""
    return torch.get_num_threads()


@cache
def _pool(n_workers: int, n_threads_each: int) -> ThreadPoolExecutor:
    """Threads in which torch uses so many of its own; idle, and free, while there is nothing to do."""
    before = torch.get_num_threads()
    all_there = threading.Barrier(n_workers)
    pool = ThreadPoolExecutor(
        n_workers, HELPER_NAME, initializer=torch.set_num_threads, initargs=(n_threads_each,)
    )
    list(pool.map(lambda _: all_there.wait(), range(n_workers)))
    # Threads made later take over whatever was set last, in any thread.
    torch.set_num_threads(before)
    return pool
