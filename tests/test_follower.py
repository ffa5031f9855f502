"""Two clocks that disagree: nothing late, nothing lost, always as far behind as declared, and nobody hears it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from two_clocks import EVERY, Heard, World, play, thd_n_db, warming

from rtsep.follower import FADE_SAMPLES, JITTER_S, least_offset_samples

LOCKED_S = 0.5  # from here on it plays where it should
KNOWN_S = 15.0  # from here on a sine of 1 kHz is clean: the rates are known
SETTLED_S = 200.0  # from here on a sine of 10 kHz is: the loops have been narrow for a while


def errors_ms(heard: Heard, world: World, start_s: float, end_s: float | None = None) -> np.ndarray:
    """How far the latency is from the declared one."""
    late = heard.latency_samples[heard.from_s(start_s, end_s)] - world.offset_samples
    return 1000 * np.abs(late) / world.nominal_hz[0]


def worst_thd_n_db(heard: Heard, world: World, start_s: float, n_windows: int) -> float:
    """Of windows of a second, spread over what was heard."""
    rate_hz = heard.rate_hz
    starts_s = np.linspace(start_s, len(heard.out) / rate_hz - 1, n_windows)
    windows = [heard.out[int(s * rate_hz) : int((s + 1) * rate_hz)].astype(np.float64) for s in starts_s]
    return max(thd_n_db(window, world.frequency_hz, rate_hz) for window in windows)


def assert_smooth(heard: Heard, world: World) -> None:
    """No step is larger than a sine's and a fade's, but for what a kernel overshoots where the tape begins."""
    steepest = 0.5 * 2 * np.pi * world.frequency_hz / heard.rate_hz
    assert 0.9 * steepest < np.abs(np.diff(heard.out)).max() < 1.15 * steepest + 0.5 / FADE_SAMPLES


@pytest.mark.parametrize("blocks", [(256, 256), (441, 480)])
@pytest.mark.parametrize(("frequency_hz", "clean_s"), [(1000.0, KNOWN_S), (10_000.0, SETTLED_S)])
def test_ten_minutes(frequency_hz: float, clean_s: float, blocks: tuple[int, int]) -> None:
    world = World(rates_hz=(44100.0, 44095.0), blocks=blocks, frequency_hz=frequency_hz)
    heard = play(world, 600)
    state = heard.follower.states[0]
    assert heard.follower.n_jumps == state["n_silent_samples"] == 0
    assert heard.n_moves == (0, 0)
    assert not heard.silent[heard.from_s(LOCKED_S)].any()
    assert errors_ms(heard, world, LOCKED_S).max() < 1
    assert worst_thd_n_db(heard, world, clean_s, 25) < -100


def test_a_driver_that_guesses_is_followed_as_well() -> None:
    """Calls that are early as often as late, which the lower edge is not made for."""
    world = World(jitter_s=0.0, noise_s=0.0003)
    heard = play(world, 600)
    assert heard.follower.n_jumps == heard.follower.states[0]["n_silent_samples"] == 0
    assert errors_ms(heard, world, 1.0).max() < 1
    assert worst_thd_n_db(heard, world, SETTLED_S, 25) < -95


def test_without_the_loop_ten_minutes_fail() -> None:
    # So the test above can fail: the ratio is the nominal one, which is 113 ppm from the true one.
    world = World(rates_hz=(44100.0, 44095.0))
    heard = play(world, 600, most_deviation=0.0)
    assert heard.follower.n_jumps > 20
    assert errors_ms(heard, world, LOCKED_S).max() > 1
    assert worst_thd_n_db(heard, world, SETTLED_S, 200) > -60


@pytest.mark.parametrize(
    ("nominal_hz", "blocks"),
    [((44100, 48000), (256, 256)), ((48000, 44100), (480, 441)), ((44100, 96000), (64, 1024))],
)
def test_two_rates_and_two_clocks(nominal_hz: tuple[int, int], blocks: tuple[int, int]) -> None:
    rates_hz = (nominal_hz[0] * (1 + 80e-6), nominal_hz[1] * (1 - 50e-6))
    offset_samples = sum(least_offset_samples(*nominal_hz, *blocks).values())
    world = World(rates_hz, nominal_hz, blocks, offset_samples=offset_samples)
    heard = play(world, 90)
    assert heard.follower.n_jumps == heard.follower.states[0]["n_silent_samples"] == 0
    assert errors_ms(heard, world, LOCKED_S).max() < 1
    assert worst_thd_n_db(heard, world, 30.0, 25) < -95


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    deviations=st.tuples(*[st.floats(-300e-6, 300e-6)] * 2),
    blocks=st.tuples(*[st.sampled_from([64, 256, 441, 480, 512, 1024])] * 2),
    wake_s=st.floats(0.0, JITTER_S),
    wake_share=st.sampled_from([0.0, 0.01, 0.05]),
)
@example(seed=0, deviations=(0.0, 0.0), blocks=(64, 256), wake_s=0.003, wake_share=0.05)
@example(seed=0, deviations=(0.0, 0.0), blocks=(64, 64), wake_s=JITTER_S, wake_share=0.05)
def test_whatever_the_jitter(
    seed: int, deviations: tuple[float, float], blocks: tuple[int, int], wake_s: float, wake_share: float
) -> None:
    """Up to what the offset is made for, which calls that are late for two reasons would exceed now and then."""
    rates_hz = (44100 * (1 + deviations[0]), 44100 * (1 + deviations[1]))
    offset_samples = sum(least_offset_samples(44100, 44100, *blocks).values())
    late = {"wake_s": wake_s, "wake_share": wake_share, "most_late_s": JITTER_S}
    world = World(rates_hz, blocks=blocks, offset_samples=offset_samples, **late)
    heard = play(world, 20, seed)
    assert heard.follower.n_jumps == heard.follower.states[0]["n_silent_samples"] == 0
    assert errors_ms(heard, world, 1.0).max() < 1
    assert_smooth(heard, world)


def test_a_rate_that_changes_at_once_is_followed() -> None:
    # 10 ppm in an instant; a crystal takes minutes to be warmed that far.
    events = [(100.0, 0, 44100.44, 0.0), (200.0, 1, 44094.56, 0.0), (300.0, 0, 44100.0, 0.0)]
    world = World(events=events)
    heard = play(world, 420)
    assert heard.follower.n_jumps == 0
    assert heard.n_moves == (0, 0)
    assert errors_ms(heard, world, LOCKED_S).max() < 1


@pytest.mark.parametrize(("ppm_per_minute", "most_ms", "most_db"), [(1.0, 0.4, -98), (5.0, 0.7, -84)])
def test_crystals_that_get_warm_are_followed(ppm_per_minute: float, most_ms: float, most_db: float) -> None:
    """The sine itself glides, which is not told from distortion: 5 ppm a minute are -94 dB of it."""
    world = World(events=warming(44095.0, 1, 60.0, 300.0, ppm_per_minute))
    heard = play(world, 300)
    assert heard.follower.n_jumps == 0
    assert heard.n_moves == (0, 0)
    assert errors_ms(heard, world, LOCKED_S).max() < most_ms
    assert worst_thd_n_db(heard, world, KNOWN_S, 25) < most_db


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("lost_s", [0.2, 1.0])
@pytest.mark.parametrize("offset_samples", [1500, 60_000])
def test_a_stall_is_a_jump_that_is_counted(side: int, lost_s: float, offset_samples: int) -> None:
    events = [(30.0, side, (44100.0, 44095.0)[side], lost_s)]
    world = World(events=events, offset_samples=offset_samples)
    heard = play(world, 60)
    assert heard.follower.n_jumps == 1
    assert heard.n_moves == ((1, 0), (0, 1))[side]
    # The place where it was lost: the one clock stands still, and the other one tells it from a late call after 0.1 s.
    assert errors_ms(heard, world, LOCKED_S, 29.5).max() < 1
    assert errors_ms(heard, world, 30.5 + lost_s).max() < 1
    assert_smooth(heard, world)
    # As the rates are still known, the sine is clean at once.
    assert worst_thd_n_db(heard, world, 31 + lost_s, 10) < -100
    # What is on the tape is played on, and cross-faded; an input that brings nothing leaves silence.
    is_cut = side == 0 and offset_samples < lost_s * 44100
    silent = heard.silent[heard.from_s(LOCKED_S)]
    assert (silent.sum() > 0) == is_cut
    assert silent.sum() * EVERY < (lost_s + 0.15) * heard.rate_hz
    if not is_cut:
        assert level_around(heard, 30.0, 31.0 + lost_s).min() > 0.5


def level_around(heard: Heard, start_s: float, end_s: float) -> np.ndarray:
    """Of every 2 ms, against a whole sine's."""
    n = round(0.002 * heard.rate_hz)
    part = heard.out[round(start_s * heard.rate_hz) : round(end_s * heard.rate_hz)]
    rows = part[: len(part) // n * n].reshape(-1, n).astype(np.float64)
    return np.sqrt((rows**2).mean(axis=1)) / (0.5 / np.sqrt(2))


@settings(max_examples=50, deadline=None)
@given(
    blocks=st.tuples(*[st.sampled_from([16, 64, 95, 256, 480])] * 2),
    offset_samples=st.integers(1500, 1500 + 512),
)
@example(blocks=(64, 64), offset_samples=1545)  # hardly a sample is there then
def test_an_input_that_has_stopped_leaves_silence(blocks: tuple[int, int], offset_samples: int) -> None:
    """However much of it there is when the output comes to its end."""
    world = World(
        blocks=blocks, offset_samples=offset_samples, frequency_hz=300.0, events=[(5.0, 0, 44100.0, 1e6)]
    )
    heard = play(world, 10)
    rate_hz = int(heard.rate_hz)
    assert not heard.out[6 * rate_hz :].any()
    assert heard.follower.states[0]["n_silent_samples"] > 4.9 * rate_hz
    assert_smooth(heard, world)


INSPECT = """
import numpy as np
from numba import carray, cfunc, types
from rtsep.atomics import float_pointer, void_pointer
from rtsep.clocks import CLOCK, note, publish
from rtsep.follower import FOLLOWER, begin, finish, position, steer

@cfunc(types.int64(types.int64, types.int64, types.int64, types.int64), error_model="numpy", nopython=True)
def turn(clocks, followers, buffer, now_ns):
    clock = carray(void_pointer(clocks), 1, CLOCK)[0]
    note(clock, now_ns, 256)
    publish(clock)
    state = carray(void_pointer(followers), 1, FOLLOWER)[0]
    steer(state, now_ns)
    n_in = begin(state, 256)
    first = position(state)
    mixed = carray(float_pointer(buffer), (2, n_in))
    finish(state, mixed, mixed, 0, 256)
    return first

print(turn.inspect_llvm())
print(turn._library.get_asm_str())
"""


def test_nothing_is_allocated_and_lines_are_handed_over_in_order(tmp_path: Path) -> None:
    # In another process with an empty cache: code from the cache cannot be looked into.
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", INSPECT], env=environment, capture_output=True, text=True, check=True
    )
    for name in ("NRT_Allocate", "NRT_MemInfo_alloc", "NRT_MemInfo_new", "PyGILState", "PyEval", "PyObject"):
        assert name not in run.stdout
    assert run.stdout.count("atomicrmw xchg") == 2
    assert run.stdout.count("load atomic i64") == 2
