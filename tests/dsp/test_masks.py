"""Spleeter's masks against its formulas in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp.masks import extend, ratio_masks, top_band_bins

N_BINS, N_ALL = 12, 20


def random_masks(seed: int, n_stems: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (n_stems, 2, 3, N_BINS)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_stems=st.integers(1, 5),
    exponent=st.sampled_from([1.0, 2.0, 1.5]),
    level_db=st.integers(-240, 60),
)
def test_ratio_masks_are_the_formula_and_share_out_everything(
    seed: int, n_stems: int, exponent: float, level_db: int
) -> None:
    masks = random_masks(seed, n_stems)
    magnitude = np.random.default_rng(seed + 1).uniform(0, 10 ** (level_db / 20), (2, 3, N_BINS))
    magnitude[0, 0, 0] = 0
    magnitude = magnitude.astype(np.float32)
    got = ratio_masks(masks, magnitude, exponent)
    power = (masks.astype(np.float64) * magnitude) ** exponent
    np.testing.assert_allclose(
        got, (power + 1e-10 / n_stems) / (power.sum(axis=0) + 1e-10), rtol=2e-5, atol=1e-7
    )
    np.testing.assert_allclose(got.sum(axis=0), 1, atol=1e-6)
    assert got.dtype == np.float32


def test_networks_masks_are_left_as_they_were() -> None:
    masks = random_masks(0, 2)
    before = masks.copy()
    ratio_masks(masks, np.ones(masks.shape[1:], np.float32), 2.0)
    np.testing.assert_array_equal(masks, before)


def test_in_silence_every_stem_gets_the_same() -> None:
    silence = np.zeros((2, 3, N_BINS), np.float32)
    np.testing.assert_allclose(ratio_masks(random_masks(0, 4), silence, 2.0), 0.25, rtol=1e-6)


@pytest.mark.parametrize(
    ("extension", "seen"),
    [("zeros", slice(0, 0)), ("average", slice(0, N_BINS)), ("top_band", slice(7, N_BINS))],
)
def test_above_the_top_bin(extension: str, seen: slice) -> None:
    masks = random_masks(3, 2)
    whole = extend(masks, extension, N_ALL, 5)  # type: ignore[arg-type]
    np.testing.assert_array_equal(whole[..., :N_BINS], masks)
    above = masks[..., seen].astype(np.float64).mean(axis=-1) if extension != "zeros" else np.zeros((2, 2, 3))
    np.testing.assert_allclose(
        whole[..., N_BINS:], np.repeat(above[..., None], N_ALL - N_BINS, axis=-1), rtol=1e-6
    )
    assert whole.dtype == np.float32


def test_masks_of_all_bins_need_no_extension() -> None:
    masks = random_masks(4, 2)
    np.testing.assert_array_equal(extend(masks, "top_band", N_BINS, 5), masks)


def test_the_top_band_is_three_kilohertz() -> None:
    assert top_band_bins(1024, 44100 / 4096) == 279  # 3003.9 Hz
    assert top_band_bins(1536, 44100 / 4096) == 279
    assert top_band_bins(100, 44100 / 4096) == 100
    assert top_band_bins(64, 4000) == 1
