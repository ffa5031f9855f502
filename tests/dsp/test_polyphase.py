"""The converter: clean, in time to the end, as late as it says, however it is asked."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from rtsep.dsp.polyphase import PASS_BAND, STEERED, Converter, make, n_needed, push, seek, set_ratio

PAIRS = [
    (44100, 48000),
    (48000, 44100),
    (96000, 44100),
    (44100, 96000),
    (192000, 44100),
    (44100, 192000),
    (32000, 44100),
    (44100, 32000),
    (8000, 44100),
    (44100, 8000),
    (44100, 44095),
]


def sine(frequency_hz: float, rate_hz: float, n_samples: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(n_samples))


def convert(samples: np.ndarray, rate_in_hz: int, rate_out_hz: int) -> np.ndarray:
    """All that comes out of one channel, less a start in which the kernel still meets the silence before it."""
    converter = Converter(1, rate_in_hz, rate_out_hz)
    n_start = 2 * converter.lag_samples * rate_out_hz // rate_in_hz + 1
    return converter.process(samples.astype(np.float32)[None])[0].astype(np.float64), n_start


def level_db(samples: np.ndarray) -> float:
    """RMS; 0 dB is a sine of amplitude 0.5."""
    return float(10 * np.log10(np.mean(samples**2) / 0.125 + 1e-30))


@pytest.mark.parametrize(("rate_in_hz", "rate_out_hz"), PAIRS)
@pytest.mark.parametrize("place", [0.045, 0.45, PASS_BAND])
def test_what_passes_is_the_same_signal_at_other_instants(
    rate_in_hz: int, rate_out_hz: int, place: float
) -> None:
    # 1 kHz, 10 kHz and 20 kHz of 44.1. Phase and level count as errors, as images, aliases and noise do.
    frequency_hz = place * min(rate_in_hz, rate_out_hz) / 2
    got, n_start = convert(sine(frequency_hz, rate_in_hz, rate_in_hz // 2), rate_in_hz, rate_out_hz)
    error = got - sine(frequency_hz, rate_out_hz, len(got))
    assert level_db(error[n_start:]) < -118


@pytest.mark.parametrize(
    ("rate_in_hz", "rate_out_hz"), [(48000, 44100), (96000, 44100), (192000, 44100), (44100, 8000)]
)
def test_what_cannot_pass_is_stopped(rate_in_hz: int, rate_out_hz: int) -> None:
    first_hz, last_hz = (2 - PASS_BAND) * rate_out_hz / 2, rate_in_hz / 2
    for frequency_hz in np.linspace(first_hz, last_hz, 9, endpoint=False) if first_hz < last_hz else ():
        got, n_start = convert(sine(frequency_hz, rate_in_hz, rate_in_hz // 4), rate_in_hz, rate_out_hz)
        assert level_db(got[n_start:]) < -115
    assert first_hz < last_hz or rate_in_hz == 48000  # there, nothing that comes in is stopped


def test_at_a_step_of_one_it_is_a_delay_to_the_bit() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (3, 5000)).astype(np.float32)
    samples[:, 100:300] = 0  # the neighbours of silence must not leak into it
    for is_steered in (False, True):
        converter = Converter(3, 44100, 44100, is_steered=is_steered)
        got = converter.process(samples)
        assert got.shape[1] == 5000 - converter.lag_samples
        np.testing.assert_array_equal(got, samples[:, : got.shape[1]])


@pytest.mark.parametrize("size", [1, 64, 65, 512, 513, 0])
@pytest.mark.parametrize(("rate_in_hz", "rate_out_hz"), PAIRS[:6])
def test_how_the_input_is_cut_makes_no_difference(rate_in_hz: int, rate_out_hz: int, size: int) -> None:
    rng = np.random.default_rng(size)
    samples = rng.uniform(-0.5, 0.5, (2, 7000)).astype(np.float32)
    at_once = Converter(2, rate_in_hz, rate_out_hz).process(samples)
    converter, parts, at = Converter(2, rate_in_hz, rate_out_hz), [], 0
    while at < 7000:
        n = size or int(rng.integers(0, 900))
        parts.append(converter.process(samples[:, at : at + n]))
        at += n
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), at_once)


@pytest.mark.parametrize(("rate_in_hz", "rate_out_hz"), PAIRS)
def test_a_sample_is_ready_as_soon_as_its_lag_has_come(rate_in_hz: int, rate_out_hz: int) -> None:
    converter = Converter(1, rate_in_hz, rate_out_hz)
    n_made = 0
    for n_pushed in range(1, 2000):
        n_made += converter.process(np.zeros((1, 1), np.float32)).shape[1]
        last = n_pushed - 1 - converter.lag_samples  # the last input position that an output may stand at
        expected = (last * rate_out_hz + rate_out_hz - 1) // rate_in_hz + 1 if last >= 0 else 0
        assert n_made == expected


@pytest.mark.parametrize(("rate_in_hz", "rate_out_hz"), PAIRS)
def test_what_it_needs_is_enough_and_no_more(rate_in_hz: int, rate_out_hz: int) -> None:
    rng = np.random.default_rng(1)
    converter = Converter(1, rate_in_hz, rate_out_hz)
    for n in rng.integers(1, 600, 50):
        needed = converter.n_needed(int(n))
        if needed:
            converter.process(np.zeros((1, needed - 1), np.float32), 0)
            assert converter.n_needed(int(n)) == 1
            converter.process(np.zeros((1, 1), np.float32), 0)
        assert converter.process(np.zeros((1, 0), np.float32), int(n)).shape[1] == n


@njit(error_model="numpy")
def _steer(
    states: np.ndarray, samples: np.ndarray, ratios: np.ndarray, sizes: np.ndarray, out: np.ndarray
) -> None:
    """Blocks of an output at ratios that change from one to the next."""
    state, pushed, made = states[0], 0, 0
    seek(state, state.n_taps, 0)
    pushed = state.pushed
    for i in range(len(sizes)):
        n = sizes[i]
        set_ratio(state, ratios[i])
        needed = n_needed(state, n)
        push(state, samples, pushed, needed)
        pushed += needed
        make(state, out, made, n)
        made += n


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.5, 1.99), st.integers(1, 500)), min_size=1, max_size=20),
    st.sampled_from([PASS_BAND / 2, 0.1, 0.01]),
)
def test_a_steered_converter_is_where_its_steps_lead_it(
    steps: list[tuple[float, int]], cycles: float
) -> None:
    converter = Converter(1, 44100, 44100, is_steered=True, most_samples=1200)
    position, positions = Fraction(converter.states[0]["n_taps"].item()), []
    for ratio, n in steps:
        step = Fraction(int(ratio * STEERED), STEERED)
        positions += [float(position + k * step) for k in range(n)]
        position += n * step
    samples = 0.5 * np.sin(2 * np.pi * cycles * np.arange(int(position) + 200))
    out = np.zeros((1, len(positions)), np.float32)
    ratios, sizes = np.array([ratio for ratio, _ in steps]), np.array([n for _, n in steps])
    _steer(converter.states, samples.astype(np.float32)[None], ratios, sizes, out)
    state = converter.states[0]
    assert Fraction(state["whole"].item()) + Fraction(state["fraction"].item(), STEERED) == position
    np.testing.assert_allclose(out[0], 0.5 * np.sin(2 * np.pi * cycles * np.array(positions)), atol=1e-6)


def test_a_fixed_ratio_never_drifts() -> None:
    converter = Converter(1, 48000, 44100)
    for _ in range(100):
        converter.process(np.zeros((1, 48000), np.float32))
    state = converter.states[0]
    position = Fraction(state["whole"].item()) + Fraction(
        state["fraction"].item(), state["denominator"].item()
    )
    assert position % Fraction(48000, 44100) == 0
    assert (
        4_800_000 - converter.lag_samples
        <= position
        < 4_800_000 - converter.lag_samples + Fraction(48000, 44100)
    )


def test_reset_forgets() -> None:
    samples = np.random.default_rng(2).uniform(-0.5, 0.5, (1, 3000)).astype(np.float32)
    converter = Converter(1, 48000, 44100)
    first = converter.process(samples)
    converter.reset()
    np.testing.assert_array_equal(converter.process(samples), first)
