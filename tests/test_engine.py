"""The loop of the engine thread: where its stems lie on the tape, and what it does when it fell behind."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_separator import transparent_stream

import rtsep
from rtsep.chain import Chain
from rtsep.desk import Desk
from rtsep.engine import SKIP_AFTER_S, Engine
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.offset import offset
from rtsep.resampled import ResampledStream
from rtsep.rest import POLL_S
from rtsep.stream import StemStream
from rtsep.tape import Tape

RATE_HZ = 44100
pytestmark = pytest.mark.usefixtures("outside")


def mid_side() -> StemStream:
    return rtsep.load("midside").stream(RATE_HZ)


NOISE = (np.random.default_rng(3).integers(1, 2**14, (2, 8 * RATE_HZ)) / 2**15).astype(np.float32)


def noise(n_samples: int) -> np.ndarray:
    """No sample of it is silent, and the grid of 15 bits makes mid and side exact."""
    return NOISE[:, :n_samples]


class Loop:
    """Engine and callback, turned by hand: stems on outputs 2 to 5 from 0, the main bus on 0 and 1."""

    def __init__(self, *, may_skip: bool = True) -> None:
        stream = mid_side()
        self.offset = offset(stream, RATE_HZ, 0.01, 512).total_samples
        strips = {"mid": Strip(route=(2, 3)), "side": Strip(route=(4, 5))}
        coefficients = Mixer(Mix(strips, {MAIN: Bus((0, 1))}), 6).open(("mid", "side"))
        self.chain = Chain(coefficients, 2, self.offset, RATE_HZ, 441)
        input_tape = Tape(2, 1 << 19)
        self.desk = Desk(self.chain, input_tape, RATE_HZ, (0, 1), has_source=True)
        tapes = input_tape, self.chain.stem_tape
        self.engine = Engine(stream, *tapes, RATE_HZ, self.offset, may_skip=may_skip)

    def call(self, n_samples: int) -> None:
        source = self.desk.source_tape
        assert source is not None
        music = noise(self.desk.position + n_samples)
        source.append(music[:, source.written :])
        self.desk.call(n_samples)

    def work(self) -> None:
        while self.engine.step():
            pass

    @property
    def played(self) -> np.ndarray:
        block = self.desk.sink_tape.read(self.offset, self.desk.position - self.offset)
        assert block is not None
        return block


def check_every_sample(loop: Loop) -> int:
    """Every sample is the stems, or the mixture of the same instant, or the fade between; how many are not stems."""
    played = loop.played.astype(np.float64)
    mixture = noise(loop.desk.position)[:, : played.shape[1]].astype(np.float64)
    mid = mixture.sum(axis=0) / 2
    share = np.round(64 * played[2] / mid) / 64
    assert share.min() >= 0
    assert share.max() <= 1
    side = (mixture[0] - mixture[1]) / 2
    np.testing.assert_allclose(played[2:], share * np.stack([mid, mid, side, -side]), atol=1e-6)
    np.testing.assert_allclose(played[:2], (1 - share) * mixture, atol=1e-6)
    return int((share < 1).sum())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=5, max_size=120))
def test_whatever_the_engine_misses_every_sample_is_stem_or_counted_mixture(turns: list) -> None:
    loop = Loop()
    for n_samples, works in turns:
        if works:
            loop.work()
        loop.call(n_samples)
    if loop.desk.position > loop.offset:
        assert check_every_sample(loop) == loop.desk.state["n_late_samples"]


def test_direct_inputs_lie_beside_the_mixture_and_are_not_separated() -> None:
    input_tape, stem_tape = Tape(6, 1 << 14), Tape(4, 1 << 14)
    input_tape.append(np.concatenate((noise(5000), 0.1 * noise(10000)[:, 5000:], noise(5000)[::-1])))
    engine = Engine(mid_side(), input_tape, stem_tape, RATE_HZ, 1000, may_skip=True)
    while engine.step():
        pass
    stems = stem_tape.read(0, stem_tape.written)
    assert stems is not None
    n = stems.shape[1]
    assert n > 4000
    np.testing.assert_allclose(stems[:2] + stems[2:], noise(n), atol=1e-6)


def test_after_a_long_stall_it_goes_on_in_the_present_and_in_step() -> None:
    loop = Loop()
    stall = round((SKIP_AFTER_S + 0.2) * RATE_HZ) // 512
    for i in range(stall + 200):
        if not 50 <= i < 50 + stall:
            loop.work()
        loop.call(512)
    assert (loop.engine.n_skips, loop.engine.n_restarts) == (1, 0)
    assert loop.engine.n_skipped_samples > SKIP_AFTER_S * RATE_HZ
    n_late = check_every_sample(loop)
    assert n_late == loop.desk.state["n_late_samples"]
    # Late from when the stems ran out until what was marked as missing had passed.
    assert stall * 512 - loop.offset <= n_late <= stall * 512 + 4 * loop.offset
    assert loop.chain.is_late is False


def test_without_a_clock_nothing_is_given_up() -> None:
    loop = Loop(may_skip=False)
    for _ in range(4 * RATE_HZ // 512):
        loop.call(512)
    loop.work()
    assert loop.engine.n_skips == 0
    assert loop.chain.stem_tape.written == loop.desk.position - mid_side().latency_samples


def test_in_time_means_nothing_late() -> None:
    loop = Loop()
    for _ in range(200):
        loop.work()
        loop.call(512)
    assert loop.desk.state["n_late_samples"] == 0
    assert check_every_sample(loop) == 0
    assert loop.engine.load > 0


def test_a_thread_ends_when_told_and_keeps_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, stop = Loop(), threading.Event()
    thread = threading.Thread(target=loop.engine.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert loop.engine.error is None
    assert loop.engine.priority["engine"]  # whatever that was

    monkeypatch.setenv("OUTSIDE_FAULT", "midside 1000 raise")
    desk = Loop().desk
    faulty = Engine(
        rtsep.load("faulty").stream(RATE_HZ), desk.input_tape, desk.chain.stem_tape, RATE_HZ, 0, may_skip=True
    )
    desk.input_tape.append(noise(4096))
    faulty.run(threading.Event())
    assert "on purpose" in str(faulty.error)


def test_an_engine_that_needs_all_of_the_time_goes_on_as_a_thread_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rtsep.rest.OVERWORKED_S", 0.05)
    loop, stop = Loop(may_skip=False), threading.Event()
    thread = threading.Thread(target=loop.engine.run, args=(stop,))
    loop.call(512)
    thread.start()
    until_s = time.monotonic() + 10
    while not loop.engine.priority and time.monotonic() < until_s:
        time.sleep(0.001)
    was_raised = not loop.engine.priority["engine"].startswith("normal")
    monkeypatch.setattr(loop.engine, "step", lambda: True)  # there is always something
    while was_raised and "given back" not in loop.engine.priority["engine"] and time.monotonic() < until_s:
        time.sleep(0.001)
    stop.set()
    thread.join(10)
    assert ("given back" in loop.engine.priority["engine"]) == was_raised


@pytest.mark.parametrize("rate_hz", [44100, 48000])
@pytest.mark.parametrize("update_hops", [1, 4])
def test_between_updates_it_looks_less_often_and_no_later(
    monkeypatch: pytest.MonkeyPatch, rate_hz: int, update_hops: int
) -> None:
    """Time is played: every look costs nothing, every sleep lasts as long as asked; blocks come by the clock."""
    stream: StemStream = transparent_stream(update_hops, 0)
    if rate_hz != RATE_HZ:
        stream = ResampledStream(stream, RATE_HZ, rate_hz)
    tape, stems = Tape(2, 1 << 18), Tape(2, 1 << 18)
    engine = Engine(stream, tape, stems, rate_hz, stream.latency_samples + 2000, may_skip=False)
    clock = PlayedClock(tape, rate_hz)
    monkeypatch.setattr("rtsep.engine.time", clock)
    engine.loop(clock)  # type: ignore[arg-type]
    assert engine.error is None
    assert stems.written >= tape.written - stream.latency_samples - 2000
    # A converter keeps some samples back, so that with one the instant is known less exactly.
    share = 0.4 if rate_hz == RATE_HZ else 0.9
    assert clock.n_sleeps < share * clock.now_s / POLL_S


class PlayedClock:
    """The time, and a card that goes by it; over after a second."""

    BLOCK_SAMPLES = 512

    def __init__(self, tape: Tape, rate_hz: int) -> None:
        self._tape, self._rate_hz = tape, rate_hz
        self.now_s, self.n_sleeps = 0.0, 0

    def perf_counter(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.n_sleeps += 1
        while (self._tape.written + self.BLOCK_SAMPLES) / self._rate_hz <= self.now_s:
            self._tape.append(np.zeros((2, self.BLOCK_SAMPLES), np.float32))

    def is_set(self) -> bool:
        return self.now_s > 1.0
