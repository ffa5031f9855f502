"""Threads that meet without the interpreter."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from rtsep.nets.team import STOP, Team, end_team, meet, sleep, tell, wait, wake

N_ROUNDS = 200


@njit(nogil=True)
def work(board: NDArray[np.int64], counts: NDArray[np.int64], seen: NDArray[np.int64], member: int) -> None:
    """Every round each counts up; after each meeting everybody must see what all have counted."""
    n_members = len(counts)
    for n in range(1, N_ROUNDS + 1):
        counts[member] += 1
        meet(board, member, n_members)
        for other in range(n_members):
            if counts[other] < n:
                seen[member] += 1
        meet(board, member, n_members)


@njit(nogil=True)
def serve(
    board: NDArray[np.int64],
    order: NDArray[np.int64],
    counts: NDArray[np.int64],
    seen: NDArray[np.int64],
    member: int,
) -> None:
    while True:
        sleep(board, member)
        if order[STOP] != 0:
            return
        work(board, counts, seen, member)
        tell(board, member)


@njit(nogil=True)
def run(board: NDArray[np.int64], counts: NDArray[np.int64], seen: NDArray[np.int64]) -> None:
    wake(board)
    work(board, counts, seen, 0)
    wait(board)


@pytest.mark.parametrize("n_members", [1, 2, 3, 7])
def test_everybody_meets(n_members: int) -> None:
    team, order = Team(n_members), np.zeros(1, np.int64)
    counts, seen = np.zeros(n_members, np.int64), np.zeros(n_members, np.int64)
    team.start(lambda member: serve(team.board, order, counts, seen, member))
    for n in range(1, 4):
        run(team.board, counts, seen)
        assert counts.tolist() == [n * N_ROUNDS] * n_members
    assert not seen.any()
    before = threading.active_count()
    end_team(order, team)
    assert threading.active_count() == before - n_members + 1


def test_a_busy_interpreter_holds_nobody_up() -> None:
    """While one thread keeps the interpreter, a call with helpers ends: none of them waits for its lock."""
    team, order = Team(2), np.zeros(1, np.int64)
    counts, seen = np.zeros(2, np.int64), np.zeros(2, np.int64)
    team.start(lambda member: serve(team.board, order, counts, seen, member))
    run(team.board, counts, seen)  # compiled
    interval = sys.getswitchinterval()
    done = threading.Event()

    def call() -> None:
        run(team.board, counts, seen)
        done.set()

    thread = threading.Thread(target=call)
    try:
        sys.setswitchinterval(1000.0)  # whoever has the interpreter now keeps it until it lets go itself
        thread.start()
        until_s = time.monotonic() + 5
        while counts.tolist() != [2 * N_ROUNDS] * 2 and time.monotonic() < until_s:
            pass
        assert counts.tolist() == [2 * N_ROUNDS] * 2
        assert not done.is_set()
    finally:
        sys.setswitchinterval(interval)
    thread.join()
    end_team(order, team)
