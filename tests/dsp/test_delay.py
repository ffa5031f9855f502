"""Bursts of noise are found where they are, whatever lies over them, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp.delay import BURST_PEAK, BURST_SAMPLES, burst, find_burst

REACH = 26460  # 0.6 s


def returned(seed: int, delay: int, gain: float, noise_rms: float, noise_seed: int) -> np.ndarray:
    heard = np.random.default_rng(noise_seed).normal(0, noise_rms, REACH)
    heard[delay : delay + BURST_SAMPLES] += gain * burst(seed)
    return heard.astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 7),
    delay=st.integers(0, REACH - BURST_SAMPLES),
    gain_db=st.floats(-60, 0),
    is_inverted=st.booleans(),
    snr_db=st.floats(-6, 60),
    noise_seed=st.integers(0, 2**32 - 1),
)
def test_a_burst_is_found_to_the_sample(
    seed: int, delay: int, gain_db: float, is_inverted: bool, snr_db: float, noise_seed: int
) -> None:
    gain = (-1 if is_inverted else 1) * 10 ** (gain_db / 20)
    noise_rms = abs(gain) * BURST_PEAK / np.sqrt(3) * 10 ** (-snr_db / 20)
    found = find_burst(burst(seed), returned(seed, delay, gain, noise_rms, noise_seed))
    assert found is not None
    assert found.delay_samples == delay
    expected = 1 / np.sqrt(1 + 10 ** (-snr_db / 10))
    assert found.correlation == pytest.approx(expected, abs=0.06)


@settings(max_examples=40, deadline=None)
@given(
    rms_db=st.floats(-150, 0),
    hum_hz=st.sampled_from([0, 50, 60, 1000]),
    other=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_no_burst_or_another_one_is_not_taken_for_it(
    rms_db: float, hum_hz: int, other: int, seed: int
) -> None:
    rms = 10 ** (rms_db / 20)
    heard = np.random.default_rng(seed).normal(0, rms, REACH)
    heard += rms * np.cos(2 * np.pi * hum_hz * np.arange(REACH) / 44100)
    heard[1000 : 1000 + BURST_SAMPLES] += rms * burst(other)
    assert find_burst(burst(0), heard.astype(np.float32)) is None


def test_silence_holds_nothing() -> None:
    assert find_burst(burst(0), np.zeros(REACH, np.float32)) is None


@pytest.mark.parametrize("delay", [0, 1, REACH - BURST_SAMPLES])
def test_the_ends_of_the_reach_belong_to_it(delay: int) -> None:
    found = find_burst(burst(3), returned(3, delay, 1.0, 0.0, 0))
    assert found is not None
    assert found.delay_samples == delay
