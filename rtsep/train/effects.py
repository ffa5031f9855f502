"""What is done to a sound before it is mixed. Arithmetic on ``(2, samples)`` and a generator of random numbers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rtsep.stream import N_CHANNELS, Audio

_LEAST_RMS = 1e-9
EQ_KNOTS_HZ = (60.0, 11000.0)
N_EQ_KNOTS = 6
FLAT_SHARE = 0.3  # of all EQ curves
REVERB_S = (0.1, 0.8)
NEPERS_PER_RT60 = 6.9  # 60 dB
SWAP_SHARE, WIDTH_SHARE, MAX_WIDTH = 0.5, 0.4, 1.5


def gain(db: float) -> np.float32:
    """Decibels as a factor of amplitude."""
    return np.float32(10 ** (db / 20))


def rms(samples: Audio) -> float:
    """Root mean square over everything."""
    return float(np.sqrt(np.mean(np.square(samples)))) + _LEAST_RMS


def reverb(
    rng: np.random.Generator, samples: Audio, gain_db: tuple[float, float], sample_rate_hz: int
) -> Audio:
    """Add a room: noise that decays by 60 dB within 0.1 to 0.8 s, of unit energy, at a level out of `gain_db`."""
    n_tail = int(sample_rate_hz * rng.uniform(*REVERB_S))
    decay = np.exp(-NEPERS_PER_RT60 * np.arange(n_tail) / n_tail).astype(np.float32)
    tail = rng.standard_normal((N_CHANNELS, n_tail)).astype(np.float32) * decay
    tail /= np.sqrt(np.square(tail).sum(axis=1, keepdims=True))
    n_fft = 1 << (samples.shape[1] + n_tail - 1).bit_length()
    product = torch.fft.rfft(torch.from_numpy(samples), n_fft) * torch.fft.rfft(torch.from_numpy(tail), n_fft)
    wet = torch.fft.irfft(product, n_fft)[:, : samples.shape[1]].numpy()
    return np.asarray(samples + wet * gain(rng.uniform(*gain_db)), np.float32)


def place(rng: np.random.Generator, samples: Audio) -> Audio:
    """Now and then swap left and right, and scale the side signal by a width of 0 to 1.5."""
    if rng.random() < SWAP_SHARE:
        samples = samples[::-1]
    if rng.random() < WIDTH_SHARE:
        middle, side = (samples[0] + samples[1]) / 2, (samples[0] - samples[1]) / 2
        side *= np.float32(rng.uniform(0, MAX_WIDTH))
        samples = np.stack((middle + side, middle - side))
    return np.ascontiguousarray(samples)


def eq_curve(
    rng: np.random.Generator, frequencies_hz: NDArray[np.float64], max_db: float
) -> NDArray[np.float32]:
    """Gains of the bins: flat in three of ten cases, else six random knots, mean 0 dB, joined over octaves."""
    if rng.random() < FLAT_SHARE:
        return np.ones(len(frequencies_hz), np.float32)
    knots = np.linspace(np.log2(EQ_KNOTS_HZ[0]), np.log2(EQ_KNOTS_HZ[1]), N_EQ_KNOTS)
    gains_db = rng.uniform(-max_db, max_db, N_EQ_KNOTS)
    octaves = np.log2(np.maximum(frequencies_hz, 1.0))
    return np.asarray(10 ** (np.interp(octaves, knots, gains_db - gains_db.mean()) / 20), np.float32)
