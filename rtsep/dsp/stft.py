"""Short-time Fourier transform and overlap-add, as Spleeter does them.

Frame *k* ends at sample ``k · hop``: the signal is preceded by one frame of zeros, so frame 0 is silent. With a
periodic Hann window w on both sides and hop = frame / 4, the squares of the four windows over a sample sum to 3/2
(the mean of w² is 3/8, times 4), so the inverse is scaled by 2/3.

The two windows need not be alike (`Tapers`): a synthesis window that covers only the end of a frame gives the stems
back that much earlier. All it takes is that the products of both, a hop apart, sum to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.stream import Audio

Spectrum = NDArray[np.complex64]
"""``(channels, frames, bins)``; bin *b* lies at ``b · sample_rate / frame_samples`` Hz."""


@dataclass(frozen=True, eq=False)
class Tapers:
    """What a frame is multiplied by on its way in and on its way out.

    Parameters
    ----------
    analysis
        ``(frame_samples,)``.
    synthesis
        For the last samples of a frame, ``(n_synthesis_samples,)``, a whole number of hops; scaled so that the products
        of both, a hop apart, sum to one.
    hop_samples
        Samples between frames.
    """

    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]
    hop_samples: int

    @property
    def frame_samples(self) -> int:
        """Samples that a frame is made of."""
        return len(self.analysis)

    @property
    def n_synthesis_samples(self) -> int:
        """Samples that a frame gives back: so late the stems are at least."""
        return len(self.synthesis)


def hann_tapers(frame_samples: int, hop_samples: int) -> Tapers:
    """Spleeter's: Hann, and Hann scaled."""
    window = hann(frame_samples)
    return Tapers(window, window * np.float32(overlap_add_gain(window, hop_samples)), hop_samples)


def early_tapers(frame_samples: int, hop_samples: int, n_synthesis_samples: int) -> Tapers:
    """A pair that gives the stems back earlier: the synthesis covers only the end of a frame.

    With N = `frame_samples` and M = `n_synthesis_samples`, the analysis window rises over the first N − M/2 samples as
    half a Hann window and falls over the last M/2 as a cosine, and the products of both are a periodic Hann window of M
    samples, whose shifts by the hop sum to one. Networks have learnt from Hann windows: the analysis is scaled to the
    same sum, so that steady tones come to them as loud as ever.

    Parameters
    ----------
    frame_samples
        N.
    hop_samples
        Samples between frames.
    n_synthesis_samples
        M, two hops or more, whole and at most N.

    Notes
    -----
    Mauler and Martin, "A low delay, variable resolution, perfect reconstruction spectral analysis-synthesis system for
    speech enhancement", EUSIPCO 2007, with a Hann window for their rise.
    """
    n_fall = n_synthesis_samples // 2
    n_rise = frame_samples - n_fall
    rise = np.sin(np.pi * (np.arange(n_rise) + 0.5) / (2 * n_rise)) ** 2
    fall = np.cos(np.pi * (np.arange(n_fall) + 0.5) / (2 * n_fall))
    analysis = np.concatenate((rise, fall))
    analysis *= frame_samples / 2 / analysis.sum()  # a Hann window's sum is half its length
    m = np.arange(n_synthesis_samples) + 0.5
    product = (1 - np.cos(2 * np.pi * m / n_synthesis_samples)) * hop_samples / n_synthesis_samples
    synthesis = product / analysis[-n_synthesis_samples:]
    return Tapers(analysis.astype(np.float32), synthesis.astype(np.float32), hop_samples)


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
    """Transform back, window the end of every frame, and add it into `out`.

    Parameters
    ----------
    spectrum
        ``(..., frames, bins)``.
    window
        The synthesis window of `Tapers`, ``(n_synthesis_samples,)``.
    hop_samples
        Samples between frames.
    out
        ``(..., n_synthesis_samples + (frames − 1) · hop_samples)``, added to.
    """
    n_frames, n_hops = spectrum.shape[-2], len(window) // hop_samples
    whole = np.fft.irfft(spectrum, n=2 * (spectrum.shape[-1] - 1), axis=-1)
    frames = whole[..., -len(window) :]
    frames *= window
    slices = frames.reshape(*frames.shape[:-1], n_hops, hop_samples)
    hops = out.reshape(*out.shape[:-1], -1, hop_samples)
    for i in range(n_hops):  # the i-th part of every frame lands i hops further on
        hops[..., i : i + n_frames, :] += slices[..., i, :]
