"""Input and output as two cards, whose callbacks are called by two threads with a clock each."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import njit

from rtsep.atomics import load_acquire, store_release, store_word
from rtsep.callback import CHUNK_SAMPLES
from rtsep.chain import Chain
from rtsep.clocks import note_and_publish
from rtsep.desk import Cable, Desk, Event, c_function
from rtsep.follower import FADE_SAMPLES, Follower, least_offset_samples
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.tape import GUARD_SAMPLES, Tape

TONE_HZ, PEAK = 200.0, 0.5
DURATION_S = 4.0
BLOCK = 441


def make_desk(rates_hz: tuple[int, int], *, has_source: bool = False) -> Desk:
    """No stem is ever made, so that the mixture is played as it is; the left input is a direct one as well."""
    mixer = Mixer(Mix({"a": Strip()}, {MAIN: Bus((0, 1))}, directs={"line": Strip(route=(2, 3))}), 4)
    chain = Chain(mixer.open(("a",)), 1, 1000, rates_hz[0], 100)
    tape = Tape(4, 1 << 18)
    offset = sum(least_offset_samples(*rates_hz, 0, BLOCK).values())
    follower = Follower(4, *rates_hz, offset, tape.written_address, CHUNK_SAMPLES)
    cables = (Cable(0, 0), Cable(1, 1), Cable(0, 2), Cable(0, 3))
    return Desk(
        chain,
        tape,
        rates_hz[0],
        (0, 1),
        cables=cables,
        n_card_inputs=2,
        n_card_outputs=4,
        has_source=has_source,
        follower=follower,
    )


def run(desk: Desk, rates_hz: tuple[float, float]) -> np.ndarray:
    """What comes out, ``(samples, 4)``, of a tone that goes in."""
    capture, playback = (c_function(address) for address in desk.half_addresses)
    n_in, n_out = (round(DURATION_S * rate_hz) // BLOCK * BLOCK for rate_hz in rates_hz)
    angle = 2 * np.pi * TONE_HZ / rates_hz[0] * np.arange(n_in)
    tone = np.ascontiguousarray(PEAK * np.stack((np.sin(angle), np.cos(angle)), axis=1), np.float32)
    out = np.full((n_out, 4), np.nan, np.float32)
    begun_s = time.monotonic()

    def turn(function: object, block: np.ndarray, rate_hz: float, *, is_input: bool) -> None:
        for first in range(0, len(block), BLOCK):
            due_s = begun_s + (first + BLOCK * is_input) / rate_hz
            time.sleep(max(0.0, due_s - time.monotonic()))
            address = block[first:].ctypes.data
            ends = (address, None) if is_input else (None, address)
            function(*ends, BLOCK, None, 0, desk.state_address)  # type: ignore[operator]

    source = threading.Thread(target=turn, args=(capture, tone, rates_hz[0]), kwargs={"is_input": True})
    sink = threading.Thread(target=turn, args=(playback, out, rates_hz[1]), kwargs={"is_input": False})
    for thread in (source, sink):
        thread.start()
    for thread in (source, sink):
        thread.join()
    return out


@pytest.mark.parametrize(
    ("nominal_hz", "true_hz"), [((44100, 44100), (44100.0, 44080.0)), ((44100, 48000), (44100.0, 48010.0))]
)
def test_the_output_follows_the_input_without_a_click(
    nominal_hz: tuple[int, int], true_hz: tuple[float, float]
) -> None:
    desk = make_desk(nominal_hz)
    out = run(desk, true_hz)
    assert np.isfinite(out).all()
    slope = PEAK * 2 * np.pi * TONE_HZ / nominal_hz[1]
    assert np.abs(np.diff(out, axis=0)).max() <= slope * 1.02 + PEAK / FADE_SAMPLES
    heard = np.abs(out[:, 2]).reshape(-1, BLOCK).max(axis=1)
    assert (heard[len(heard) // 2 :] > 0.9 * PEAK).mean() > 0.5  # also beside a machine that is busy
    assert desk.follower is not None
    assert desk.state["n_starved_samples"] == 0
    # What is kept for files is at the input's rate and clock, and by its clock.
    mixture = desk.input_tape.read(0, desk.position - 1000)
    kept = desk.sink_tape.read(1000, desk.position - 1000)
    assert mixture is not None
    assert kept is not None
    there = kept.any(axis=0)
    np.testing.assert_allclose(kept[:2, there], mixture[:2, there], rtol=0, atol=1.2e-7)
    assert there.mean() > 0.5


def test_an_xrun_of_either_card_is_counted_and_noted_where_it_was() -> None:
    rates_hz = (44100, 48000)
    desk = make_desk(rates_hz)
    capture, playback = (c_function(address) for address in desk.half_addresses)
    incoming, outgoing = np.zeros((BLOCK, 2), np.float32), np.zeros((BLOCK, 4), np.float32)
    for flags in (0, 0, 2, 0):
        capture(incoming.ctypes.data, None, BLOCK, None, flags, desk.state_address)
    playback(None, outgoing.ctypes.data, BLOCK, None, 0, desk.state_address)
    assert list(desk.new_events()) == [Event(2 * BLOCK, "xrun", 0)]
    playback(None, outgoing.ctypes.data, BLOCK, None, 4, desk.state_address)
    assert list(desk.new_events()) == [Event(0, "xrun", 0)]  # it plays nothing yet
    assert desk.state["n_xruns"] == desk.state["n_xruns_at_start"] == 2


def test_what_a_file_lacks_is_counted_by_the_input_and_noted_by_the_output() -> None:
    """Events have one writer: two at a time would lose some."""
    desk = make_desk((44100, 48000), has_source=True)
    assert desk.source_tape is not None
    desk.source_tape.append(np.ones((2, 300), np.float32))
    capture, playback = (c_function(address) for address in desk.half_addresses)
    incoming, outgoing = np.zeros((BLOCK, 2), np.float32), np.zeros((BLOCK, 4), np.float32)
    for _ in range(2):
        capture(incoming.ctypes.data, None, BLOCK, None, 0, desk.state_address)
    assert list(desk.new_events()) == []
    for _ in range(2):
        playback(None, outgoing.ctypes.data, BLOCK, None, 0, desk.state_address)
    assert list(desk.new_events()) == [Event(300, "starved", 2 * BLOCK - 300)]
    assert desk.state["n_starved_samples"] == 2 * BLOCK - 300


@njit(nogil=True)
def _longest_step(word: int, end: int, n_tries: int, ready: int) -> int:
    """Look at a tape's word until it says `end`: by how much it grew at once, at most."""
    longest, before = 0, load_acquire(word)
    store_release(ready, 1)
    while before < end and n_tries > 0:
        n_tries -= 1
        now = load_acquire(word)
        longest, before = max(longest, now - before), now
    return longest


