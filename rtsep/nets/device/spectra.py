"""Frames, spectra, masks and overlap-add as torch does them; `rtsep.dsp` has the same, and the formulas, for numpy.

All in float32. Streams (*decks*) lie side by side; everything that lasts is made once and written in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.nets.device.layers import split
from rtsep.nets.unet import N_CHANNELS
from rtsep.stream import MaskRecipe


@dataclass(frozen=True, eq=False)
class Framing:
    """How samples become frames and frames become samples.

    Parameters
    ----------
    analysis, synthesis
        The windows, ``(frame_samples,)`` and ``(n_synthesis_samples,)``; see `rtsep.dsp.stft.Tapers`.
    hop_samples
        Samples between frames.
    n_bins
        Bins that the networks see.
    """

    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]
    hop_samples: int
    n_bins: int


class Spectra:
    """The transforms of some decks, and what they keep.

    Parameters
    ----------
    framing
        Windows, hop, bins.
    device
        Where.
    n_decks, n_stems
        Streams side by side, and what becomes of each.
    update_hops, reach_hops
        New frames of an update; frames that are kept, which is these and the lookahead.
    most_hops
        The most frames that are wanted at a time.
    """

    def __init__(
        self,
        framing: Framing,
        device: torch.device,
        n_decks: int,
        n_stems: int,
        update_hops: int,
        reach_hops: int,
        most_hops: int,
    ) -> None:
        self._hop, self._n_bins, self._n_frame = framing.hop_samples, framing.n_bins, len(framing.analysis)
        self._analysis = torch.from_numpy(framing.analysis).to(device)
        self._synthesis = torch.from_numpy(framing.synthesis).to(device)
        n_samples = self._n_frame + (update_hops - 1) * self._hop
        n_sum = len(framing.synthesis) + (most_hops - 1) * self._hop
        both = (n_decks, N_CHANNELS)
        self._samples = torch.zeros(*both, n_samples, device=device)
        self._spectra = torch.zeros(
            *both, reach_hops, self._n_frame // 2 + 1, dtype=torch.complex64, device=device
        )
        self._sum = torch.zeros(n_stems, *both, n_sum, device=device)

    def reset(self) -> None:
        """The past is silence."""
        for kept in (self._samples, self._spectra, self._sum):
            kept.zero_()

    def drop(self) -> None:
        """Give up the samples that are not whole yet."""
        self._sum.zero_()

    def analyse(self, samples: Tensor) -> Tensor:
        """Magnitudes ``(decks, 2, update_hops, n_bins)`` of the frames that new ``(decks, 2, samples)`` complete."""
        _append(self._samples, samples, 2)
        frames = self._samples.unfold(2, self._n_frame, self._hop)
        new = torch.fft.rfft(frames * self._analysis)
        _append(self._spectra, new, 2)
        magnitudes: Tensor = new[..., : self._n_bins].abs()
        return magnitudes

    def synthesise(self, network_masks: Tensor, recipe: MaskRecipe) -> Tensor:
        """Mask the oldest frames that are kept and add them up.

        Parameters
        ----------
        network_masks
            ``(instruments, decks, 2, frames, n_bins)``.
        recipe
            What becomes of them.

        Returns
        -------
        Tensor
            The samples that are whole, ``(stems, decks, 2, frames · hop_samples)``.
        """
        n_frames, hop, n_last = network_masks.shape[3], self._hop, len(self._synthesis)
        spectra = self._spectra[:, :, :n_frames]
        masks = follow(recipe, network_masks, spectra[..., : self._n_bins].abs())
        frames = torch.fft.irfft(masks * spectra, n=self._n_frame)[..., self._n_frame - n_last :]
        frames = frames * self._synthesis
        parts, hops = split(frames, 4, -1, hop), split(self._sum, 3, -1, hop)
        for i in range(n_last // hop):
            hops[..., i : i + n_frames, :] += parts[..., i, :]
        whole = self._sum[..., : n_frames * hop].clone()
        _append(self._sum, torch.zeros_like(whole), 3)
        return whole


def follow(recipe: MaskRecipe, network_masks: Tensor, magnitude: Tensor) -> Tensor:
    """Masks of the wanted stems over all bins; `rtsep.dsp.masks.follow`, with decks."""
    said = list(network_masks)
    if len(said) in recipe.rows:
        said.append((1 - network_masks.sum(dim=0)).clamp_(min=0))
    rows = torch.stack([said[number] for number in recipe.rows])
    if recipe.is_ratio:
        outputs = rows * magnitude
        power = outputs.square() if recipe.exponent == 2 else outputs.pow(recipe.exponent)
        rows = (power + recipe.epsilon / len(power)) / (power.sum(dim=0) + recipe.epsilon)
    # By index of the host: a list of numbers would be copied to the device, which a recording cannot do.
    chosen = torch.stack([rows[number] for number in recipe.chosen])
    n_above = recipe.n_bins_all - chosen.shape[-1]
    if recipe.extension == "zeros":
        return torch.nn.functional.pad(chosen, (0, n_above))
    seen = chosen if recipe.extension == "average" else chosen[..., -recipe.n_top_bins :]
    above = seen.mean(dim=-1, keepdim=True).expand(*chosen.shape[:-1], n_above)
    return torch.cat((chosen, above), dim=-1)


def _append(kept: Tensor, new: Tensor, dim: int) -> None:
    """Move what is kept on by what is new; at most all of it."""
    n_old = kept.shape[dim] - new.shape[dim]
    if n_old > 0:
        kept.narrow(dim, 0, n_old).copy_(kept.narrow(dim, new.shape[dim], n_old).clone())
    kept.narrow(dim, n_old, new.shape[dim]).copy_(new)
