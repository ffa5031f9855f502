"""The line through the times of callbacks: straight, patient, and never seen half-written."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numba import njit

from rtsep.atomics import load_acquire
from rtsep.clocks import PATIENCE_S, PublishedClock, newest, note_and_publish, publish

RATE_HZ, BLOCK = 44100.0, 256
EPOCH_NS = 2**60  # of a computer that has run for 36 years


def run(clock: PublishedClock, calls_s: np.ndarray, first_block: int = 0) -> None:
    """Callbacks at these times, a block each."""
    for k, call_s in enumerate(calls_s):
        note_and_publish(clock.clocks, EPOCH_NS + round(call_s * 1e9), (first_block + k) * BLOCK)


def times_s(n_calls: int, rate_hz: float = RATE_HZ) -> np.ndarray:
    return np.arange(n_calls) * BLOCK / rate_hz


def error_s(clock: PublishedClock, call_s: float) -> float:
    """How far the line's end is from the true time."""
    line = clock.clocks[0]["line"]
    return float(1e-9 * (int(line["epoch_ns"]) - EPOCH_NS) + line["time_s"] - call_s)


@pytest.mark.parametrize("deviation", [-400e-6, 0.0, 400e-6])
def test_it_finds_a_rate_through_jitter(deviation: float) -> None:
    clock, true_s = PublishedClock(RATE_HZ), times_s(20_000, RATE_HZ * (1 + deviation))  # two minutes
    rng = np.random.default_rng(0)
    run(clock, true_s + rng.exponential(0.0003, len(true_s)) + 0.003 * (rng.random(len(true_s)) < 0.01))
    line = clock.clocks[0]["line"]
    assert line["rate_hz"] / RATE_HZ - 1 == pytest.approx(deviation, abs=1e-7)
    assert line["rate_error"] < 1e-7
    assert abs(error_s(clock, true_s[-1])) < 2e-5
    assert clock.clocks[0]["n_moves"] == 0


def test_without_jitter_it_is_exact() -> None:
    clock, true_s = PublishedClock(RATE_HZ), times_s(5000)
    run(clock, true_s)
    assert clock.clocks[0]["line"]["rate_hz"] == pytest.approx(RATE_HZ, rel=1e-9)
    assert abs(error_s(clock, true_s[-1])) < 2e-9


def test_a_machine_that_gets_busy_hardly_moves_it() -> None:
    """The mean of the calls goes half a millisecond away, for half a minute."""
    clock, true_s = PublishedClock(RATE_HZ), times_s(15_000)
    rng = np.random.default_rng(1)
    late_s = rng.exponential(0.0001, len(true_s))
    late_s[10_000:] = rng.exponential(0.0006, 5000)
    run(clock, true_s + late_s)
    assert clock.clocks[0]["n_moves"] == 0
    assert abs(error_s(clock, true_s[-1])) < 3e-5
    assert clock.clocks[0]["line"]["rate_hz"] == pytest.approx(RATE_HZ, rel=5e-7)


def test_bursts_are_late_but_for_the_last_call() -> None:
    """As a sound server's client is called: four blocks at once."""
    clock, true_s = PublishedClock(RATE_HZ, most_off_s=0.012), times_s(20_000)
    together_s = np.repeat(true_s[3::4], 4)
    run(clock, together_s + np.random.default_rng(0).exponential(0.0001, len(true_s)))
    assert clock.clocks[0]["n_moves"] == 0
    assert abs(error_s(clock, true_s[-1])) < 2e-5
    assert clock.clocks[0]["line"]["rate_hz"] == pytest.approx(RATE_HZ, rel=1e-7)


def test_a_call_that_is_very_late_is_no_loss() -> None:
    clock, true_s = PublishedClock(RATE_HZ), times_s(5000)
    late_s = true_s.copy()
    late_s[4000:4010] = true_s[4010]  # the thread slept for 58 ms, and caught up
    run(clock, late_s)
    assert clock.clocks[0]["n_moves"] == 0
    assert abs(error_s(clock, true_s[-1])) < 1e-4


@pytest.mark.parametrize("lost_s", [0.005, 0.2, -0.05])
def test_lost_time_moves_it_once_and_leaves_the_rate(lost_s: float) -> None:
    clock, true_s = PublishedClock(RATE_HZ), times_s(8000)
    true_s[4000:] += lost_s
    n_patience = int(PATIENCE_S * RATE_HZ / BLOCK) + 2
    run(clock, true_s[: 4000 + n_patience])
    assert clock.clocks[0]["n_moves"] == 1
    assert abs(error_s(clock, true_s[4000 + n_patience - 1])) < 1e-4
    run(clock, true_s[4000 + n_patience :], 4000 + n_patience)
    assert clock.clocks[0]["n_moves"] == 1
    assert clock.clocks[0]["line"]["rate_hz"] == pytest.approx(RATE_HZ, rel=1e-6)


def test_a_rate_that_was_wrong_is_found_anew() -> None:
    clock, true_s = PublishedClock(RATE_HZ), times_s(8000)
    true_s[3000:] = true_s[3000] + times_s(5000, RATE_HZ * 1.003)
    run(clock, true_s)
    assert 1 < clock.clocks[0]["n_moves"] < 20
    assert clock.clocks[0]["line"]["rate_hz"] == pytest.approx(1.003 * RATE_HZ, rel=1e-5)


def test_a_rate_that_cannot_be_is_not_believed() -> None:
    clock = PublishedClock(RATE_HZ)
    run(clock, times_s(4000, RATE_HZ * 1.2))
    assert clock.clocks[0]["line"]["rate_hz"] <= 1.005 * RATE_HZ


@njit(nogil=True)
def _write(clocks: np.ndarray, stop: int) -> None:
    clock, k = clocks[0], 0
    while load_acquire(stop) == 0:
        k += 1  # all that a line holds tells k
        line = clock.line
        line.epoch_ns, line.position, line.time_s = k, k, k
        line.rate_hz, line.rate_error, line.age_s = k, k, k
        publish(clock)


@njit(nogil=True)
def _read(slots: np.ndarray, word: int, n_lines: int, n_tries: int) -> tuple[int, int, int]:
    """Up to so many new lines: how many, how many of two moments, and how many older than one before."""
    front, seen, torn, back, before = 0, 0, 0, 0, 0
    while seen < n_lines and n_tries > 0:
        n_tries -= 1
        front = newest(word, front)
        line = slots[front]
        k = line.position
        torn += line.epoch_ns != k or line.time_s != k or line.rate_hz != k
        torn += line.rate_error != k or line.age_s != k
        back += k < before
        seen += k > before
        before = k
    return seen, torn, back


def test_a_reader_never_sees_half_a_line() -> None:
    clock, stop = PublishedClock(RATE_HZ), np.zeros(1, np.int64)
    writer = threading.Thread(target=_write, args=(clock.clocks, stop.ctypes.data))
    writer.start()
    seen, torn, back = _read(clock.slots, clock.word_address, 200, 3_000_000_000)
    stop[0] = 1
    writer.join()
    assert seen == 200
    assert torn == back == 0
