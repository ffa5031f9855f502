"""Spleeter's way of separating, as a stream: frames, STFT, networks, masks, overlap-add.

Offline and live are this one path. With U = `update_hops` and L = `lookahead_frames`, the networks run whenever U new
frames are there, and their masks are used for the U frames that end L frames back::

    frame k ends at sample 1024 k;  update g runs when frame n = (g + 1) U − 1 is there
    masks wanted:      frames  n − L − U + 1 .. n − L
    stems then whole:  samples before  1024 (n − L + 1) − 4096
    next update:       sample  1024 ((g + 2) U − 1)
    so the latency is  4096  (synthesis window) + 1024 (U − 1) + 1024 L

Only U + L is fixed while a stream runs. New frames go in every U hops, but masks may be wanted more seldom: if the next
time is V frames away, V columns are made now, looking U + L − V frames ahead (`rtsep.pace`).

Offline is U = T, L = 0: the segments of T frames that Spleeter cuts, in constant memory. Live is a small U.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from rtsep.dsp import masks as mask_math
from rtsep.dsp import stft
from rtsep.errors import UsageError
from rtsep.nets.crew import Crew, all_threads
from rtsep.nets.runner import Effort, Runner, Window, choose_device, open_runner
from rtsep.nets.unet import SeparationNet
from rtsep.pace import Pace, Steady
from rtsep.stream import N_CHANNELS, Audio, Extension, Latency, Mask, Options, Schedule
from rtsep.zoo.card import ModelCard, ModelFolder
from rtsep.zoo.weights import load_network

BATCH_FRAMES = 64
"""Frames that are transformed at a time: more leave the cache, fewer keep two threads waiting for each other."""


def open_separator(folder: ModelFolder | None, options: Options) -> SpectralSeparator:
    """Entry point ``rtsep.separators``: a U-Net model from its folder."""
    if folder is None:
        raise UsageError("the separator 'spleeter' needs a model: name one with -m, see `rtsep models list`")
    return SpectralSeparator(folder.card, load_network(folder), options)


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

    def masks(self, network_masks: mask_math.Masks, magnitude: Audio) -> mask_math.Masks:
        """The networks' masks as masks of the wanted stems over all bins.

        Parameters
        ----------
        network_masks
            ``(instruments, channels, frames, bins)``.
        magnitude
            ``(channels, frames, bins)`` of the mixture.

        Returns
        -------
        ndarray
            ``(stems, channels, frames, frame_samples // 2 + 1)``.
        """
        rows = dict(zip(self.instruments, network_masks, strict=True))
        if self.complement is not None and (self.mask == "ratio" or self.complement in self.stems):
            rows[self.complement] = np.maximum(1 - network_masks.sum(axis=0), 0)
        if self.mask == "ratio":
            every = np.stack([rows[name] for name in self.card.stems])
            ratios = mask_math.ratio_masks(every, magnitude, self.card.exponent)
            rows = dict(zip(self.card.stems, ratios, strict=True))
        chosen = np.stack([rows[name] for name in self.stems])
        bin_hz = self.card.sample_rate_hz / self.card.frame_samples
        n_top = mask_math.top_band_bins(self.card.n_bins, bin_hz)
        return mask_math.extend(chosen, self.extension, self.card.frame_samples // 2 + 1, n_top)


class SpectralSeparator:
    """A model of U-Nets over the short-time Fourier transform.

    Parameters
    ----------
    card
        The model's card.
    net
        Its networks.
    options
        Device, masks, extension, stems.
    """

    def __init__(self, card: ModelCard, net: SeparationNet, options: Options) -> None:
        self._card, self._net = card, net
        self._effort = Effort(choose_device(options.device), options.precision, options.n_threads)
        mask = card.mask if options.mask == "card" else options.mask
        extension = card.extension if options.extension == "card" else options.extension
        self._plan = MaskPlan(card, mask, extension, options.choose(card.stems))

    @property
    def stems(self) -> tuple[str, ...]:
        """What comes out."""
        return self._plan.stems

    @property
    def sample_rate_hz(self) -> int:
        """The model's own rate."""
        return self._card.sample_rate_hz

    @property
    def summary(self) -> str:
        """Masks, extension and device, in a line."""
        top_khz = self._card.n_bins * self.sample_rate_hz / self._card.frame_samples / 1000
        return (
            f"{self._card.name}: {self._plan.mask} masks up to {top_khz:.0f} kHz, above it "
            f"{self._plan.extension}, {self._effort.precision} on {self._effort.device.type}"
        )

    def open_stream(self, schedule: Schedule | None) -> SpectralStream:
        """A stream; without a schedule, the offline one: whole segments."""
        if schedule is None:
            window, pace = Window(self._card.n_frames, self._card.n_frames), None
        else:
            window = Window(schedule.context_frames, schedule.update_hops, schedule.lookahead_frames)
            pace = schedule.pace
        plan, card = self._plan, self._card
        runner = open_runner(self._net, plan.instruments, window, card.n_bins, self._effort)
        return SpectralStream(card, plan, window, runner, pace or Steady())


class SpectralStream:
    """Mixture to stems, block by block (see the module's docstring for the grid).

    Parameters
    ----------
    card
        Frame, hop, bins.
    plan
        From the networks' masks to the stems'.
    window
        Context, update and lookahead.
    runner
        What evaluates the networks.
    pace
        Says when the size of updates changes.
    """

    def __init__(self, card: ModelCard, plan: MaskPlan, window: Window, runner: Runner, pace: Pace) -> None:
        self._card, self._plan, self._window, self._runner, self._pace = card, plan, window, runner, pace
        self._reach_hops = window.update_hops + window.lookahead_frames
        # Channels side by side; of a short update a single thread is done before two have met.
        is_long = window.update_hops >= BATCH_FRAMES
        self._crew = Crew(all_threads() if is_long else 1, N_CHANNELS)
        self.prepare()

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the rows of what `process` returns."""
        return self._plan.stems

    @property
    def latency(self) -> Latency:
        """Synthesis window, update and lookahead."""
        hop, window = self._card.hop_samples, self._window
        parts = {
            "synthesis window": self._card.frame_samples,
            "update": (window.update_hops - 1) * hop,
            "lookahead": window.lookahead_frames * hop,
        }
        return Latency(self._card.sample_rate_hz, parts)

    @property
    def latency_samples(self) -> int:
        """The delay from input to output."""
        return self.latency.total_samples

    @property
    def update_samples(self) -> int:
        """Samples from the last run of the networks to the next."""
        return self._pace.update_hops * self._card.hop_samples

    @property
    def due_samples(self) -> int:
        """Input samples until the networks see new frames."""
        return self._input.shape[1] - self._n_input

    def prepare(self) -> None:
        """Make all buffers."""
        frame, hop = self._card.frame_samples, self._card.hop_samples
        n_stems = len(self.stems)
        self._pace.begin(self._window.update_hops, self._reach_hops)
        n_most = self._pace.largest_hops
        self._analysis = stft.hann(frame)
        self._synthesis = self._analysis * np.float32(stft.overlap_add_gain(self._analysis, hop))
        self._input = np.zeros((N_CHANNELS, frame + (self._window.update_hops - 1) * hop), np.float32)
        self._spectra = np.zeros((N_CHANNELS, self._reach_hops, frame // 2 + 1), np.complex64)
        self._magnitudes = np.zeros((N_CHANNELS, self._reach_hops, self._card.n_bins), np.float32)
        self._sum = np.zeros((n_stems, N_CHANNELS, frame + (n_most - 1) * hop), np.float32)
        self._ready = np.zeros((n_stems, N_CHANNELS, 3 * n_most * hop), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all input: the past is silence."""
        for array in (self._input, self._spectra, self._magnitudes, self._sum, self._ready):
            array[...] = 0
        self._runner.reset()
        self._pace.begin(self._window.update_hops, self._reach_hops)
        self._n_input = self._card.frame_samples  # the frame of zeros in front
        self._n_ready = (self._window.update_hops - 1) * self._card.hop_samples
        self._n_taken, self._n_gathered, self._work_s = 0, 0, 0.0
        self._n_silent = (
            self.latency_samples - self._n_ready
        )  # a frame rings before its sound; nothing is before 0
        if self._n_input == self._input.shape[1]:  # frame 0 is an update by itself
            self._update()

    def process(self, block: Audio) -> Audio:
        """Take ``(2, n)``, return ``(stems, 2, n)`` of `latency_samples` ago."""
        n_samples = block.shape[1]
        out = np.empty((len(self.stems), N_CHANNELS, n_samples), np.float32)
        done = 0
        while done < n_samples:
            n = min(n_samples - done, self._input.shape[1] - self._n_input)
            self._input[:, self._n_input : self._n_input + n] = block[:, done : done + n]
            self._n_input += n
            if self._n_input == self._input.shape[1]:
                self._update()
            out[:, :, done : done + n] = self._take(n)
            done += n
        return out

    def flush(self) -> Audio:
        """End the input: the last ``(stems, 2, latency_samples)``; then `reset` starts anew."""
        return self.process(np.zeros((N_CHANNELS, self.latency_samples), np.float32))

    def close(self) -> None:
        """Let the networks' threads go."""
        self._runner.close()

    def _take(self, n_samples: int) -> Audio:
        """The oldest samples that are ready."""
        first = self._n_taken
        self._n_taken += n_samples
        return self._ready[:, :, first : self._n_taken]

    def _update(self) -> None:
        """U new frames are there: let the networks see them, and now and then say what they make of all."""
        started_s, n_new = time.perf_counter(), self._window.update_hops
        self._crew.map(self._analyse, range(N_CHANNELS))
        self._n_gathered += n_new
        if self._n_gathered < self._pace.update_hops:
            self._runner.push(self._magnitudes[:, -n_new:], 0, 0)
        else:
            self._n_gathered = 0
            self._separate(
                self._pace.following(self._work_s, self._card.hop_samples / self._card.sample_rate_hz)
            )
            self._work_s = 0.0
        n_old = n_new * self._card.hop_samples
        _shift(self._input, n_old)
        self._n_input -= n_old
        self._work_s += time.perf_counter() - started_s

    def _separate(self, n_next: int) -> None:
        """Mask and add up what is played until the networks speak again, after so many hops."""
        newest = self._magnitudes[:, -self._window.update_hops :]
        network_masks = self._runner.push(newest, n_next, self._reach_hops - n_next)
        self._crew.map(partial(self._synthesise, network_masks), range(N_CHANNELS))
        self._publish(n_next * self._card.hop_samples)

    def _publish(self, n_whole: int) -> None:
        """So many samples of the stems are whole."""
        n_silent = min(self._n_silent, n_whole)
        self._sum[:, :, :n_silent] = 0
        self._n_silent -= n_silent
        _shift(self._ready, self._n_taken)
        self._n_ready, self._n_taken = self._n_ready - self._n_taken, 0
        self._ready[:, :, self._n_ready : self._n_ready + n_whole] = self._sum[:, :, :n_whole]
        self._n_ready += n_whole
        _shift(self._sum, n_whole)
        self._sum[:, :, -n_whole:] = 0

    def _analyse(self, channel: int) -> None:
        """The spectra of a channel's new frames, behind those that are kept."""
        n_new, frame, hop = self._window.update_hops, len(self._analysis), self._card.hop_samples
        for kept in (self._spectra, self._magnitudes):
            _shift(kept[channel].T, n_new)
        spectra, magnitudes = self._spectra[channel, -n_new:], self._magnitudes[channel, -n_new:]
        for first, end in _batches(n_new):
            samples = self._input[channel, first * hop : (end - 1) * hop + frame]
            spectra[first:end] = stft.analyse(samples, self._analysis, hop)
            np.abs(spectra[first:end, : self._card.n_bins], out=magnitudes[first:end])

    def _synthesise(self, network_masks: mask_math.Masks, channel: int) -> None:
        """Add the wanted frames of a channel to its stems."""
        one, frame, hop = slice(channel, channel + 1), len(self._synthesis), self._card.hop_samples
        for first, end in _batches(network_masks.shape[2]):
            masks = self._plan.masks(network_masks[:, one, first:end], self._magnitudes[one, first:end])
            masked = masks * self._spectra[one, first:end]
            out = self._sum[:, one, first * hop : (end - 1) * hop + frame]
            stft.overlap_add(masked, self._synthesis, hop, out)


def _batches(n_frames: int) -> Iterator[tuple[int, int]]:
    """First and end of so few frames at a time that what is computed on the way stays in the cache."""
    for first in range(0, n_frames, BATCH_FRAMES):
        yield first, min(first + BATCH_FRAMES, n_frames)


def _shift(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], n: int) -> None:
    """Move everything `n` places towards the start of the last axis; what was in the last `n` is done with."""
    if 0 < n < array.shape[-1]:
        array[..., :-n] = array[..., n:].copy()
