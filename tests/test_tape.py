"""The tape against a plain array that remembers everything."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.tape import GUARD_SAMPLES, Tape

MIN_CAPACITY = 3000
lengths = st.one_of(st.integers(0, 100), st.integers(0, 3 * GUARD_SAMPLES))
appends = st.tuples(st.just("append"), lengths, st.just(0))
reads = st.tuples(st.just("read"), lengths, st.one_of(st.just(0), st.integers(0, 20_000)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(appends, reads), max_size=30))
def test_reads_are_what_was_appended_or_nothing(operations: list[tuple[str, int, int]]) -> None:
    tape = Tape(2, MIN_CAPACITY)
    everything = np.zeros((2, 0), np.float32)
    for verb, n, shift in operations:
        if verb == "append":
            positions = everything.shape[1] + np.arange(n, dtype=np.float32)
            block = np.stack([positions + 1, -positions - 1])
            tape.append(block)
            everything = np.concatenate((everything, block), axis=1)
        else:
            check_read(tape, everything, everything.shape[1] - n - shift, n)
        assert tape.written == everything.shape[1]


def check_read(tape: Tape, everything: np.ndarray, start: int, n: int) -> None:
    written = everything.shape[1]
    got = tape.read(start, n)
    first_sample = max(start, 0)
    reaches_audio = start + n > 0 and n > 0
    is_overtaken = reaches_audio and first_sample < written - tape.capacity_samples + GUARD_SAMPLES
    if is_overtaken:
        assert got is None
        return
    expected = np.zeros((2, n), np.float32)
    if reaches_audio:
        expected[:, first_sample - start :] = everything[:, first_sample : start + n]
    np.testing.assert_array_equal(got, expected)


def test_a_reader_reaches_back_as_far_as_was_asked_for() -> None:
    tape = Tape(1, MIN_CAPACITY)
    tape.append(np.ones((1, 50_000), np.float32))
    assert tape.capacity_samples & (tape.capacity_samples - 1) == 0
    assert tape.read(50_000 - MIN_CAPACITY, MIN_CAPACITY) is not None


def test_before_the_first_sample_there_is_silence_for_ever() -> None:
    tape = Tape(1, MIN_CAPACITY)
    tape.append(np.ones((1, 50_000), np.float32))
    np.testing.assert_array_equal(tape.read(-100_000, 100_000), np.zeros((1, 100_000)))


def test_what_is_not_written_cannot_be_read() -> None:
    tape = Tape(1, MIN_CAPACITY)
    tape.append(np.ones((1, 10), np.float32))
    with pytest.raises(ValueError, match="position 11 is not written yet"):
        tape.read(5, 6)


def test_the_published_word_has_a_cache_line_of_its_own() -> None:
    assert Tape(1, MIN_CAPACITY).written_address % 64 == 0


def test_a_reader_that_is_overtaken_while_it_reads_gets_nothing_and_never_wrong_samples() -> None:
    tape = Tape(1, 20_000)
    n_total = 4_000_000
    writer = threading.Thread(target=write_positions, args=(tape, n_total))
    writer.start()
    n_read = 0
    while writer.is_alive():
        oldest = tape.written - tape.capacity_samples + GUARD_SAMPLES
        start = max(0, oldest + (n_read * 37) % 800)  # where the writer will be in a moment
        if start + 2000 > tape.written:
            continue
        block = tape.read(start, 2000)
        if block is not None:
            np.testing.assert_array_equal(block[0], np.arange(start, start + 2000, dtype=np.float32))
            n_read += 1
    writer.join()
    assert n_read > 0
    assert tape.written == n_total


def write_positions(tape: Tape, n_total: int) -> None:
    for start in range(0, n_total, 500):
        tape.append(np.arange(start, start + 500, dtype=np.float32)[None])
