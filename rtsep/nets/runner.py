"""The runner: columns of magnitude in, columns of masks out. It owns device, precision and context window.

This one evaluates the whole window for every update, the networks side by side. Whatever replaces it has to return
the same columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.errors import DeviceError, UsageError
from rtsep.nets.crew import Crew
from rtsep.nets.layout import LaidOutUNet
from rtsep.nets.unet import N_CHANNELS, SeparationNet
from rtsep.stream import Device


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
        T: all frames that the networks see, past and future.
    update_hops
        New frames from one update to the next, and so the columns wanted.
    lookahead_frames
        How many newer frames there are behind the last wanted one.
    """

    context_frames: int
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
        if self.context_frames < time_multiple or self.context_frames % time_multiple:
            raise UsageError(f"context_frames={self.context_frames} must be a multiple of {time_multiple}")
        if self.update_hops + self.lookahead_frames > self.context_frames:
            raise UsageError(
                f"update_hops + lookahead_frames = {self.update_hops + self.lookahead_frames} must fit "
                f"into context_frames={self.context_frames}"
            )


class WindowRunner:
    """Runs networks over the newest frames of a stream.

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
    device
        Where they run.
    """

    def __init__(
        self,
        net: SeparationNet,
        instruments: Sequence[str],
        window: Window,
        n_bins: int,
        device: torch.device,
    ) -> None:
        window.check(net.spec.time_multiple)
        self._net = net.to(device)
        self._window = window
        size = (window.context_frames, n_bins)
        unets = [self._net.unets[name] for name in instruments]
        on_cpu = device.type == "cpu"  # elsewhere the modules as they are written are the fast form
        self._unets: list[Callable[[Tensor], Tensor]] = [
            LaidOutUNet(unet, *size) if on_cpu else unet for unet in unets
        ]
        self._crew = Crew(torch.get_num_threads() if on_cpu else 1, len(unets))
        self._context = torch.zeros((1, N_CHANNELS, *size), device=device)

    def reset(self) -> None:
        """Silence before the first frame."""
        self._context.zero_()

    @torch.inference_mode()
    def push(self, magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
        """Slide the window over `update_hops` new frames and evaluate it.

        Parameters
        ----------
        magnitude
            ``(2, update_hops, bins)`` of the newest frames.

        Returns
        -------
        ndarray
            The networks' masks for the `update_hops` frames that lie `lookahead_frames` back,
            ``(instruments, 2, update_hops, bins)``.
        """
        n_new, ahead = self._window.update_hops, self._window.lookahead_frames
        context = self._context
        if n_new < self._window.context_frames:
            context[:, :, :-n_new] = context[:, :, n_new:].clone()
        context[0, :, -n_new:] = torch.from_numpy(magnitude).to(context.device)
        end = self._window.context_frames - ahead
        seen = self._net.compressed(context)

        def logits(unet: Callable[[Tensor], Tensor]) -> Tensor:
            with torch.inference_mode():  # a setting of the thread
                return unet(seen)[0, :, end - n_new : end]

        masks = self._net.masks(torch.stack(self._crew.map(logits, self._unets)))
        wanted: NDArray[np.float32] = masks.float().cpu().numpy()
        return wanted
