"""Two cards that never existed, with clocks and callbacks as bad as wanted, around a real follower: all compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from rtsep.atomics import store_release
from rtsep.clocks import note, publish
from rtsep.follower import Follower, begin, finish, position, steer
from rtsep.tape import Tape

CHUNK_SAMPLES = 256
START_NS = 1_000_000_000
EVERY = 16  # output samples from one that is looked at to the next
SIDE = np.dtype(
    [
        ("block", np.int64),
        ("jitter_s", np.float64),  # exponential, of every call: it is never early
        ("noise_s", np.float64),  # normal, as of a driver that guesses
        ("wake_s", np.float64),  # and now and then as late as this
        ("wake_share", np.float64),
        ("most_s", np.float64),  # never later than this
    ]
)
# At a time: a side (0 input, 1 output) gets another rate, and loses so much time.
EVENT = np.dtype([("at_s", np.float64), ("side", np.int64), ("rate_hz", np.float64), ("lost_s", np.float64)])
Event = tuple[float, int, float, float]


_compiled = njit(error_model="numpy", cache=True)


@_compiled
def _late(side, rng):
    wake = side.wake_s if rng.random() < side.wake_share else 0.0
    return min(side.most_s, rng.exponential(side.jitter_s) + rng.normal(0.0, side.noise_s) + wake)


@_compiled
def _record(clock, tape, word, n_written, n, now_ns, end_s, rate_hz, frequency_hz):
    """An input callback: a block of the sine, whose last sample ends at `end_s`."""
    for i in range(n):
        at_s = end_s - (n - i) / rate_hz
        tape[0, (n_written + i) & (tape.shape[1] - 1)] = 0.5 * np.sin(2 * np.pi * frequency_hz * at_s)
    store_release(word, n_written + n)
    note(clock, now_ns, n_written + n)
    publish(clock)


@_compiled
def _deliver(state, tape, mixed, out, first, n, now_ns, present, step, played, silent):
    """An output callback, when the input is truly at `present` and moves on by `step` a sample."""
    steer(state, now_ns)
    for done in range(first, first + n, CHUNK_SAMPLES):
        m = min(CHUNK_SAMPLES, first + n - done)
        n_in = begin(state, m)
        for i in range(n_in):
            q = position(state) + i
            mixed[0, i] = tape[0, q & (tape.shape[1] - 1)] if q >= 0 else np.float32(0)
        converter = state.converter
        own_step = converter.step_whole + converter.step_fraction / converter.denominator
        at = converter.whole + converter.fraction / converter.denominator
        for i in range(-done % EVERY, m, EVERY):
            played[(done + i) // EVERY] = present + (done + i - first) * step - (at + i * own_step)
        finish(state, mixed, out, done, m)
        for i in range(-done % EVERY, m, EVERY):
            silent[(done + i) // EVERY] = state.fade < 1


@_compiled
def _simulate(
    clocks, followers, tape, word, sides, rates, events, frequency_hz, rng, mixed, out, played, silent
):
    """Blocks of both sides in the order of their calls, until the output is full.

    `played` gets, every `EVERY` samples, the distance from the true position of the input to what is played then.
    """
    due, called, done, event = np.zeros(2), np.zeros(2), np.zeros(2, np.int64), 0
    due[0] = sides[0].block / rates[0]  # when the card has the block, or wants it
    end_s = 0.0  # of what was recorded
    for s in range(2):
        called[s] = due[s] + _late(sides[s], rng)
    while done[1] < out.shape[1]:
        s = 0 if called[0] <= called[1] else 1
        n, now_ns = sides[s].block, START_NS + int(called[s] * 1e9)
        if s == 0:
            _record(clocks[0], tape, word, done[0], n, now_ns, due[0], rates[0], frequency_hz)
            end_s = due[0]
        else:
            n = min(n, out.shape[1] - done[1])
            present, step = done[0] + (due[1] - end_s) * rates[0], rates[0] / rates[1]
            _deliver(followers[0], tape, mixed, out, done[1], n, now_ns, present, step, played, silent)
        done[s] += n
        due[s] += n / rates[s]
        while event < len(events) and events[event].side == s and events[event].at_s <= due[s]:
            rates[s] = events[event].rate_hz
            due[s] += events[event].lost_s
            event += 1
        called[s] = max(called[s] + 1e-6, due[s] + _late(sides[s], rng))


@dataclass
class World:
    """Two cards.

    `events` are (time in s, side, new rate in Hz, time lost in s); side 0 is the input.
    """

    rates_hz: tuple[float, float] = (44100.0, 44095.0)
    nominal_hz: tuple[int, int] = (44100, 44100)
    blocks: tuple[int, int] = (256, 256)
    jitter_s: float = 0.0003
    noise_s: float = 0.0
    wake_s: float = 0.003
    wake_share: float = 0.01
    most_late_s: float = np.inf
    frequency_hz: float = 1000.0
    offset_samples: int = 1500
    events: Sequence[Event] = field(default_factory=tuple)


@dataclass
class Heard:
    """What came out, ``(samples,)``; every `EVERY` samples, how far behind the input that was, and if it was silent."""

    out: np.ndarray
    latency_samples: np.ndarray
    silent: np.ndarray
    follower: Follower
    rate_hz: float

    def from_s(self, start_s: float, end_s: float | None = None) -> slice:
        """A span of what is looked at."""
        per_s = self.rate_hz / EVERY
        return slice(round(start_s * per_s), None if end_s is None else round(end_s * per_s))

    @property
    def n_moves(self) -> tuple[int, int]:
        """How often the two clocks were found to have moved."""
        state = self.follower.states[0]
        return int(self.follower.input_clock.clocks[0]["n_moves"]), int(state["clock"]["n_moves"])


def play(world: World, duration_s: float, seed: int = 0, *, most_deviation: float | None = None) -> Heard:
    """Run a world for so long; with a `most_deviation` of 0 the loop is off."""
    tape = Tape(1, world.offset_samples + 20_000)
    follower = Follower(1, *world.nominal_hz, world.offset_samples, tape.written_address, 256)
    if most_deviation is not None:
        follower.states[0]["most_deviation"] = most_deviation
    sides = np.zeros(2, SIDE)
    sides["block"], sides["jitter_s"] = world.blocks, world.jitter_s
    sides["noise_s"] = world.noise_s
    sides["wake_s"], sides["wake_share"] = world.wake_s, world.wake_share
    sides["most_s"] = world.most_late_s
    n_out = round(duration_s * world.rates_hz[1])
    out = np.zeros((1, n_out), np.float32)
    looks = n_out // EVERY + 1
    played, silent = np.zeros(looks), np.zeros(looks, bool)
    mixed = np.zeros((1, follower.most_in_samples), np.float32)
    _simulate(
        follower.input_clock.clocks,
        follower.states,
        tape.samples,
        tape.written_address,
        sides,
        np.array(world.rates_hz),
        np.array([*world.events], EVENT),
        world.frequency_hz,
        np.random.default_rng(seed),
        mixed,
        out,
        played,
        silent,
    )
    return Heard(out[0], played[:-1], silent[:-1], follower, world.rates_hz[1])


def warming(rate_hz: float, side: int, start_s: float, end_s: float, ppm_per_minute: float) -> list[Event]:
    """A crystal that gets warmer."""
    times_s = np.arange(start_s, end_s, 0.5)
    return [(t, side, rate_hz * (1 + 1e-6 * ppm_per_minute * (t - start_s) / 60), 0.0) for t in times_s]


def thd_n_db(samples: np.ndarray, frequency_hz: float, rate_hz: float) -> float:
    """What is left of a sine of about that frequency when the best one is taken out, against it, in dB."""
    n = np.arange(len(samples)) - len(samples) / 2
    cycles = frequency_hz / rate_hz
    for _ in range(8):  # Gauss-Newton: the sine's level, phase and frequency
        angle = 2 * np.pi * cycles * n
        sine, cosine = np.sin(angle), np.cos(angle)
        a, b = np.linalg.lstsq(np.stack([sine, cosine], 1), samples, rcond=None)[0]
        slope = 2 * np.pi * n * (a * cosine - b * sine)
        basis = np.stack([sine, cosine, slope], 1)
        cycles += np.linalg.lstsq(basis, samples, rcond=None)[0][2]
    rest = samples - np.stack([np.sin(2 * np.pi * cycles * n), np.cos(2 * np.pi * cycles * n)], 1) @ [a, b]
    return float(10 * np.log10(np.mean(rest**2) / np.mean((samples - rest) ** 2)))
