"""A U-Net laid out for one size of window: the numbers of `UNet.forward` to rounding, in two thirds of the time.

Three changes of form, none of substance::

    padding          every activation is written into the middle of a buffer that has its border of zeros already,
                     and halves that a deconvolution reads together lie side by side from the start
    deconvolutions   of stride 2, as four convolutions of stride 1, one for each parity of the output's row and
                     column: of 5 taps a side 2 fall on even places and 3 on odd ones, so no tap is wasted
    batch norm       one multiply-add, with the statistics folded in

With k the tap and "same" padding, ``out[2i + parity]`` is made of::

    parity 0:  k = 3 from row i − 1,  k = 1 from row i
    parity 1:  k = 4 from row i − 1,  k = 2 from row i,  k = 0 from row i + 1
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtsep.nets.unet import N_CHANNELS, UNet

_TAPS = ((3, 1), (4, 2, 0))  # by parity, from row i − 1 on
_PARITIES = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class _Affine:
    """Batch norm in evaluation: ``scale · x + shift``, each ``(1, channels, 1, 1)``."""

    scale: Tensor
    shift: Tensor

    def into(self, x: Tensor, out: Tensor) -> None:
        torch.addcmul(self.shift, x, self.scale, out=out)


@dataclass(frozen=True)
class _Down:
    """A halving, and the buffer that its activation goes to; the deepest has neither norm nor activation."""

    weight: Tensor
    bias: Tensor
    norm: _Affine | None
    padded: Tensor | None


@dataclass(frozen=True)
class _Up:
    """A doubling: the buffer that it reads, ``(1, 2 · channels, frames + 2, bins + 2)``, and its kernels.

    Either one kernel for each of `_PARITIES`, or, where there is but one output channel, one for all four:
    a convolution with one output is bound by reading its input.
    """

    padded: Tensor
    kernels: tuple[Tensor, ...]
    bias: Tensor
    norm: _Affine


class LaidOutUNet:
    """One stem's U-Net for windows of one size, on a CPU, in float32.

    Parameters
    ----------
    net
        The network, in evaluation mode; its weights are copied.
    n_frames, n_bins
        The size of the window.
    """

    def __init__(self, net: UNet, n_frames: int, n_bins: int) -> None:
        depth = len(net.convs)
        sizes = [(n_frames >> level, n_bins >> level) for level in range(depth + 1)]
        self._input = _zeros(N_CHANNELS, sizes[0], 3)
        self._downs = [_down(net, level, sizes[level + 1]) for level in range(depth)]
        self._ups = [_up(net, i, sizes[depth - i]) for i in range(depth)]
        self._output = torch.zeros((1, 1, *sizes[0]))
        self._head = net.head
        self._conv_activation = _in_place(net.conv_activation)
        self._deconv_activation = _in_place(net.deconv_activation)

    def __call__(self, magnitude: Tensor) -> Tensor:
        """``(1, 2, frames, bins)`` of magnitudes to logits of the same shape, as `UNet.forward` does."""
        self._input[:, :, 1:-2, 1:-2] = magnitude
        self._go_down()
        for i, up in enumerate(self._ups):
            self._double(up, self._target(i))
        logits: Tensor = self._head(self._output)
        return logits

    def _go_down(self) -> None:
        x = self._input
        for down, up in zip(self._downs, reversed(self._ups), strict=True):
            x = F.conv2d(x, down.weight, down.bias, stride=2)
            up.padded[:, : x.shape[1], 1:-1, 1:-1] = x  # the skip, before the norm
            if down.norm is not None and down.padded is not None:
                middle = down.padded[:, :, 1:-2, 1:-2]
                down.norm.into(x, middle)
                self._conv_activation(middle)
                x = down.padded

    def _target(self, i: int) -> Tensor:
        """Where the i-th doubling writes: beside the skip of the next, or to the head."""
        if i + 1 == len(self._ups):
            return self._output
        padded = self._ups[i + 1].padded
        return padded[:, padded.shape[1] // 2 :, 1:-1, 1:-1]

    def _double(self, up: _Up, out: Tensor) -> None:
        n_rows, n_columns = up.padded.shape[2] - 2, up.padded.shape[3] - 2
        if len(up.kernels) == 1:
            quarters = self._deconv_activation(F.conv2d(up.padded, up.kernels[0], up.bias))
            for k, (row, column) in enumerate(_PARITIES):
                up.norm.into(quarters[:, k : k + 1], out[:, :, row::2, column::2])
            return
        for (row, column), kernel in zip(_PARITIES, up.kernels, strict=True):
            # Two taps reach one row less far. The column too many that they give is dropped: cutting the
            # input's columns would copy it.
            quarter = F.conv2d(up.padded[:, :, : n_rows + 1 + row], kernel, up.bias)[:, :, :, :n_columns]
            up.norm.into(self._deconv_activation(quarter), out[:, :, row::2, column::2])


def _zeros(n_channels: int, size: tuple[int, int], border: int) -> Tensor:
    shape = (1, n_channels, size[0] + border, size[1] + border)
    return torch.zeros(shape).to(memory_format=torch.channels_last)


def _in_place(activation: nn.Module) -> nn.Module:
    activation = copy.deepcopy(activation)
    activation.inplace = True  # type: ignore[assignment]
    return activation


def _parameters(module: nn.Module) -> tuple[Tensor, Tensor]:
    return module.get_parameter("weight").detach(), module.get_parameter("bias").detach()


def _affine(norm: nn.BatchNorm2d) -> _Affine:
    gamma, beta = (parameter.double() for parameter in _parameters(norm))  # rounded once, at the end
    scale = gamma / torch.sqrt(norm.get_buffer("running_var").double() + norm.eps)
    shift = beta - norm.get_buffer("running_mean").double() * scale
    return _Affine(scale.float().view(1, -1, 1, 1), shift.float().view(1, -1, 1, 1))


def _down(net: UNet, level: int, size: tuple[int, int]) -> _Down:
    """The halving from a level to the next, of this size."""
    weight, bias = _parameters(net.convs[level])
    weight = weight.contiguous(memory_format=torch.channels_last)
    if level == len(net.conv_norms):
        return _Down(weight, bias, None, None)
    return _Down(weight, bias, _affine(net.conv_norms[level]), _zeros(len(weight), size, 3))  # type: ignore[arg-type]


def _up(net: UNet, i: int, size: tuple[int, int]) -> _Up:
    """The i-th doubling, from this size."""
    weight, bias = _parameters(net.deconvs[i])
    n_in, n_out = weight.shape[:2]
    kernels = tuple(_taps(weight, *parity) for parity in _PARITIES)
    if n_out == 1:
        joint = torch.zeros(len(_PARITIES), n_in, 3, 3)
        for k, (row, column) in enumerate(_PARITIES):
            joint[k, :, : 2 + row, : 2 + column] = kernels[k][0]
        kernels = (joint.contiguous(memory_format=torch.channels_last),)
        bias = bias.repeat(len(_PARITIES))
    return _Up(_zeros(n_in, size, 2), kernels, bias, _affine(net.deconv_norms[i]))  # type: ignore[arg-type]


def _taps(weight: Tensor, row: int, column: int) -> Tensor:
    """Of a deconvolution ``(in, out, 5, 5)``, the convolution ``(out, in, 2 or 3, 2 or 3)`` of a parity."""
    taken = weight[:, :, _TAPS[row]][:, :, :, _TAPS[column]].transpose(0, 1)
    return taken.contiguous(memory_format=torch.channels_last)
