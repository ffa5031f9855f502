"""Short-time Fourier transform and overlap-add, as Spleeter does them.

Frame *k* ends at sample ``k · hop``: the signal is preceded by one frame of zeros, so frame 0 is silent. With a
periodic Hann window w on both sides and hop = frame / 4, the squares of the four windows over a sample sum to 3/2
(the mean of w² is 3/8, times 4), so the inverse is scaled by 2/3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.stream import Audio

Spectrum = NDArray[np.complex64]
"""``(channels, frames, bins)``; bin *b* lies at ``b · sample_rate / frame_samples`` Hz."""


def hann(n_samples: int) -> NDArray[np.float32]:
    """The periodic Hann window, ``0.5 − 0.5 cos(2πn / N)``."""
    n = np.arange(n_samples)
    return (0.5 - 0.5 * np.cos(2 * np.pi * n / n_samples)).astype(np.float32)


def overlap_add_gain(window: NDArray[np.float32], hop_samples: int) -> float:
    """What the inverse is scaled by: one over the sum of squared windows over a sample.

    Raises
    ------
    ValueError
        The squares do not add up to a constant at this hop.
    """
    sums = (window.astype(np.float64) ** 2).reshape(-1, hop_samples).sum(axis=0)
    if np.ptp(sums) > 1e-6 * sums.mean():
        raise ValueError(f"the squared window does not overlap to a constant at a hop of {hop_samples}")
    return float(1 / sums.mean())


def analyse(samples: Audio, window: NDArray[np.float32], hop_samples: int) -> Spectrum:
    """Cut into frames, window, transform.

    Parameters
    ----------
    samples
        ``(channels, frame_samples + (frames − 1) · hop_samples)``.
    window
        ``(frame_samples,)``.
    hop_samples
        Samples between frames.

    Returns
    -------
    Spectrum
        ``(channels, frames, frame_samples // 2 + 1)``.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(window), axis=-1)[..., ::hop_samples, :]
    return np.fft.rfft(frames * window, axis=-1).astype(np.complex64, copy=False)


def overlap_add(spectrum: Spectrum, window: NDArray[np.float32], hop_samples: int, out: Audio) -> None:
    """Transform back, window, and add the frames into `out`.

    Parameters
    ----------
    spectrum
        ``(..., frames, bins)``.
    window
        ``(frame_samples,)``, already scaled by `overlap_add_gain`.
    hop_samples
        Samples between frames.
    out
        ``(..., frame_samples + (frames − 1) · hop_samples)``, added to.
    """
    n_frames, n_hops = spectrum.shape[-2], len(window) // hop_samples
    frames = np.fft.irfft(spectrum, n=len(window), axis=-1)
    frames *= window
    slices = frames.reshape(*frames.shape[:-1], n_hops, hop_samples)
    hops = out.reshape(*out.shape[:-1], -1, hop_samples)
    for i in range(n_hops):  # the i-th quarter of every frame lands i hops further on
        hops[..., i : i + n_frames, :] += slices[..., i, :]
