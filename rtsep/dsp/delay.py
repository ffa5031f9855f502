"""How late a known signal comes back: bursts of noise, and where they are found again.

Every burst is another stretch of white noise, so that none is mistaken for the one before it, however long the way is.
It is found where the normalised correlation with what came back is largest::

    r[d] = Σ b[i] · x[d + i] / (|b| · |x[d .. d + n]|)

For n samples of anything that has nothing to do with the burst, r is normally distributed with variance 1/n: for
n = 4096 `LEAST_CORRELATION` is 16 standard deviations. Noise as loud as the burst leaves r at 0.7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtsep.stream import Audio

BURST_SAMPLES = 4096
BURST_PEAK = 0.25
LEAST_CORRELATION = 0.25
LEAST_RMS = 10 ** (-100 / 20)  # below the noise of a converter of 16 bits: nothing but rounding


class Found(NamedTuple):
    """Where a burst is in what came back: samples after its start, and how much of what is there is the burst."""

    delay_samples: int
    correlation: float


def burst(seed: int) -> Audio:
    """White noise, ``(BURST_SAMPLES,)``, up to `BURST_PEAK`."""
    noise = np.random.default_rng(seed).uniform(-BURST_PEAK, BURST_PEAK, BURST_SAMPLES)
    return noise.astype(np.float32)


def find_burst(sent: Audio, heard: Audio) -> Found | None:
    """Find a burst again.

    Parameters
    ----------
    sent
        The burst, ``(n,)``.
    heard
        ``(m,)``, from the moment on in which the burst was sent; m is at least n. Its polarity does not matter.

    Returns
    -------
    Found or None
        None if it is nowhere.
    """
    sent, heard = sent.astype(np.float64), heard.astype(np.float64)
    n_fft = 1 << (len(heard) + len(sent)).bit_length()
    spectrum = np.fft.rfft(heard, n_fft) * np.conj(np.fft.rfft(sent, n_fft))
    products = np.fft.irfft(spectrum, n_fft)[: len(heard) - len(sent) + 1]
    sums = np.concatenate(([0.0], np.cumsum(heard**2)))
    least = len(sent) * LEAST_RMS**2  # in place of the rounding of sums where it is silent
    energies = np.maximum(sums[len(sent) :] - sums[: -len(sent)], least)
    correlations = np.abs(products) / np.sqrt(energies * (sent**2).sum())
    best = int(np.argmax(correlations))
    return Found(best, float(correlations[best])) if correlations[best] >= LEAST_CORRELATION else None
