"""Conversion in steps: soxr's own result, in time, however the input is cut."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from rtsep.dsp.resample import QUALITY, StepResampler

PAIRS = [(48000, 44100), (44100, 48000), (96000, 44100), (44100, 192000), (8000, 44100)]


def noise(n_channels: int, n_samples: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (n_channels, n_samples)).astype(np.float32)


def cut(samples: np.ndarray, size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(size)
    parts, at = [], 0
    while at < samples.shape[1]:
        n = size or int(rng.integers(0, 900))
        parts.append(samples[:, at : at + n])
        at += n
    return parts


@pytest.mark.parametrize(("rate_in_hz", "rate_out_hz"), PAIRS)
def test_a_stream_is_the_whole_converted_at_once(rate_in_hz: int, rate_out_hz: int) -> None:
    samples = noise(3, 30_001)
    whole = soxr.resample(samples.T, rate_in_hz, rate_out_hz, quality=QUALITY).T
    resampler = StepResampler(rate_in_hz, rate_out_hz, 3)
    parts = [resampler.process(part) for part in cut(samples, 513)]
    got = np.concatenate([*parts, resampler.process(samples[:, :0], last=True)], axis=1)
    assert abs(got.shape[1] - 30_001 * rate_out_hz / rate_in_hz) < 2
    n = min(got.shape[1], whole.shape[1])
    np.testing.assert_allclose(got[:, :n], whole[:, :n], atol=1e-5)


@pytest.mark.parametrize("size", [1, 64, 65, 512, 0])
def test_how_the_input_is_cut_makes_no_difference(size: int) -> None:
    samples = noise(2, 5000)
    at_once = StepResampler(48000, 44100, 2).process(samples)
    resampler = StepResampler(48000, 44100, 2)
    parts = [resampler.process(part) for part in cut(samples, size)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), at_once)


@pytest.mark.parametrize(("rate_in_hz", "rate_out_hz"), PAIRS)
def test_time_is_kept(rate_in_hz: int, rate_out_hz: int) -> None:
    instant_s, width_s = 0.25, 0.002  # a band-limited click
    seconds = np.arange(rate_in_hz) / rate_in_hz - instant_s
    click = np.exp(-0.5 * (seconds / width_s) ** 2) * np.cos(2 * np.pi * 1000 * seconds)
    resampler = StepResampler(rate_in_hz, rate_out_hz, 1)
    got = resampler.process(click.astype(np.float32)[None])[0]
    seconds = np.arange(len(got)) / rate_out_hz - instant_s
    expected = np.exp(-0.5 * (seconds / width_s) ** 2) * np.cos(2 * np.pi * 1000 * seconds)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_reset_forgets() -> None:
    samples = noise(1, 3000)
    resampler = StepResampler(48000, 44100, 1)
    first = resampler.process(samples)
    resampler.reset()
    np.testing.assert_array_equal(resampler.process(samples), first)
