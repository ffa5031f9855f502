"""What is done to the samples of a stream, beneath its time grid: spectra, networks, masks, overlap-add.

One protocol, and whoever does it keeps what it has seen::

    samples ─▶ frames ─▶ spectra ─▶ magnitudes ─▶ networks ─▶ masks ─▶ spectra of the stems ─▶ overlap-add ─▶ stems

`HostArithmetic` is numpy's, around a `Runner`; `rtsep.nets.device.arithmetic` has that of a GPU. When what happens is
for `rtsep.spectral` to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import numpy as np

from rtsep.dsp import masks as mask_math
from rtsep.dsp import stft
from rtsep.dsp.stft import Tapers
from rtsep.errors import UsageError
from rtsep.nets.crew import Crew, all_threads
from rtsep.nets.runner import Runner, Window
from rtsep.stream import N_CHANNELS, Audio, Extension, Mask, MaskRecipe
from rtsep.zoo.card import ModelCard

BATCH_FRAMES = 64
"""Frames that are transformed at a time: more leave the cache, fewer keep two threads waiting for each other."""


class Arithmetic(Protocol):
    """Samples to stems, update by update.

    An update brings as many hops of new samples as its window says. Before the first there was silence.
    """

    @property
    def delay_samples(self) -> int:
        """How much later stems come than they could: a device may work on while its caller does."""

    def see(self, samples: Audio) -> None:
        """Take the new ``(2, update_hops · hop_samples)``, which only count as seen."""

    def separate(self, samples: Audio, n_next: int) -> Audio:
        """Take new samples, and say what the networks make of all.

        Parameters
        ----------
        samples
            ``(2, update_hops · hop_samples)``.
        n_next
            For how many hops this must last.

        Returns
        -------
        ndarray
            The next samples of the stems that are whole, ``(stems, 2, n_next · hop_samples)``. The caller may write
            into them; the next call does.
        """

    def drop(self) -> None:
        """Give up what was begun: samples that are whole only when frames that were not separated are added."""

    def reset(self) -> None:
        """The past is silence."""

    def close(self) -> None:
        """Let go of threads and devices."""


@dataclass(frozen=True)
class MaskPlan:
    """Which networks run, and what becomes of their masks.

    Parameters
    ----------
    card
        The model.
    mask
        ``ratio`` or ``direct``.
    extension
        Masks above the network's top bin.
    stems
        The stems that are wanted.

    Raises
    ------
    UsageError
        Direct masks of a softmax model.
    """

    card: ModelCard
    mask: Mask
    extension: Extension
    stems: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.mask == "direct" and self.card.network.type == "unet.softmax_unet":
            raise UsageError(
                f"direct masks are not to be had of {self.card.name}: it is a softmax model, whose masks need the "
                f"networks of all {len(self.card.stems)} stems together. Use --mask ratio."
            )

    @property
    def complement(self) -> str | None:
        """The stem that is the mixture less the others.

        A card may say so; and of a two-stem model with direct masks it is the second stem, whose network then
        need not run.
        """
        two_direct = self.mask == "direct" and len(self.card.stems) == 2
        return self.card.complement or (self.card.stems[1] if two_direct else None)

    @property
    def instruments(self) -> tuple[str, ...]:
        """The networks that must run for the stems that are wanted."""
        owners = tuple(name for name in self.card.network.instruments if name != self.complement)
        if self.mask == "direct" and self.complement not in self.stems:
            return tuple(name for name in owners if name in self.stems)
        return owners

    @cached_property
    def recipe(self) -> MaskRecipe:
        """From the networks' masks to those of the wanted stems."""
        card, numbers = self.card, {name: number for number, name in enumerate(self.instruments)}
        rows = card.stems if self.mask == "ratio" else self.stems
        return MaskRecipe(
            rows=tuple(numbers.get(name, len(numbers)) for name in rows),
            is_ratio=self.mask == "ratio",
            exponent=card.exponent,
            epsilon=float(mask_math.EPSILON),
            chosen=tuple(rows.index(name) for name in self.stems),
            extension=self.extension,
            n_bins_all=card.frame_samples // 2 + 1,
            n_top_bins=mask_math.top_band_bins(card.n_bins, card.sample_rate_hz / card.frame_samples),
        )


