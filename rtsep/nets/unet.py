"""Spleeter's U-Net, whole: one network a stem, and the group of networks that makes a model.

The path of one column of the spectrogram, for Spleeter's widths (c0..c5 = 16, 32, 64, 128, 256, 512)::

    magnitude (2, T, F)
      conv0 ─ bn ─ act ─ conv1 ─ bn ─ act ─ ... ─ conv5 (512, T/64, F/64)   time and frequency halve 6 times
        │                  │                        │
        │                  │                      deconv0 ─ act ─ bn            and double six times
        │                  └──── skip, before bn ───┤
        └───────────────────────────────────────────┤
                                                  deconv5 ─ act ─ bn (1, T, F)
                                                  head: 4×4, dilation 2 (2, T, F) ─ sigmoid, or softmax of stems

"Same" padding is TensorFlow's: a 5×5 convolution of stride 2 sees one row before and two after.
Shapes here are torch's: ``(batch, channels, frames, bins)``.

Source: Hennequin et al., "Spleeter", JOSS 2020; ``spleeter/model/functions/unet.py`` of Spleeter 2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Activation = Literal["LeakyReLU", "ReLU", "ELU"]
Output = Literal["sigmoid", "softmax"]

SPLEETER_N_FILTERS = (16, 32, 64, 128, 256, 512)
BATCH_NORM_EPSILON = 1e-3  # Keras' default, with which Spleeter was trained
N_CHANNELS = 2
_TINY_MAGNITUDE = 1e-8  # keeps the slope of the power finite at 0


@dataclass(frozen=True)
class UNetSpec:
    """What a U-Net is made of; the names are those of Spleeter's JSON.

    Parameters
    ----------
    conv_n_filters
        Channels after each of the six halvings.
    conv_activation, deconv_activation
        Activation on the way down and on the way up.
    output
        ``sigmoid``: every stem's mask by itself (``unet.unet``); ``softmax``: the masks of
        all stems sum to one (``unet.softmax_unet``).
    input_exponent
        What magnitudes are raised to before the first layer: 1 in Spleeter; less brings quiet bins nearer to
        loud ones, which a small network needs.
    """

    conv_n_filters: tuple[int, ...] = SPLEETER_N_FILTERS
    conv_activation: Activation = "LeakyReLU"
    deconv_activation: Activation = "ReLU"
    output: Output = "sigmoid"
    input_exponent: float = 1.0

    @property
    def time_multiple(self) -> int:
        """Frames and bins must be whole multiples of this: 64 for six halvings."""
        return int(2 ** len(self.conv_n_filters))


def _activation(name: Activation) -> nn.Module:
    table: dict[str, nn.Module] = {"LeakyReLU": nn.LeakyReLU(0.2), "ReLU": nn.ReLU(), "ELU": nn.ELU()}
    return table[name]


class _SameConv(nn.Conv2d):
    """5×5, stride 2, TensorFlow's "same" padding for even sizes: one before, two after."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, kernel_size=5, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (1, 2, 1, 2)))


class _SameDeconv(nn.ConvTranspose2d):
    """The transpose of `_SameConv`: of the 2n + 3 outputs the first and the last two are cut."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, kernel_size=5, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x, output_size)[:, :, 1:-2, 1:-2]


def _batch_norm(n_channels: int) -> nn.BatchNorm2d:
    # Keras' momentum 0.99 is torch's 0.01.
    return nn.BatchNorm2d(n_channels, eps=BATCH_NORM_EPSILON, momentum=0.01)


class UNet(nn.Module):
    """One stem's U-Net: magnitudes to the logits of a mask.

    Parameters
    ----------
    spec
        Widths and activations.
    """

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        widths = spec.conv_n_filters
        ins = (N_CHANNELS, *widths[:-1])
        outs = (*widths[-2::-1], 1)  # channels after each deconvolution
        self.convs = nn.ModuleList(_SameConv(i, o) for i, o in zip(ins, widths, strict=True))
        # The deepest level has no norm: Spleeter's decoder takes its convolution raw.
        self.conv_norms = nn.ModuleList(_batch_norm(o) for o in widths[:-1])
        deconv_ins = (widths[-1], *(2 * o for o in outs[:-1]))
        self.deconvs = nn.ModuleList(_SameDeconv(i, o) for i, o in zip(deconv_ins, outs, strict=True))
        self.deconv_norms = nn.ModuleList(_batch_norm(o) for o in outs)
        self.head = nn.Conv2d(1, N_CHANNELS, kernel_size=4, dilation=2, padding=3)
        self.conv_activation = _activation(spec.conv_activation)
        self.deconv_activation = _activation(spec.deconv_activation)
        self._initialise()

    def _initialise(self) -> None:
        """He-uniform kernels and zero biases, as Spleeter starts its training."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, magnitude: Tensor) -> Tensor:
        """Logits of the mask.

        Parameters
        ----------
        magnitude
            ``(batch, 2, frames, bins)``, both multiples of 64.

        Returns
        -------
        Tensor
            Logits, of the same shape.
        """
        skips: list[Tensor] = []
        x = magnitude
        for conv, norm in zip(self.convs, self.conv_norms, strict=False):
            x = conv(x)
            skips.append(x)  # before the norm
            x = self.conv_activation(norm(x))
        x = self.convs[-1](x)
        for deconv, norm in zip(self.deconvs, self.deconv_norms, strict=True):
            x = norm(self.deconv_activation(deconv(x)))
            if skips:
                x = torch.cat((skips.pop(), x), dim=1)
        logits: Tensor = self.head(x)
        return logits


def compress(magnitude: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """Magnitudes as the first layers see them; `SeparationNet.compressed` for arrays."""
    if exponent == 1:
        return magnitude
    return (magnitude + np.float32(_TINY_MAGNITUDE)) ** np.float32(exponent)


class SeparationNet(nn.Module):
    """The networks of a model, one for each of its instruments.

    Parameters
    ----------
    instruments
        The stems that have a network, in the model's order.
    spec
        The shape that all of them share.
    """

    def __init__(self, instruments: Sequence[str], spec: UNetSpec) -> None:
        super().__init__()
        self.instruments = tuple(instruments)
        self.spec = spec
        for name in instruments:  # with a prefix: torch refuses a module that is called "keys" or "type"
            self.add_module(f"unet_{name}", UNet(spec))

    @property
    def unets(self) -> dict[str, UNet]:
        """The network of each instrument, in the model's order."""
        return {name: getattr(self, f"unet_{name}") for name in self.instruments}

    def forward(self, magnitude: Tensor, instruments: Sequence[str] | None = None) -> Tensor:
        """The networks' own masks, before any ratio between them.

        Parameters
        ----------
        magnitude
            ``(batch, 2, frames, bins)`` of the mixture.
        instruments
            Which networks to run; all by default. A softmax needs all.

        Returns
        -------
        Tensor
            ``(instruments, batch, 2, frames, bins)`` in [0, 1].
        """
        wanted = self.instruments if instruments is None else tuple(instruments)
        unets = self.unets
        magnitude = self.compressed(magnitude)
        return self.masks(torch.stack([unets[name](magnitude) for name in wanted]))

    def compressed(self, magnitude: Tensor) -> Tensor:
        """Magnitudes as the first layers see them."""
        if self.spec.input_exponent == 1:
            return magnitude
        return (magnitude + _TINY_MAGNITUDE) ** self.spec.input_exponent

    def masks(self, logits: Tensor) -> Tensor:
        """What the networks say, instruments first, as masks in [0, 1]."""
        return torch.softmax(logits, dim=0) if self.spec.output == "softmax" else torch.sigmoid(logits)
