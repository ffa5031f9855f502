"""The tape against a plain array that remembers everything, with reader and writer interrupted wherever we like."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rtsep.tape import GUARD_SAMPLES, Tape

MIN_CAPACITY = 3000


class Interrupted(np.ndarray):
    """A tape's samples; of every piece that is copied from or to them, only a part is, then `meanwhile` runs."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)
    part = 0.5

    def __getitem__(self, key: Any) -> Any:
        source = self.view(np.ndarray)[key]
        n_first = round(self.part * source.shape[-1])
        got = source.copy()
        self.meanwhile()
        got[..., n_first:] = source[..., n_first:]
        return got

    def __setitem__(self, key: Any, value: Any) -> None:
        there = self.view(np.ndarray)[key]
        n_first = round(self.part * there.shape[-1])
        there[..., :n_first] = value[..., :n_first]
        self.meanwhile()
        there[..., n_first:] = value[..., n_first:]


@dataclass
class Recording:
    """A tape, and all that was ever appended to it."""

    tape: Tape
    everything: np.ndarray = field(default_factory=lambda: np.zeros((2, 0), np.float32))

    def append(self, n: int, meanwhile: Callable[[], None] = lambda: None, part: float = 0.5) -> None:
        start = self.everything.shape[1]
        positions = np.arange(start, start + n, dtype=np.float32)
        block = np.stack([positions + 1, -positions - 1])
        self.everything = np.concatenate((self.everything, block), axis=1)  # ahead of what is published
        with interrupted(self.tape, meanwhile, part):
            self.tape.append(block)
        assert self.tape.written == start + n

    def check_read(
        self, start: int, n: int, meanwhile: Callable[[], None] = lambda: None, part: float = 0.5
    ) -> None:
        """A read is exact or refused, and refused only if the doc says so, as things stand after the copy."""
        with interrupted(self.tape, meanwhile, part):
            got = self.tape.read(start, n)
        first = max(start, 0)
        reaches_audio = start + n > 0 and n > 0
        if reaches_audio and first < self.tape.written - self.tape.capacity_samples + GUARD_SAMPLES:
            assert got is None
            return
        expected = np.zeros((2, n), np.float32)
        if reaches_audio:
            expected[:, first - start :] = self.everything[:, first : start + n]
        np.testing.assert_array_equal(got, expected)


@contextmanager
def interrupted(tape: Tape, meanwhile: Callable[[], None], part: float) -> Any:
    """What is read and written is only half done when `meanwhile` runs; nothing interrupts what runs then."""
    plain = tape.samples
    watched = plain.view(Interrupted)

    def run() -> None:
        tape.samples = plain
        meanwhile()
        tape.samples = watched

    watched.meanwhile, watched.part = run, part
    tape.samples = watched
    try:
        yield
    finally:
        tape.samples = plain


lengths = st.one_of(st.integers(0, 100), st.integers(0, 3 * GUARD_SAMPLES), st.integers(0, 20_000))
parts = st.sampled_from([0.0, 0.001, 0.5, 0.999, 1.0])


class TapeMachine(RuleBasedStateMachine):
    """Any order of appends and reads, one inside another."""

    @initialize(
        min_capacity=st.sampled_from([0, 1, MIN_CAPACITY, GUARD_SAMPLES, 10_000]),
        start=st.sampled_from([0, 1, 5000, 100_000]),
    )
    def begin(self, min_capacity: int, start: int) -> None:
        nothing = np.full((2, start), np.nan, np.float32)
        self.recording = Recording(Tape(2, min_capacity, start), nothing)
        capacity = self.recording.tape.capacity_samples
        assert capacity >= min_capacity + GUARD_SAMPLES
        assert capacity & (capacity - 1) == 0

    def place(self, back: int, n: int) -> tuple[int, int]:
        """A stretch that ends so far before the newest published sample."""
        return self.recording.tape.written - back - n, n

    @rule(n=lengths)
    def append(self, n: int) -> None:
        self.recording.append(n)

    @rule(n=lengths, back=lengths)
    def read(self, n: int, back: int) -> None:
        self.recording.check_read(*self.place(back, n))

    @rule(n=lengths, start=st.integers(-30_000, 1000))
    def read_near_the_beginning(self, n: int, start: int) -> None:
        self.recording.check_read(min(start, self.recording.tape.written - n), n)

    def edge(self, inset: int, n: int) -> tuple[int, int]:
        """A stretch that begins where the trusted part does."""
        tape = self.recording.tape
        start = min(tape.written, tape.written - tape.capacity_samples + GUARD_SAMPLES + inset)
        return start, min(n, tape.written - start)

    @rule(inset=st.integers(-3, 3), n=lengths)
    def read_at_the_edge_of_what_is_trusted(self, inset: int, n: int) -> None:
        self.recording.check_read(*self.edge(inset, n))

    @rule(n=lengths, back=lengths, n_appended=lengths, part=parts)
    def be_overtaken_while_reading(self, n: int, back: int, n_appended: int, part: float) -> None:
        start, n = self.place(back, n)
        self.recording.check_read(start, n, lambda: self.recording.append(n_appended), part)

    @rule(n_appended=lengths, n=lengths, back=lengths, part=parts)
    def read_while_a_block_is_half_written(self, n_appended: int, n: int, back: int, part: float) -> None:
        self.recording.append(n_appended, lambda: self.recording.check_read(*self.place(back, n)), part)

    @rule(n_appended=lengths, inset=st.integers(0, 3), part=parts)
    def read_the_oldest_while_a_block_is_half_written(self, n_appended: int, inset: int, part: float) -> None:
        self.recording.append(n_appended, lambda: self.recording.check_read(*self.edge(inset, 64)), part)

    @rule(ahead=st.integers(1, 1000), n=lengths)
    def what_is_not_written_cannot_be_read(self, ahead: int, n: int) -> None:
        end = self.recording.tape.written + ahead
        with pytest.raises(ValueError, match=f"position {end} is not written yet"):
            self.recording.tape.read(end - n, n)

    @invariant()
    def all_is_published(self) -> None:
        if hasattr(self, "recording"):
            assert self.recording.tape.written == self.recording.everything.shape[1]


TestTape = TapeMachine.TestCase
TestTape.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 60_000), n_before=st.integers(0, 5000))
def test_all_that_is_trusted_can_be_read_at_once(n: int, n_before: int) -> None:
    """[written − capacity + guard, written), whole; and not one sample more."""
    recording = Recording(Tape(2, MIN_CAPACITY))
    recording.append(n_before)
    recording.append(n)
    written = recording.tape.written
    oldest = max(0, written - recording.tape.capacity_samples + GUARD_SAMPLES)
    assert recording.tape.read(oldest, written - oldest) is not None
    recording.check_read(oldest, written - oldest)
    if oldest > 0:
        assert recording.tape.read(oldest - 1, 1) is None


def test_a_reader_reaches_back_as_far_as_was_asked_for() -> None:
    tape = Tape(1, MIN_CAPACITY)
    tape.append(np.ones((1, 50_000), np.float32))
    assert tape.read(50_000 - MIN_CAPACITY, MIN_CAPACITY) is not None


def test_before_the_first_sample_there_is_silence_for_ever() -> None:
    tape = Tape(1, MIN_CAPACITY)
    tape.append(np.ones((1, 50_000), np.float32))
    np.testing.assert_array_equal(tape.read(-100_000, 100_000), np.zeros((1, 100_000)))


def test_the_published_word_has_a_cache_line_of_its_own() -> None:
    assert Tape(1, MIN_CAPACITY).written_address % 64 == 0