class HostArithmetic:
    """`Arithmetic` by numpy, channels side by side.

    Parameters
    ----------
    card
        Bins, and what `plan` needs.
    plan
        From the networks' masks to the stems'.
    tapers
        Both windows and the hop.
    window
        Update and lookahead.
    runner
        What evaluates the networks.
    most_hops
        The largest `n_next` that is going to be asked for.
    """

    def __init__(
        self,
        card: ModelCard,
        plan: MaskPlan,
        tapers: Tapers,
        window: Window,
        runner: Runner,
        most_hops: int,
    ) -> None:
        self._recipe, self._tapers, self._runner = plan.recipe, tapers, runner
        self._n_bins, self._update_hops = card.n_bins, window.update_hops
        self._reach_hops = window.update_hops + window.lookahead_frames
        # Of a short update a single thread is done before two have met.
        is_long = window.update_hops >= BATCH_FRAMES
        self._crew = Crew(all_threads() if is_long else 1, N_CHANNELS)
        frame, n_whole, hop = tapers.frame_samples, tapers.n_synthesis_samples, tapers.hop_samples
        self._input = np.zeros((N_CHANNELS, frame + (window.update_hops - 1) * hop), np.float32)
        self._spectra = np.zeros((N_CHANNELS, self._reach_hops, frame // 2 + 1), np.complex64)
        self._magnitudes = np.zeros((N_CHANNELS, self._reach_hops, card.n_bins), np.float32)
        n_stems = len(plan.stems)
        self._sum = np.zeros((n_stems, N_CHANNELS, n_whole + (most_hops - 1) * hop), np.float32)
        self._whole = np.zeros((n_stems, N_CHANNELS, most_hops * hop), np.float32)
        self.reset()

    @property
    def delay_samples(self) -> int:
        """See `Arithmetic`."""
        return 0

    def reset(self) -> None:
        """See `Arithmetic`."""
        for array in (self._input, self._spectra, self._magnitudes, self._sum):
            array[...] = 0
        self._runner.reset()

    def drop(self) -> None:
        """See `Arithmetic`."""
        self._sum[...] = 0

    def close(self) -> None:
        """See `Arithmetic`."""
        self._runner.close()

    def see(self, samples: Audio) -> None:
        """See `Arithmetic`."""
        self._take(samples)
        self._runner.push(self._newest, 0, 0)

    def separate(self, samples: Audio, n_next: int) -> Audio:
        """See `Arithmetic`."""
        self._take(samples)
        network_masks = self._runner.push(self._newest, n_next, self._reach_hops - n_next)
        self._crew.map(partial(self._synthesise, network_masks), range(N_CHANNELS))
        n_whole = n_next * self._tapers.hop_samples
        whole = self._whole[:, :, :n_whole]
        whole[:] = self._sum[:, :, :n_whole]
        _shift(self._sum, n_whole)
        self._sum[:, :, -n_whole:] = 0
        return whole

    @property
    def _newest(self) -> Audio:
        """Magnitudes of the frames of this update."""
        return self._magnitudes[:, -self._update_hops :]

    def _take(self, samples: Audio) -> None:
        """Frames of the new samples and those before them."""
        _shift(self._input, samples.shape[1])
        self._input[:, -samples.shape[1] :] = samples
        self._crew.map(self._analyse, range(N_CHANNELS))

    def _analyse(self, channel: int) -> None:
        """The spectra of a channel's new frames, behind those that are kept."""
        n_new, frame, hop = self._update_hops, self._tapers.frame_samples, self._tapers.hop_samples
        for kept in (self._spectra, self._magnitudes):
            _shift(kept[channel].T, n_new)
        spectra, magnitudes = self._spectra[channel, -n_new:], self._magnitudes[channel, -n_new:]
        for first, end in _batches(n_new):
            samples = self._input[channel, first * hop : (end - 1) * hop + frame]
            spectra[first:end] = stft.analyse(samples, self._tapers.analysis, hop)
            np.abs(spectra[first:end, : self._n_bins], out=magnitudes[first:end])

    def _synthesise(self, network_masks: mask_math.Masks, channel: int) -> None:
        """Add the wanted frames of a channel to its stems."""
        one, hop, n_last = (
            slice(channel, channel + 1),
            self._tapers.hop_samples,
            self._tapers.n_synthesis_samples,
        )
        for first, end in _batches(network_masks.shape[2]):
            masks = mask_math.follow(
                self._recipe, network_masks[:, one, first:end], self._magnitudes[one, first:end]
            )
            masked = masks * self._spectra[one, first:end]
            out = self._sum[:, one, first * hop : (end - 1) * hop + n_last]
            stft.overlap_add(masked, self._tapers.synthesis, hop, out)


def _batches(n_frames: int) -> Iterator[tuple[int, int]]:
    """First and end of so few frames at a time that what is computed on the way stays in the cache."""
    for first in range(0, n_frames, BATCH_FRAMES):
        yield first, min(first + BATCH_FRAMES, n_frames)


def _shift(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], n: int) -> None:
    """Move everything `n` places towards the start of the last axis; what was in the last `n` is done with."""
    if 0 < n < array.shape[-1]:
        array[..., :-n] = array[..., n:].copy()
