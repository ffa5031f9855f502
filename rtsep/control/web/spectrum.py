"""A column of a spectrogram: how much of every pitch there is in a stem now.

One window of both channels goes through an FFT; powers are gathered in bands that are evenly spaced in pitch, the
loudest bin of each, and shown in decibels as a byte, louder by 3 dB an octave: as music falls, that looks even.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

import numpy as np

from rtsep.stream import Audio

N_BANDS = 64
LOW_HZ, HIGH_HZ = 40.0, 16000.0
WINDOW_S = 0.09
FLOOR_DBFS, TOP_DBFS = -84.0, -12.0  # of a sine: black, and the brightest
TILT_DB, TILT_HZ = 3.0, 1000.0


class Spectrum:
    """Makes columns.

    Parameters
    ----------
    sample_rate_hz
        Of what is shown.

    Attributes
    ----------
    n_samples : int
        How many it looks at.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.n_samples = 1 << round(math.log2(WINDOW_S * sample_rate_hz))
        self._window = np.hanning(self.n_samples).astype(np.float32)
        self._window *= 2 / self._window.sum()  # a sine of full scale is 0 dB
        pitches = np.geomspace(LOW_HZ, min(HIGH_HZ, 0.45 * sample_rate_hz), N_BANDS + 1)
        bins = np.round(pitches * self.n_samples / sample_rate_hz).astype(np.intp)
        self._first, self._end = bins[:-1], int(bins[-1]) + 1
        self._tilt_db = TILT_DB * np.log2(pitches[:-1] / TILT_HZ)

    def columns(self, names: Sequence[str], stems: Audio | None) -> dict[str, str]:
        """Name of each stem to its column, lowest band first, bytes in base64; nothing while there is no sound.

        Parameters
        ----------
        names, stems
            ``(stems, channels, n_samples)`` and what they are called.
        """
        if stems is None or len(stems) != len(names):  # another model has just come
            return {}
        levels = self._levels(stems)
        return {
            name: base64.b64encode(level.tobytes()).decode()
            for name, level in zip(names, levels, strict=True)
        }

    def _levels(self, stems: Audio) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """``(stems, N_BANDS)``."""
        spectra = np.fft.rfft(np.nan_to_num(stems) * self._window)[..., : self._end]
        power = (spectra.real**2 + spectra.imag**2).max(axis=1)
        bands_db = 10 * np.log10(np.maximum.reduceat(power, self._first, axis=1) + 1e-12) + self._tilt_db
        share = (bands_db - FLOOR_DBFS) / (TOP_DBFS - FLOOR_DBFS)
        return (255 * np.clip(share, 0.0, 1.0)).astype(np.uint8)
