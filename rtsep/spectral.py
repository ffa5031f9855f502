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

This file keeps the time; what is done to the samples is `rtsep.arithmetic`.

Offline is L = 0 and U = T, or some T: the segments of T frames that Spleeter cuts, in constant memory. Live is a small
U.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from rtsep.arithmetic import Arithmetic, HostArithmetic, MaskPlan
from rtsep.dsp.stft import Tapers, early_tapers, hann_tapers
from rtsep.errors import UsageError
from rtsep.nets.device.arithmetic import DeviceSegments, DeviceStream, DeviceStreams, Task
from rtsep.nets.device.recording import explained
from rtsep.nets.device.spectra import Framing
from rtsep.nets.runner import Effort, Runner, Window, choose_effort, open_runner
from rtsep.nets.unet import SeparationNet
from rtsep.pace import Pace, Steady
from rtsep.stream import N_CHANNELS, Audio, Latency, Options, Schedule
from rtsep.zoo.card import ModelCard, ModelFolder
from rtsep.zoo.weights import load_network


def open_separator(folder: ModelFolder | None, options: Options) -> SpectralSeparator:
    """Entry point ``rtsep.separators``: a U-Net model from its folder."""
    if folder is None:
        raise UsageError("the separator 'spleeter' needs a model: name one with -m, see `rtsep models list`")
    return SpectralSeparator(folder.card, load_network(folder), options)


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
        self._effort = choose_effort(options.device, options.precision, options.n_threads)
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
        card, plan, effort = self._card, self._plan, self._effort
        pace: Pace = Steady()
        window, synthesis_hops = None, None
        if schedule is not None:
            pace, synthesis_hops = schedule.pace or pace, schedule.synthesis_hops
            window = Window(schedule.context_frames, schedule.update_hops, schedule.lookahead_frames)
        tapers = choose_tapers(card, synthesis_hops)
        if effort.device.type != "cpu":
            return device_stream(card, self._net, plan, tapers, window, effort, pace)
        window = window or Window(card.n_frames, card.n_frames)
        runner = open_runner(self._net, plan.instruments, window, card.n_bins, effort)
        return host_stream(card, plan, tapers, window, runner, pace)


def choose_tapers(card: ModelCard, synthesis_hops: int | None) -> Tapers:
    """The windows of a model's frames: Spleeter's, or a pair whose synthesis is only so many hops long.

    Raises
    ------
    UsageError
        No such pair exists.
    """
    frame, hop = card.frame_samples, card.hop_samples
    if synthesis_hops is None or synthesis_hops * hop == frame:
        return hann_tapers(frame, hop)
    if not 2 <= synthesis_hops < frame // hop:
        raise UsageError(
            f"synthesis_hops={synthesis_hops} must lie between 2 and {frame // hop} for {card.name}"
        )
    return early_tapers(frame, hop, synthesis_hops * hop)


def host_stream(
    card: ModelCard, plan: MaskPlan, tapers: Tapers, window: Window, runner: Runner, pace: Pace
) -> SpectralStream:
    """A stream whose arithmetic is numpy's, around a runner.

    Parameters
    ----------
    card
        Frame, hop, bins.
    plan
        From the networks' masks to the stems'.
    tapers
        Both windows of a frame.
    window
        Context, update and lookahead.
    runner
        What evaluates the networks.
    pace
        Says when the size of updates changes.
    """
    pace.begin(window.update_hops, window.update_hops + window.lookahead_frames)
    arithmetic = HostArithmetic(card, plan, tapers, window, runner, pace.largest_hops)
    return SpectralStream(plan.stems, card.sample_rate_hz, tapers, window, arithmetic, pace)