def test_what_a_long_jump_leaves_silent_is_published_bit_by_bit() -> None:
    """A reader trusts all of a tape but a guard; so it must never grow by more at once."""
    steps = list[int]()
    while not steps or (
        min(steps[1::2]) > GUARD_SAMPLES and len(steps) < 400
    ):  # whoever looks may be held up
        desk = make_desk((44100, 44100))
        _, playback = (c_function(address) for address in desk.half_addresses)
        assert desk.follower is not None
        block, clocks = np.zeros((BLOCK, 4), np.float32), desk.follower.input_clock.clocks
        desk.follower.states[0]["n_starts"] = clocks["is_settled"] = 1  # it need not be watched for long
        store_word(desk.input_tape.written_address, 500_000)
        desk.input_tape.samples[:] = 0.25
        for position in (20_000, 320_000):
            ready = np.zeros(1, np.int64)
            with ThreadPoolExecutor(1) as pool:
                ends = desk.sink_tape.written_address, position - 5000, 300_000_000, ready.ctypes.data
                looked = pool.submit(_longest_step, *ends)
                while not ready[0]:
                    time.sleep(0.0001)
                note_and_publish(clocks, time.monotonic_ns(), position)
                playback(None, block.ctypes.data, BLOCK, None, 0, desk.state_address)
                steps.append(looked.result())
        kept = desk.sink_tape.read(100_000, 200_000)
        assert kept is not None
        assert not kept.any()
        # And it is told, for whoever writes files.
        [jump] = [event for event in desk.new_events() if event.kind == "jump"]
        begin = jump.position + desk.offset_samples
        around = desk.sink_tape.read(begin - 1, jump.n_samples + 2)
        assert around is not None
        assert around[0, 0] != 0
        assert not around[0, 1:-1].any()
        assert jump.n_samples > 250_000
        after = desk.sink_tape.read(desk.position - 100, 100)
        assert after is not None
        assert after.any()
    assert 0 < min(steps[1::2]) <= GUARD_SAMPLES
