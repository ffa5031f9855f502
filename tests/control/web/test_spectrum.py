"""A column of a spectrogram: where a tone is, and how loud."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from rtsep.control.web.spectrum import HIGH_HZ, LOW_HZ, N_BANDS, TOP_DBFS, Spectrum


def column(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    spectrum = Spectrum(rate_hz)
    text = spectrum.columns(["tone"], samples[None, :, : spectrum.n_samples].astype(np.float32))["tone"]
    return np.frombuffer(base64.b64decode(text), np.uint8)


def tone(frequency_hz: float, gain: float, rate_hz: int) -> np.ndarray:
    left = gain * np.sin(2 * np.pi * frequency_hz * np.arange(1 << 16) / rate_hz)
    return np.stack([left, -left])  # opposite in both channels: nothing is cancelled


@pytest.mark.parametrize("rate_hz", [44100, 48000, 96000])
@pytest.mark.parametrize("frequency_hz", [200, 1000, 5000])
def test_a_tone_lights_up_at_its_pitch(rate_hz: int, frequency_hz: float) -> None:
    levels = column(tone(frequency_hz, 0.1, rate_hz), rate_hz)
    band = N_BANDS * np.log(frequency_hz / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ)
    assert abs(levels.argmax() - band) <= 1.5
    assert levels.shape == (N_BANDS,)
    assert levels.max() > 180
    assert np.median(levels) < 40


def test_louder_is_brighter_and_silence_is_black() -> None:
    top = [column(tone(1000, gain, 44100), 44100).max() for gain in (0.0, 1e-4, 1e-2, 10 ** (TOP_DBFS / 20))]
    assert top[0] == 0
    assert top == sorted(top)
    assert top[-1] >= 250


def test_what_is_not_there_is_black_and_what_does_not_fit_is_left_out() -> None:
    spectrum = Spectrum(44100)
    stems = np.full((1, 2, spectrum.n_samples), np.nan, np.float32)
    assert set(base64.b64decode(spectrum.columns(["late"], stems)["late"])) == {0}
    assert spectrum.columns(["a", "b"], stems) == {}
    assert spectrum.columns(["a"], None) == {}
