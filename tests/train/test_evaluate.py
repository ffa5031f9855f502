from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.train.evaluate import median_sdr_db, oracle_stems, references, voiced, window_sdr_db

RATE_HZ = 8000


def noise(seed, seconds=4, rms=0.1):
    return np.random.default_rng(seed).normal(0, rms, (2, seconds * RATE_HZ)).astype(np.float32)


@given(st.floats(-30, 60))
def test_sdr_of_a_known_error(sdr_db):
    truth = noise(0)
    error = truth[::-1] * np.float32(10 ** (-sdr_db / 20))
    assert window_sdr_db(truth, truth + error, RATE_HZ) == pytest.approx([sdr_db] * 4, abs=0.01)


def test_silence_scores_nothing_and_truth_everything():
    truth = noise(1)
    assert window_sdr_db(truth, np.zeros_like(truth), RATE_HZ) == pytest.approx([0] * 4, abs=1e-6)
    assert (window_sdr_db(truth, truth, RATE_HZ) > 100).all()


def test_only_seconds_with_a_voice_count():
    vocals, rest = noise(2, rms=0.1), noise(3)
    vocals[:, RATE_HZ : 3 * RATE_HZ] = 0.005  # below 0.01
    assert voiced(vocals, RATE_HZ).tolist() == [True, False, False, True]
    estimate = vocals.copy()
    estimate[:, RATE_HZ : 3 * RATE_HZ] = 9.0
    estimate[:, :RATE_HZ] *= 0.9  # 20 dB
    estimate[:, 3 * RATE_HZ :] *= 0.99  # 40 dB
    scores = median_sdr_db({"vocals": vocals, "rest": rest}, {"vocals": estimate, "rest": rest * 0}, RATE_HZ)
    assert scores["vocals"] == pytest.approx(30, abs=0.01)
    assert scores["rest"] == pytest.approx(0, abs=1e-6)


def test_nobody_sings():
    truth = {"vocals": np.zeros((2, 8000), np.float32)}
    assert np.isnan(median_sdr_db(truth, truth, RATE_HZ)["vocals"])


def test_the_oracle_parts_what_does_not_overlap_and_loses_nothing():
    t = np.arange(3 * RATE_HZ) / RATE_HZ
    low, high = (np.tile(0.1 * np.sin(2 * np.pi * f * t), (2, 1)).astype(np.float32) for f in (300, 2500))
    stems = oracle_stems({"vocals": low, "rest": high}, 512, 128)
    assert np.abs(stems["vocals"] + stems["rest"] - low - high).max() < 1e-5
    assert window_sdr_db(low, stems["vocals"], RATE_HZ).min() > 40


def test_references_in_order():
    truth = {"vocals": noise(4), "rest": noise(5)}
    found = references(truth, 512, 128)
    scores = {name: median_sdr_db(truth, estimate, RATE_HZ)["vocals"] for name, estimate in found.items()}
    assert scores["silence"] == pytest.approx(0, abs=1e-6)
    assert scores["mixture"] == pytest.approx(0, abs=0.2)
    assert scores["oracle ratio mask"] > 5
