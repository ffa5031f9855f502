"""From samples in the host's memory to stems in the host's memory, on a device.

::

    host ─▶ pinned ─▶│ frames ─▶ spectra ─▶ networks ─▶ masks ─▶ overlap-add │─▶ pinned ─▶ host

What stands between the bars, and both copies, is one recording for every number of frames that may be wanted
(`DeviceStreams`). Whole recordings go segment by segment, and while one is worked on, the next comes and the last goes
(`DeviceSegments`). Both are an `rtsep.arithmetic.Arithmetic`, for one stream or for several (*decks*) side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.nets.device.layers import Networks
from rtsep.nets.device.recording import KINDS, Lane, Mark, explained, host_zeros
from rtsep.nets.device.spectra import Framing, Spectra
from rtsep.nets.device.streamed import StreamedNetworks
from rtsep.nets.device.windowed import WindowedNetworks
from rtsep.nets.runner import Effort, Window
from rtsep.nets.unet import N_CHANNELS, SeparationNet, compress
from rtsep.stream import Audio, MaskRecipe

N_SEGMENTS = 4
"""Segments of an update of a whole recording: so few that a short one does not wait, so many that copies overlap."""


class _Columns(Protocol):
    """`StreamedNetworks` or `WindowedNetworks`."""

    def push(self, columns: Tensor, wanted: tuple[int, int] | None) -> Tensor | None: ...

    def reset(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be done on the device, whether in streams or with whole recordings.

    Parameters
    ----------
    net, instruments
        The networks, and which of them run.
    recipe
        What becomes of their masks.
    framing
        Windows, hop, bins.
    effort
        Device and precision.
    """

    net: SeparationNet
    instruments: Sequence[str]
    recipe: MaskRecipe
    framing: Framing
    effort: Effort


class _Core:
    """All that happens on the device, on memory that stays where it is.

    Parameters
    ----------
    task
        What is done.
    window
        Context, update and lookahead.
    sizes
        The numbers of frames that may be wanted.
    n_decks
        Streams side by side.
    """

    def __init__(self, task: Task, window: Window, sizes: Sequence[int], n_decks: int) -> None:
        net, framing, device = task.net, task.framing, task.effort.device
        self._net, self._recipe = net, task.recipe
        self._reach, n_stems = window.update_hops + window.lookahead_frames, len(task.recipe.chosen)
        self._spectra = Spectra(
            framing, device, n_decks, n_stems, window.update_hops, self._reach, max(sizes)
        )
        unets = [net.unets[name] for name in task.instruments]
        networks = Networks(unets, net.spec, device, KINDS[task.effort.precision])
        silent = float(compress(np.zeros(1, np.float32), net.spec.input_exponent)[0])
        self._networks: _Columns
        if window.context_frames is None:
            wanted = [(size, self._reach - size) for size in sizes]
            self._networks = StreamedNetworks(
                networks, framing.n_bins, n_decks, window.grid_hops, wanted, silent
            )
        else:
            self._networks = WindowedNetworks(
                networks, framing.n_bins, n_decks, window.context_frames, silent
            )
        both = (n_decks, N_CHANNELS)
        self.samples = torch.zeros(*both, window.update_hops * framing.hop_samples, device=device)
        self.stems = {
            size: torch.zeros(n_stems, *both, size * framing.hop_samples, device=device) for size in sizes
        }

    @torch.no_grad()
    def see(self) -> None:
        """The new `samples` only count as seen."""
        self._networks.push(self._net.compressed(self._spectra.analyse(self.samples)), None)

    @torch.no_grad()
    def separate(self, n_next: int) -> None:
        """The new `samples`, and the next so many hops of `stems`."""
        seen = self._net.compressed(self._spectra.analyse(self.samples))
        logits = self._networks.push(seen, (n_next, self._reach - n_next))
        assert logits is not None, "some are wanted"
        self.stems[n_next].copy_(self._spectra.synthesise(self._net.masks(logits), self._recipe))

    def drop(self) -> None:
        """Give up the samples that are not whole yet."""
        self._spectra.drop()

    @torch.no_grad()
    def reset(self) -> None:
        """The past is silence."""
        self._spectra.reset()
        self._networks.reset()


class DeviceStreams:
    """Streams on a device, all at the same instant; see `_Core` for what it takes."""

    def __init__(self, task: Task, window: Window, sizes: Sequence[int], n_decks: int = 1) -> None:
        window.check(task.net.spec.time_multiple)
        device, precision = task.effort.device, task.effort.precision
        core = _Core(task, window, sizes, n_decks)
        self._core, self._device, self._lane = core, device, Lane(device)
        self._host_samples = host_zeros(tuple(core.samples.shape), device)
        self._host_stems = {
            size: host_zeros(tuple(stems.shape), device) for size, stems in core.stems.items()
        }
        self._see = self._lane.record(self._give_and(core.see), precision)
        self._separate = {size: self._lane.record(self._give_and_take(size), precision) for size in sizes}
        self.reset()

    def _give_and(self, work: Callable[[], None]) -> Callable[[], None]:
        """Copy samples in, and work."""

        def give_and_work() -> None:
            self._core.samples.copy_(self._host_samples, non_blocking=True)
            work()

        return give_and_work

    def _give_and_take(self, n_next: int) -> Callable[[], None]:
        """Copy samples in, work, copy stems out."""
        give_and_work = self._give_and(lambda: self._core.separate(n_next))

        def give_and_take() -> None:
            give_and_work()
            self._host_stems[n_next].copy_(self._core.stems[n_next], non_blocking=True)

        return give_and_take

    def see(self, samples: NDArray[np.float32]) -> None:
        """Take new ``(decks, 2, update_hops · hop_samples)``."""
        self._do(samples, self._see)

    def separate(self, samples: NDArray[np.float32], n_next: int) -> NDArray[np.float32]:
        """Take new samples; the next ``(stems, decks, 2, n_next · hop_samples)``, overwritten by the next call."""
        self._do(samples, self._separate[n_next])
        stems: NDArray[np.float32] = self._host_stems[n_next].numpy()
        return stems

    def reset(self) -> None:
        """The past is silence."""
        self._lane.do(self._core.reset)
        self._lane.finish()

    def drop(self) -> None:
        """Give up the samples that are not whole yet."""
        self._lane.do(self._core.drop)
        self._lane.finish()

    def _do(self, samples: NDArray[np.float32], work: Callable[[], None]) -> None:
        np.copyto(self._host_samples.numpy(), samples)
        with explained(self._device, "separating"):
            self._lane.do(work)
            self._lane.finish()


