"""One writer, several readers, truly at once: nobody is ever given a wrong sample. And what happens if one errs.

Every sample says where it belongs. Writers and readers are compiled and hold no lock of the interpreter, so that they
run on as many cores as there are; on one, the system interrupts them anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray
from small_desk import small_desk

from rtsep.atomics import fence_acquire, load_acquire, store_release
from rtsep.callback.events import XRUN, note
from rtsep.desk import Desk, _function
from rtsep.tape import GUARD_SAMPLES, Tape

RATE_HZ = 8000
N_READ = 1000  # samples of a block
ROUND_SAMPLES = 2_000_000
N_ROUNDS = 5
N_TRUSTED = 500  # blocks that every reader must have been given in all
N_OVERTAKEN = 3  # how often the writer must have got in the way of those that read the oldest
MOST_ROUNDS = 1000  # until all must have happened that shall; the first few usually do
TRUSTED, WRONG, OVERTAKEN = range(3)  # what becomes of a block
NEWEST, OLDEST = range(2)  # what a reader reads


# ------------------------------------------------------------------------------- what the callback needs


def move(desk: Desk, block: np.ndarray) -> None:
    """One call with ``(samples, 2)`` from the card."""
    _function(block.ctypes.data, None, len(block), None, 0, desk.state_address)


# ------------------------------------------------------------------------------- writers and readers


@njit(nogil=True)
def value_at(position: int) -> np.float32:
    """Neighbours, and what is one turn of the ring away, differ; 24 bits are exact in float32."""
    return np.float32((position * 2654435761) & 0xFFFFFF)


@njit(nogil=True)
def fill(block: NDArray[np.float32], start: int) -> None:
    for i in range(block.shape[1]):
        block[0, i] = value_at(start + i)
        block[1, i] = -block[0, i]


@njit(nogil=True)
def write(
    samples: NDArray[np.float32], word: int, end: int, chunk_samples: int, publishes_first: bool
) -> None:
    """A writer as the callback is one, up to position `end`."""
    mask = samples.shape[1] - 1
    start = load_acquire(word)
    while start < end:
        if publishes_first:
            store_release(word, start + chunk_samples)
        for i in range(start, start + chunk_samples):
            samples[0, i & mask] = value_at(i)
            samples[1, i & mask] = -value_at(i)
        if not publishes_first:
            store_release(word, start + chunk_samples)
        start += chunk_samples


@njit(nogil=True)
def read(
    samples: NDArray[np.float32],
    word: int,
    first: int,
    end: int,
    is_near_the_end: bool,
    looks_again: bool,
    counts: NDArray[np.int64],
) -> None:
    """Read what is newest, or the oldest that may be trusted, until all is written; count what comes of it."""
    capacity = samples.shape[1]
    block = np.zeros((2, N_READ), np.float32)
    n_tries = 0
    written = load_acquire(word)
    while written < end:
        n_tries += 1
        written = load_acquire(word)
        start = written - capacity + GUARD_SAMPLES + n_tries % 64 if is_near_the_end else written - N_READ
        if start < first:
            continue
        for i in range(N_READ):
            block[0, i] = samples[0, (start + i) & (capacity - 1)]
            block[1, i] = samples[1, (start + i) & (capacity - 1)]
        if looks_again:
            fence_acquire()
            written = load_acquire(word)
        if start < written - capacity + GUARD_SAMPLES:
            counts[OVERTAKEN] += 1
            continue
        counts[TRUSTED] += 1
        for i in range(N_READ):
            if block[0, i] != value_at(start + i) or block[1, i] != -block[0, i]:
                counts[WRONG] += 1
                break


@dataclass
class Race:
    """Tapes that are written by one thread, and each read by two, and by Python if it shall.

    `first` is where positions begin that hold what they should.
    """

    tapes: list[Tape]
    first: int = 0
    looks_again: bool = True
    python_reads: bool = True

    def run(self, write_until: Callable[[int], None]) -> NDArray[np.int64]:
        """One round: counts ``(tapes, newest or oldest, ...)``."""
        end = self.tapes[0].written + ROUND_SAMPLES
        counts = np.zeros((len(self.tapes), 2, 64), np.int64)  # lines of the cache of their own
        threads = [threading.Thread(target=write_until, args=(end,))]
        for tape, tape_counts in zip(self.tapes, counts, strict=True):
            for is_near_the_end, own in enumerate(tape_counts):
                place = (tape.samples, tape.written_address, self.first, end)
                threads.append(
                    threading.Thread(target=read, args=(*place, bool(is_near_the_end), self.looks_again, own))
                )
        for thread in threads:
            thread.start()
        for tape in self.tapes if self.python_reads else []:
            self.read_from_python(tape, end)
        for thread in threads:
            thread.join()
        return counts

    def read_from_python(self, tape: Tape, end: int) -> None:
        """`Tape.read`, beside the others."""
        expected = np.zeros((2, N_READ), np.float32)
        for n_tries in range(1000):
            written = tape.written
            oldest = written - tape.capacity_samples + GUARD_SAMPLES + n_tries
            start = max(self.first, oldest if n_tries % 2 else written - N_READ)
            if written >= end:
                return
            block = tape.read(start, N_READ) if start + N_READ <= written else None
            if block is not None:
                fill(expected, start)
                np.testing.assert_array_equal(block, expected)


def compiled_writer(tape: Tape, chunk_samples: int, publishes_first: bool = False) -> Callable[[int], None]:
    return lambda end: write(tape.samples, tape.written_address, end, chunk_samples, publishes_first)


def python_writer(tape: Tape) -> Callable[[int], None]:
    block = np.zeros((2, 10_000), np.float32)

    def write_until(end: int) -> None:
        while tape.written < end:
            fill(block, tape.written)
            tape.append(block)

    return write_until


def callback_writer(desk: Desk) -> Callable[[int], None]:
    block = np.zeros((2, 50_000), np.float32)

    def write_until(end: int) -> None:
        while desk.position < end:
            fill(block, desk.position)
            move(desk, np.ascontiguousarray(block.T))

    return write_until


def check(race: Race, write_until: Callable[[int], None]) -> None:
    total = np.zeros((len(race.tapes), 2, 64), np.int64)
    for n_rounds in range(MOST_ROUNDS):
        total += race.run(write_until)
        assert not total[..., WRONG].any()
        is_enough = (total[..., TRUSTED] >= N_TRUSTED).all()
        if n_rounds >= N_ROUNDS and is_enough and (total[:, OLDEST, OVERTAKEN] >= N_OVERTAKEN).all():
            return
    pytest.fail(f"too little happened to say anything: {total[..., : OVERTAKEN + 1].tolist()}")


@pytest.mark.parametrize("chunk_samples", [1, 64, 250, GUARD_SAMPLES])
def test_no_reader_is_given_a_wrong_sample_by_a_compiled_writer(chunk_samples: int) -> None:
    tape = Tape(2, 20_000)
    check(Race([tape]), compiled_writer(tape, chunk_samples))


def test_nor_by_the_tape_itself() -> None:
    tape = Tape(2, 20_000)
    check(Race([tape]), python_writer(tape))


def test_nor_by_the_callback() -> None:
    desk = small_desk(RATE_HZ, is_from_card=True)
    move(desk, np.zeros((1000, 2), np.float32))  # until the mixture has faded in
    check(Race([desk.input_tape, desk.sink_tape], first=1000), callback_writer(desk))


def find_mistake(race: Race, write_until: Callable[[int], None], reader: int) -> None:
    """Fail unless a reader was given a wrong sample, sooner or later."""
    for _ in range(MOST_ROUNDS):
        if race.run(write_until)[0, reader, WRONG]:
            return
    pytest.fail(f"the mistake did not show in {MOST_ROUNDS} rounds")


def test_a_writer_that_publishes_first_is_found() -> None:
    tape = Tape(2, 20_000)
    find_mistake(
        Race([tape], python_reads=False), compiled_writer(tape, GUARD_SAMPLES, publishes_first=True), NEWEST
    )


def test_a_writer_that_adds_more_than_the_guard_at_once_is_found() -> None:
    tape = Tape(2, 20_000)
    find_mistake(Race([tape], python_reads=False), compiled_writer(tape, 4 * GUARD_SAMPLES), OLDEST)


def test_a_reader_that_does_not_look_again_is_found() -> None:
    tape = Tape(2, 20_000)
    find_mistake(Race([tape], looks_again=False, python_reads=False), compiled_writer(tape, 64), OLDEST)


# -------------------------------------------------------------------------------------------- events


@njit(nogil=True)
def note_many(states: NDArray[np.void], n_events: int, word: int) -> None:
    """Events that say twice where they are; slow enough to be read, and fast enough to overtake."""
    for i in range(n_events):
        note(states[0], XRUN, i, i)
        for _ in range(500):
            load_acquire(word)


def test_an_event_is_told_as_it_was_noted_or_not_at_all() -> None:
    """Also by a reader whom the writer overtakes, as it reads or before."""
    n_events, n_told, n_missed = 300_000, 0, 0
    for _ in range(MOST_ROUNDS):
        desk = small_desk(RATE_HZ)
        noting = threading.Thread(
            target=note_many, args=(desk._records, n_events, int(desk.state["events_written"]))
        )
        noting.start()
        told, is_over = [-1], False
        while not is_over:
            is_over = not noting.is_alive()
            for event in desk.new_events():
                assert event.position == event.n_samples > told[-1]
                told.append(event.position)
        noting.join()
        assert told[-1] == n_events - 1
        n_told, n_missed = n_told + len(told), n_missed + n_events + 1 - len(told)
        if n_told > N_TRUSTED and n_missed > 0:
            break
    assert n_told > N_TRUSTED
    assert n_missed > 0
