"""How well a stem was separated: SDR over the seconds in which somebody sings.

For a window of one second, both channels together::

    SDR = 10 log10( sum s² / sum (s − ŝ)² )       dB

and of the windows in which the voice's RMS exceeds 0.01, the median. Beside a model's figure stand those of what
costs nothing: silence, the mixture itself, and the best that ratio masks could do if the stems were known (the
oracle).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp import stft
from rtsep.dsp.masks import ratio_masks
from rtsep.stream import Audio

VOICED_RMS = 0.01
WINDOW_S = 1.0
_LEAST_POWER = 1e-12


def window_power(samples: Audio, sample_rate_hz: int) -> NDArray[np.float64]:
    """Sum of squares of each whole second, ``(channels, samples)`` to ``(windows,)``."""
    n_window = round(WINDOW_S * sample_rate_hz)
    n_windows = samples.shape[1] // n_window
    windows = samples[:, : n_windows * n_window].reshape(samples.shape[0], n_windows, n_window)
    return np.asarray(np.square(windows, dtype=np.float64).sum(axis=(0, 2)))


def voiced(vocals: Audio, sample_rate_hz: int) -> NDArray[np.bool_]:
    """In which windows the voice's RMS exceeds 0.01."""
    n_values = vocals.shape[0] * round(WINDOW_S * sample_rate_hz)
    return np.asarray(np.sqrt(window_power(vocals, sample_rate_hz) / n_values) > VOICED_RMS)


def window_sdr_db(truth: Audio, estimate: Audio, sample_rate_hz: int) -> NDArray[np.float64]:
    """SDR of each whole second, ``(windows,)``.

    Parameters
    ----------
    truth, estimate
        ``(channels, samples)``, of one length.
    sample_rate_hz
        Their rate.
    """
    signal = window_power(truth, sample_rate_hz) + _LEAST_POWER
    error = window_power(truth - estimate, sample_rate_hz) + _LEAST_POWER
    return np.asarray(10 * np.log10(signal / error))


def median_sdr_db(
    truth: Mapping[str, Audio], estimate: Mapping[str, Audio], sample_rate_hz: int, voice: str = "vocals"
) -> dict[str, float]:
    """Median SDR of every stem of `truth` over the windows in which the voice is heard; NaN if there are none."""
    chosen = voiced(truth[voice], sample_rate_hz)
    if not chosen.any():
        return dict.fromkeys(truth, float("nan"))
    return {
        name: float(np.median(window_sdr_db(stem, estimate[name], sample_rate_hz)[chosen]))
        for name, stem in truth.items()
    }


def references(
    truth: Mapping[str, Audio], frame_samples: int = 4096, hop_samples: int = 1024
) -> dict[str, dict[str, Audio]]:
    """What to compare with: estimates by ``silence``, ``mixture`` and ``oracle ratio mask``, by stem."""
    mixture: Audio = np.stack(list(truth.values())).sum(axis=0)
    return {
        "silence": {name: np.zeros_like(stem) for name, stem in truth.items()},
        "mixture": dict.fromkeys(truth, mixture),
        "oracle ratio mask": oracle_stems(truth, frame_samples, hop_samples),
    }


def oracle_stems(truth: Mapping[str, Audio], frame_samples: int, hop_samples: int) -> dict[str, Audio]:
    """Stems by ratio masks (exponent 2) of the true stems' own spectra.

    Returns
    -------
    dict
        Of the names, shapes and lengths of `truth`.
    """
    n_samples = next(iter(truth.values())).shape[1]
    n_hops = -(-(n_samples + frame_samples) // hop_samples)
    after = n_hops * hop_samples - n_samples
    window = stft.hann(frame_samples)
    spectra = np.stack(
        [
            stft.analyse(np.pad(s, ((0, 0), (frame_samples, after))), window, hop_samples)
            for s in truth.values()
        ]
    )
    masks = ratio_masks(np.abs(spectra).astype(np.float32), np.ones(spectra.shape[1:], np.float32), 2.0)
    estimates = (masks * spectra.sum(axis=0)).astype(np.complex64)
    out = np.zeros((*spectra.shape[:2], frame_samples + n_samples + after), np.float32)
    stft.overlap_add(
        estimates, window * np.float32(stft.overlap_add_gain(window, hop_samples)), hop_samples, out
    )
    return dict(zip(truth, out[..., frame_samples : frame_samples + n_samples], strict=True))
