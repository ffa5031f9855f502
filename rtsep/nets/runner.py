"""Runners: columns of magnitude in, columns of masks out, on a CPU. They own precision and what was seen before.

One protocol, two kinds:

- `StreamRunner`: the exact streamed form; live
- `WindowRunner`: a window evaluated whole for every update; whole recordings, and short contexts

On a GPU no column comes back to the host: see `rtsep.nets.device.arithmetic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from rtsep.errors import DeviceError, UsageError
from rtsep.nets.step import MAX_PUSH_FRAMES
from rtsep.nets.streaming import StreamingUNet
from rtsep.nets.unet import N_CHANNELS, SeparationNet
from rtsep.nets.window import WindowUNet
from rtsep.stream import Device, Precision

ON_A_CPU: tuple[Precision, ...] = ("float32", "bfloat16")


def choose_device(device: Device) -> torch.device:
    """The device that is meant; ``auto`` is the GPU where torch sees one.

    Raises
    ------
    DeviceError
        ``cuda`` was asked for and torch sees no GPU.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise DeviceError(
            "device cuda: torch sees no GPU here. Use --device cpu or auto, or install a torch with CUDA."
        )
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


@dataclass(frozen=True)
class Window:
    """What the networks see and what is wanted of it, at each update.

    Parameters
    ----------
    context_frames
        T: all frames that the networks see, past and future; None: all there ever were.
    update_hops
        New frames from one update to the next, and so the columns wanted.
    lookahead_frames
        How many newer frames there are behind the last wanted one.
    """

    context_frames: int | None
    update_hops: int = 1
    lookahead_frames: int = 0

    def check(self, time_multiple: int) -> None:
        """Refuse what no network can do.

        Raises
        ------
        UsageError
            Naming the value, and what is allowed.
        """
        if self.update_hops < 1 or self.lookahead_frames < 0:
            raise UsageError(
                f"update_hops={self.update_hops} must be 1 or more, "
                f"lookahead_frames={self.lookahead_frames} 0 or more"
            )
        if self.context_frames is None:
            if self.update_hops > MAX_PUSH_FRAMES:
                raise UsageError(f"update_hops={self.update_hops} must be at most {MAX_PUSH_FRAMES}")
            return
        if self.context_frames < time_multiple or self.context_frames % time_multiple:
            raise UsageError(f"context_frames={self.context_frames} must be a multiple of {time_multiple}")
        if self.update_hops + self.lookahead_frames > self.context_frames:
            raise UsageError(
                f"update_hops + lookahead_frames = {self.update_hops + self.lookahead_frames} must fit "
                f"into context_frames={self.context_frames}"
            )

    @property
    def grid_hops(self) -> int:
        """The coarsest grid of `StreamingUNet` on which all updates lie."""
        return self.update_hops & -self.update_hops


@dataclass(frozen=True)
class Effort:
    """How networks are run.

    Parameters
    ----------
    device
        Where.
    precision
        Of weights and columns; masks are float32 always.
    n_threads
        Threads on a CPU; None: one for each network, as far as there are cores.
    """

    device: torch.device
    precision: Precision = "float32"
    n_threads: int | None = None

    def threads_for(self, n_networks: int) -> int:
        """Threads to use: networks side by side meet once, the parts of one network at every layer."""
        return self.n_threads or max(1, min(torch.get_num_threads(), n_networks))


def choose_effort(device: Device, precision: Precision, n_threads: int | None = None) -> Effort:
    """The effort that is meant.

    Raises
    ------
    DeviceError
        See `choose_device`.
    UsageError
        The device has no such precision.
    """
    place = choose_device(device)
    if place.type == "cpu" and precision not in ON_A_CPU:
        raise UsageError(
            f"precision {precision} is for a GPU, and the networks run on the CPU here: choose "
            f"{' or '.join(ON_A_CPU)}, or --device cuda."
        )
    return Effort(place, precision, n_threads)


