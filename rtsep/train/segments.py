"""What the training loop is fed with: batches of spectra, by number.

A source is asked for batch *n* and gives the same one whenever it is asked, on any machine: nothing has to be
remembered in a checkpoint, and a run that resumes sees what it would have seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rtsep.dsp.stft import hann
from rtsep.stream import Audio
from rtsep.train.recipe import ModelRecipe


@dataclass(frozen=True)
class Batch:
    """Spectra up to the network's top bin.

    `mixture` is complex ``(batch, 2, frames, bins)``, `stems` ``(stems, batch, 2, frames, bins)``: those that
    own a network.
    """

    mixture: Tensor
    stems: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        return Batch(self.mixture.to(device), self.stems.to(device))


class Segments(Protocol):
    """A source of batches."""

    @property
    def n_seconds(self) -> float:
        """Audio that it draws from, in seconds of songs."""

    def batch(self, number: int) -> Batch:
        """Batch `number`, counted from 0; the same every time."""


def spectra(samples: Audio, model: ModelRecipe) -> Tensor:
    """Unpadded STFT of segments, cut at the network's top bin.

    Parameters
    ----------
    samples
        ``(..., segment_samples)``.
    model
        Frame, hop, bins.

    Returns
    -------
    Tensor
        Complex ``(..., n_frames, n_bins)``.
    """
    frames = torch.from_numpy(samples).unfold(-1, model.frame_samples, model.hop_samples)
    window = torch.from_numpy(hann(model.frame_samples))
    spectrum: Tensor = torch.fft.rfft(frames * window)[..., : model.n_bins]
    return spectrum


def ahead(source: Segments, first: int, last: int) -> Iterator[Batch]:
    """Batches ``first .. last − 1``, made while those before are trained on: two at once, three ahead."""
    with ThreadPoolExecutor(2) as pool:
        coming = deque(pool.submit(source.batch, number) for number in range(first, min(first + 3, last)))
        for number in range(first, last):
            batch = coming.popleft().result()
            if number + 3 < last:
                coming.append(pool.submit(source.batch, number + 3))
            yield batch