class DeviceStream:
    """One stream: an `rtsep.arithmetic.Arithmetic`.

    Parameters
    ----------
    streams
        With one deck.
    """

    delay_samples = 0

    def __init__(self, streams: DeviceStreams) -> None:
        self._streams = streams

    def see(self, samples: Audio) -> None:
        """See `rtsep.arithmetic.Arithmetic`."""
        self._streams.see(samples[None])

    def separate(self, samples: Audio, n_next: int) -> Audio:
        """See `rtsep.arithmetic.Arithmetic`."""
        return self._streams.separate(samples[None], n_next)[:, 0]

    def drop(self) -> None:
        """See `rtsep.arithmetic.Arithmetic`."""
        self._streams.drop()

    def reset(self) -> None:
        """The past is silence."""
        self._streams.reset()

    def close(self) -> None:
        """Nothing is held that memory management would not find."""


class DeviceSegments:
    """A whole recording, some segments an update; an `rtsep.arithmetic.Arithmetic`.

    What an update brings is worked on until the next one: meanwhile the caller has the stems of the one before.

    Parameters
    ----------
    task
        What is done.
    segment_frames
        Frames that the networks see at once.
    """

    def __init__(self, task: Task, segment_frames: int) -> None:
        device, window = task.effort.device, Window(segment_frames, segment_frames)
        self._core = _Core(task, window, (segment_frames,), 1)
        self._device, self._stems = device, self._core.stems[segment_frames]
        self._n_segment = segment_frames * task.framing.hop_samples
        self._last = Mark()  # behind the last update
        self.delay_samples = N_SEGMENTS * self._n_segment
        self._comes, self._works, self._goes = Lane(device), Lane(device), Lane(device)
        # Two of each: one is copied while the other is worked on; for the host, one of this update, one of the last.
        self._arrivals = [torch.zeros_like(self._core.samples[0]) for _ in range(2)]
        self._departures = [torch.zeros_like(self._stems[:, 0]) for _ in range(2)]
        n_update, n_stems = self.delay_samples, len(self._stems)
        self._host_samples = [host_zeros((N_CHANNELS, n_update), device) for _ in range(2)]
        self._host_stems = [host_zeros((n_stems, N_CHANNELS, n_update), device) for _ in range(2)]
        self._separate = self._works.record(
            lambda: self._core.separate(segment_frames), task.effort.precision
        )
        self.reset()

    def see(self, samples: Audio) -> None:
        """See `rtsep.arithmetic.Arithmetic`."""
        self.separate(samples, N_SEGMENTS)

    def separate(self, samples: Audio, n_next: int) -> Audio:
        """See `rtsep.arithmetic.Arithmetic`; `n_next` is always the update."""
        here = self._n_updates % 2
        np.copyto(self._host_samples[here].numpy(), samples)
        with explained(self._device, "separating"):
            for i in range(N_SEGMENTS):
                place = slice(i * self._n_segment, (i + 1) * self._n_segment)
                self._segment(self._host_samples[here][:, place], self._host_stems[here][:, :, place])
            last, self._last = self._last, self._goes.mark()
            last.wait()
        self._n_updates += 1
        stems: Audio = self._host_stems[1 - here].numpy()
        return stems

    def drop(self) -> None:
        """See `rtsep.arithmetic.Arithmetic`."""
        self._works.do(self._core.drop)

    def reset(self) -> None:
        """The past is silence."""
        self._goes.finish()
        self._n_updates, self._n_segments = 0, 0
        self._last = Mark()
        self._taken, self._gone = [Mark(), Mark()], [Mark(), Mark()]
        self._works.do(self._core.reset)
        self._works.finish()

    def close(self) -> None:
        """Wait for what is still being copied."""
        self._goes.finish()

    def _segment(self, samples: Tensor, stems: Tensor) -> None:
        """Copy in, work, copy out, each in its lane; `taken` and `gone` say when the memory between them is free."""
        turn = self._n_segments % 2
        arrival, departure = self._arrivals[turn], self._departures[turn]

        self._comes.follow(self._taken[turn])
        self._comes.do(lambda: _copy_rows(samples, arrival))
        self._works.follow(self._comes.mark())
        self._works.do(lambda: _copy_rows(arrival, self._core.samples[0]))
        self._taken[turn] = self._works.mark()
        self._works.do(self._separate)
        self._works.follow(self._gone[turn])
        self._works.do(lambda: _copy_rows(self._stems[:, 0].flatten(0, 1), departure.flatten(0, 1)))
        self._goes.follow(self._works.mark())
        self._goes.do(lambda: _copy_rows(departure.flatten(0, 1), stems.flatten(0, 1)))
        self._gone[turn] = self._goes.mark()
        self._n_segments += 1


def _copy_rows(source: Tensor, target: Tensor) -> None:
    """Row by row: each is in one piece, and so is copied without the host's help."""
    for row, place in zip(source, target, strict=True):
        place.copy_(row, non_blocking=True)