class Runner(Protocol):
    """Networks over a stream of frames."""

    def push(self, magnitude: NDArray[np.float32], n_wanted: int, ahead: int) -> NDArray[np.float32]:
        """Take the newest frames.

        Parameters
        ----------
        magnitude
            ``(2, frames, bins)``: as many as the window's `update_hops`, or a multiple of that.
        n_wanted
            Columns of masks that are wanted.
        ahead
            How many newer frames there are behind the last wanted one; `n_wanted` and `ahead` are together at most
            the window's `update_hops` and `lookahead_frames`.

        Returns
        -------
        ndarray
            The networks' masks, ``(instruments, 2, n_wanted, bins)``, overwritten by the next call.
        """

    def reset(self) -> None:
        """Silence before the first frame."""

    def close(self) -> None:
        """Let go of threads and devices."""


def open_runner(
    net: SeparationNet, instruments: Sequence[str], window: Window, n_bins: int, effort: Effort
) -> Runner:
    """The runner for a window.

    Parameters
    ----------
    net
        The networks, in evaluation mode.
    instruments
        Which of them to run.
    window
        Context, update and lookahead.
    n_bins
        Bins that the networks see.
    effort
        Precision and threads on a CPU.

    Raises
    ------
    UsageError
        A window that no network can evaluate.
    """
    window.check(net.spec.time_multiple)
    if window.context_frames is None:
        return StreamRunner(net, instruments, window, n_bins, effort)
    return WindowRunner(net, instruments, window, n_bins, effort)


class StreamRunner:
    """The streamed form: all of the past, at the cost of what is new. See `open_runner`."""

    def __init__(
        self, net: SeparationNet, instruments: Sequence[str], window: Window, n_bins: int, effort: Effort
    ) -> None:
        self._unet = StreamingUNet(
            net,
            instruments,
            n_bins,
            grid_hops=window.grid_hops,
            reach_frames=window.update_hops + window.lookahead_frames,
            precision=effort.precision,
            n_threads=effort.threads_for(len(instruments)),
        )

    def push(self, magnitude: NDArray[np.float32], n_wanted: int, ahead: int) -> NDArray[np.float32]:
        """See `Runner`."""
        return self._unet.push(magnitude, n_wanted, ahead)

    def reset(self) -> None:
        """See `Runner`."""
        self._unet.reset()

    def close(self) -> None:
        """See `Runner`."""
        self._unet.close()


class WindowRunner:
    """The whole window for every update, on a CPU. See `open_runner`."""

    def __init__(
        self, net: SeparationNet, instruments: Sequence[str], window: Window, n_bins: int, effort: Effort
    ) -> None:
        assert window.context_frames is not None, "an endless context is for StreamRunner"
        self._context = np.zeros((N_CHANNELS, window.context_frames, n_bins), np.float32)
        n_threads = effort.n_threads or torch.get_num_threads()
        self._unet = WindowUNet(
            net, instruments, window.context_frames, n_bins, precision=effort.precision, n_threads=n_threads
        )

    def push(self, magnitude: NDArray[np.float32], n_wanted: int, ahead: int) -> NDArray[np.float32]:
        """See `Runner`."""
        return _wanted(self._unet.evaluate(_slide(self._context, magnitude)), n_wanted, ahead)

    def reset(self) -> None:
        """See `Runner`."""
        self._context[:] = 0

    def close(self) -> None:
        """See `Runner`."""
        self._unet.close()


def _slide(context: NDArray[np.float32], newest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move the context on by the newest frames."""
    n_new = newest.shape[1]
    if n_new < context.shape[1]:
        context[:, :-n_new] = context[:, n_new:].copy()
    context[:, -n_new:] = newest
    return context


def _wanted(masks: NDArray[np.float32], n_wanted: int, ahead: int) -> NDArray[np.float32]:
    """Of the masks of a whole window, the columns that this update is for."""
    end = masks.shape[2] - ahead
    return masks[:, :, end - n_wanted : end]
