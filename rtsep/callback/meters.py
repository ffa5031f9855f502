"""Meters: peak and mean square of every row and output, falling as meters do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.callback.records import inner

PEAK_FALL_S = 0.35  # a meter's peak falls to 1/e in this time: 25 dB/s
RMS_WINDOW_S = 0.3
TINY = np.float32(1e-15)  # added to what decays, so that no meter ever meets a denormal
# What is more, or not a number, is not metered: the mean square would never be finite again.
LOUDEST = np.float32(1e15)
FLOOR_DBFS = -120.0


@inner
def measure(signals: Any, n: int, peaks: Any, squares: Any, peak_fall: float, rms_fall: float) -> None:
    """Meter the first `n` samples of signals ``(rows, samples)``; the falls are those of one sample."""
    # A power of an integer could raise.
    all_peaks_fall, all_squares_fall = np.float32(peak_fall ** float(n)), np.float32(rms_fall ** float(n))
    for r in range(len(peaks)):
        peak = peaks[r] * all_peaks_fall + TINY
        energy = np.float32(0)
        for i in range(n):
            value = abs(signals[r, i])
            if value < LOUDEST:
                peak = max(peak, value)
                energy += value * value
        peaks[r] = peak
        mean = energy / np.float32(n)
        squares[r] = mean + (squares[r] - mean) * all_squares_fall + TINY


def falls(sample_rate_hz: int) -> tuple[float, float]:
    """What peaks and mean squares are multiplied by for every sample."""
    return float(np.exp(-1 / (PEAK_FALL_S * sample_rate_hz))), float(
        np.exp(-1 / (RMS_WINDOW_S * sample_rate_hz))
    )


def in_dbfs(
    peaks: NDArray[np.float32], squares: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Peak and RMS in dBFS, not below the floor."""
    least = 10 ** (FLOOR_DBFS / 20)
    peak = np.maximum(peaks.astype(np.float64), least)
    rms = np.sqrt(np.maximum(squares.astype(np.float64), least**2))
    return 20 * np.log10(peak), 20 * np.log10(rms)