def device_stream(
    card: ModelCard,
    net: SeparationNet,
    plan: MaskPlan,
    tapers: Tapers,
    window: Window | None,
    effort: Effort,
    pace: Pace,
) -> SpectralStream:
    """A stream whose arithmetic is all on a device; see `host_stream`.

    Parameters
    ----------
    card, plan, tapers, pace
        See there.
    net
        The networks.
    window
        Context, update and lookahead; None: whole segments.
    effort
        Device and precision.

    Raises
    ------
    DeviceError
        The device has not enough memory, or fails otherwise.
    """
    framing = Framing(tapers.analysis, tapers.synthesis, tapers.hop_samples, card.n_bins)
    task = Task(net, plan.instruments, plan.recipe, framing, effort)
    arithmetic: Arithmetic
    with explained(effort.device, f"opening {card.name}"):
        if window is None:
            arithmetic = DeviceSegments(task, card.n_frames)
            window = Window(card.n_frames, arithmetic.delay_samples // tapers.hop_samples)
        else:
            pace.begin(window.update_hops, window.update_hops + window.lookahead_frames)
            arithmetic = DeviceStream(DeviceStreams(task, window, pace.sizes))
    return SpectralStream(plan.stems, card.sample_rate_hz, tapers, window, arithmetic, pace)


class SpectralStream:
    """Mixture to stems, block by block (see the module's docstring for the grid).

    Parameters
    ----------
    stems
        Names of the rows that `arithmetic` makes.
    sample_rate_hz
        Of the model.
    tapers
        Both windows and the hop.
    window
        Update and lookahead.
    arithmetic
        What turns samples into stems.
    pace
        Says when the size of updates changes.
    """

    def __init__(
        self,
        stems: tuple[str, ...],
        sample_rate_hz: int,
        tapers: Tapers,
        window: Window,
        arithmetic: Arithmetic,
        pace: Pace,
    ) -> None:
        self._stems, self._rate_hz, self._tapers = stems, sample_rate_hz, tapers
        self._window, self._arithmetic, self._pace = window, arithmetic, pace
        self._input = np.zeros((N_CHANNELS, window.update_hops * tapers.hop_samples), np.float32)
        self.reset()

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the rows of what `process` returns."""
        return self._stems

    @property
    def latency(self) -> Latency:
        """Synthesis window, update, lookahead, and what a device needs to work while others do."""
        hop, window = self._tapers.hop_samples, self._window
        parts = {
            "synthesis window": self._tapers.n_synthesis_samples,
            "update": (window.update_hops - 1) * hop,
            "lookahead": window.lookahead_frames * hop,
            "pipeline": self._arithmetic.delay_samples,
        }
        return Latency(self._rate_hz, parts)

    @property
    def latency_samples(self) -> int:
        """The delay from input to output."""
        return self.latency.total_samples

    @property
    def update_samples(self) -> int:
        """Samples from the last run of the networks to the next."""
        return self._pace.update_hops * self._tapers.hop_samples

    @property
    def due_samples(self) -> int:
        """Input samples until the networks see new frames."""
        return self._input.shape[1] - self._n_input

    def prepare(self) -> None:
        """All was made with the stream; what is left is to begin."""
        self.reset()

    def reset(self) -> None:
        """Forget all input: the past is silence."""
        self._arithmetic.reset()
        self._pace.begin(self._window.update_hops, self._window.update_hops + self._window.lookahead_frames)
        hop = self._tapers.hop_samples
        self._input[:, :hop] = 0  # frame 0 ends where the input begins
        self._n_input = hop
        n_early = (self._window.update_hops - 1) * hop  # played before the networks have spoken
        self._whole = np.zeros((len(self._stems), N_CHANNELS, n_early), np.float32)
        self._n_taken, self._n_gathered, self._work_s = 0, 0, 0.0
        self._n_silent = self.latency_samples - n_early  # a frame rings before its sound; nothing is before 0
        self._n_broken = 0
        if self._n_input == self._input.shape[1]:  # frame 0 is an update by itself
            self._update(self._separate)

    def process(self, block: Audio) -> Audio:
        """Take ``(2, n)``, return ``(stems, 2, n)`` of `latency_samples` ago."""
        return self._run(block, self._separate)

    def skip(self, block: Audio) -> Audio:
        """As `process`, but frames only count as seen: a quarter of the work, and what is missing is not a number."""
        return self._run(block, self._miss)

    def _run(self, block: Audio, speak: Callable[[], None]) -> Audio:
        """Pass a block through; `speak` is called when it is the networks' turn to say what they make of all."""
        n_samples = block.shape[1]
        out = np.empty((len(self._stems), N_CHANNELS, n_samples), np.float32)
        done = 0
        while done < n_samples:
            n = min(n_samples - done, self._input.shape[1] - self._n_input)
            self._input[:, self._n_input : self._n_input + n] = block[:, done : done + n]
            out[:, :, done : done + n] = self._whole[:, :, self._n_taken : self._n_taken + n]
            self._n_input, self._n_taken, done = self._n_input + n, self._n_taken + n, done + n
            if self._n_input == self._input.shape[1]:
                self._update(speak)
        return out

    def flush(self) -> Audio:
        """End the input: the last ``(stems, 2, latency_samples)``; then `reset` starts anew."""
        return self.process(np.zeros((N_CHANNELS, self.latency_samples), np.float32))

    def close(self) -> None:
        """Let go of threads and devices."""
        self._arithmetic.close()

    def _update(self, speak: Callable[[], None]) -> None:
        """U new frames are there: let the networks see them, and now and then say what they make of all."""
        started_s = time.perf_counter()
        self._n_input = 0
        self._n_gathered += self._window.update_hops
        if self._n_gathered < self._pace.update_hops:
            self._arithmetic.see(self._input)
        else:
            self._n_gathered = 0
            speak()
            self._work_s = 0.0
        self._work_s += time.perf_counter() - started_s

    def _miss(self) -> None:
        """Nothing is there to play until the networks speak again, nor of what they cannot make whole then."""
        self._arithmetic.see(self._input)
        self._arithmetic.drop()
        n_samples = self._pace.update_hops * self._tapers.hop_samples
        self._whole = np.full((len(self._stems), N_CHANNELS, n_samples), np.nan, np.float32)
        self._n_taken, self._n_silent = 0, max(0, self._n_silent - n_samples)
        self._n_broken = self._tapers.n_synthesis_samples - self._tapers.hop_samples

    def _separate(self) -> None:
        """What is played until the networks speak again; all that was there has been taken."""
        n_next = self._pace.following(self._work_s, self._tapers.hop_samples / self._rate_hz)
        self._whole, self._n_taken = self._arithmetic.separate(self._input, n_next), 0
        n_silent = min(self._n_silent, self._whole.shape[2])
        self._whole[:, :, :n_silent] = 0
        self._n_silent -= n_silent
        n_broken = min(self._n_broken, self._whole.shape[2])
        self._whole[:, :, :n_broken] = np.nan
        self._n_broken -= n_broken
