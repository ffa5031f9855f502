"""The layers of a U-Net as batched matrix products, all stems of a model at once.

A *column* is what a level knows of one instant, ``(bins, channels)``. Columns stand in the order of their age, the
newest first, and several streams (*decks*) side by side::

    columns  (stems, columns, decks, bins + padding, channels)

A layer gathers, for every output, the inputs under its kernel into a row, and multiplies by its weights; decks, columns
and bins are rows of one product, stems its batch::

    down  output d, f    from inputs  2 d + 2 − k  of the level above, bins 2 f − 1 .. 2 f + 3      25 taps
    up    outputs 2 d + r, 2 f + s  (r, s = 0, 1)  from inputs d − 1 .. d + 1, bins f − 1 .. f + 1   9 taps

On the way up all four outputs of a coarse place come from one row. Of the transposed kernel's taps, output 2 d + r
takes 2 + 2 δ − r from input d + δ (columns count backwards in time), and output 2 f + s takes s + 1 − 2 δ from bin
f + δ; what lies outside 0 .. 4 is a weight of zero: 11 of 36.

With few columns a product has too few rows and outputs to fill a GPU. Its taps are then products of their own, summed
after (`n_split_axes`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtsep.nets.unet import N_CHANNELS, Activation, UNet, UNetSpec

N_TAPS_DOWN, N_TAPS_UP = 5, 3
HEAD_REACH = 3  # columns and bins that the last layer sees to either side
TILE = (
    64  # outputs of a product, in either direction, that a multiprocessor works on at a time, as cuBLAS does
)
LEAST_INNER = 128  # shorter sums are not worth splitting
FULL = 0.75  # of the multiprocessors busy is busy enough


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights of all stems.

    Parameters
    ----------
    weights
        ``(stems, taps in time, taps in frequency, channels in, outputs)``.
    bias
        ``(stems, 1, outputs)``.
    scale, shift
        The norm, float32, ``(stems, 1, 1, 1, channels out)``.
    """

    weights: Tensor
    bias: Tensor
    scale: Tensor
    shift: Tensor

    @property
    def n_taps(self) -> int:
        """In either direction."""
        return self.weights.shape[1]

    @property
    def n_outputs(self) -> int:
        """Of a row."""
        return self.weights.shape[4]


def activation(name: Activation) -> Callable[[Tensor], Tensor]:
    """What changes a tensor in place."""
    table: dict[str, Callable[[Tensor], Tensor]] = {
        "LeakyReLU": lambda x: F.leaky_relu_(x, 0.2),
        "ReLU": F.relu_,
        "ELU": F.elu_,
    }
    return table[name]


def split(tensor: Tensor, dim: int, *sizes: int) -> Tensor:
    """One axis as several, of the same memory."""
    return tensor.view(*tensor.shape[:dim], *sizes, *tensor.shape[dim:][1:])


def down_layer(convs: Sequence[nn.Module], norms: Sequence[nn.Module], kind: torch.dtype) -> Layer:
    """The same halving of all stems; without norms, the deepest."""
    weights = torch.stack([c.weight.flip(2).permute(2, 3, 1, 0) for c in convs])  # type: ignore[operator]
    return _layer(weights, torch.stack([c.bias for c in convs]), norms, kind)  # type: ignore[misc]


def up_layer(deconvs: Sequence[nn.Module], norms: Sequence[nn.Module], kind: torch.dtype) -> Layer:
    """The same doubling of all stems; outputs of a row are ``(r, s, channels)``."""
    weights = torch.stack([_four_kernels(deconv.weight) for deconv in deconvs])  # type: ignore[arg-type]
    bias = torch.stack([deconv.bias.repeat(4) for deconv in deconvs])  # type: ignore[operator]
    return _layer(weights, bias, norms, kind)


def _four_kernels(kernel: Tensor) -> Tensor:
    """``(channels in, out, 5, 5)`` as ``(3, 3, channels in, 4 · channels out)``; see the module's docstring."""
    n_in, n_out = kernel.shape[:2]
    four = kernel.new_zeros(3, 3, n_in, 2, 2, n_out)
    for dt in range(3):
        for df in range(3):
            for r in range(2):
                for s in range(2):
                    k_time, k_bins = 2 * dt - r, s + 3 - 2 * df  # δ = dt − 1, df − 1
                    if 0 <= k_time < N_TAPS_DOWN and 0 <= k_bins < N_TAPS_DOWN:
                        four[dt, df, :, r, s] = kernel[:, :, k_time, k_bins]
    return four.reshape(3, 3, n_in, 4 * n_out)


def head_layer(unets: Sequence[UNet]) -> Layer:
    """The last layer, 4×4 with a dilation of 2, in float32 always."""
    weights = torch.stack([unet.head.weight.flip(2).permute(2, 3, 1, 0) for unet in unets])
    bias = torch.stack([unet.head.bias for unet in unets])  # type: ignore[misc]
    return _layer(weights, bias, (), torch.float32)


def _layer(weights: Tensor, bias: Tensor, norms: Sequence[nn.Module], kind: torch.dtype) -> Layer:
    scales = [n.weight / torch.sqrt(n.running_var + n.eps) for n in norms]  # type: ignore[operator, arg-type]
    shifts = [n.bias - n.running_mean * scale for n, scale in zip(norms, scales, strict=True)]  # type: ignore[operator]
    scale = torch.stack(scales) if scales else weights.new_ones(len(weights), 1)
    shift = torch.stack(shifts) if shifts else weights.new_zeros(len(weights), 1)
    return Layer(
        weights.to(kind).contiguous(),
        bias[:, None].to(kind),
        scale.float()[:, None, None, None],
        shift.float()[:, None, None, None],
    )


def n_split_axes(layer: Layer, n_rows: int, n_multiprocessors: int) -> int:
    """Over how many axes of its taps a product is split, so that a device is busy."""
    n_inner = layer.weights.shape[1] ** 2 * layer.weights.shape[3]
    n_busy = len(layer.weights) * -(-n_rows // TILE) * -(-layer.n_outputs // TILE)
    n_axes = 0
    while n_axes < 2 and n_busy < FULL * n_multiprocessors and n_inner // layer.n_taps >= LEAST_INNER:
        n_axes, n_busy, n_inner = n_axes + 1, n_busy * layer.n_taps, n_inner // layer.n_taps
    return n_axes


def multiply(parts: Sequence[Tensor], layer: Layer, step: int, n_multiprocessors: int) -> Tensor:
    """Slide a layer's kernel over columns.

    Parameters
    ----------
    parts
        Columns with all padding that the kernel reaches into; their channels are joined, in this order. Columns of one
        stem are shared by all.
    layer
        The weights.
    step
        From one output to the next, in columns and in bins.
    n_multiprocessors
        Of the device.

    Returns
    -------
    Tensor
        ``(stems, columns, decks, bins, outputs)``.
    """
    k = layer.n_taps
    views = [part.unfold(1, k, step).unfold(3, k, step).permute(0, 1, 2, 3, 5, 6, 4) for part in parts]
    _, n_columns, n_decks, n_bins = views[0].shape[:4]
    n_axes = n_split_axes(layer, n_columns * n_decks * n_bins, n_multiprocessors)
    order = ((0, 1, 2, 3, 4, 5, 6), (0, 4, 1, 2, 3, 5, 6), (0, 4, 5, 1, 2, 3, 6))[n_axes]
    views = [view.permute(order) for view in views]
    gathered = views[0] if len(views) == 1 else torch.cat(views, dim=-1)
    sums = _products(gathered, layer, k**n_axes, n_columns * n_decks * n_bins)
    return sums.view(len(layer.weights), n_columns, n_decks, n_bins, layer.n_outputs)


def _products(gathered: Tensor, layer: Layer, n_splits: int, n_rows: int) -> Tensor:
    """``(stems, rows, outputs)`` of ``(stems, splits.., rows.., taps.., channels)``."""
    n_stems, outputs = len(layer.weights), layer.n_outputs
    rows = gathered.reshape(len(gathered), n_splits, n_rows, -1).expand(n_stems, -1, -1, -1)
    weights = layer.weights.view(n_stems * n_splits, -1, outputs)
    if n_splits == 1:
        return torch.baddbmm(layer.bias, rows[:, 0], weights)
    parts = torch.bmm(rows.reshape(n_stems * n_splits, n_rows, -1), weights).view(
        n_stems, n_splits, n_rows, outputs
    )
    return parts.sum(dim=1).add_(layer.bias)


class Networks:
    """The layers of some networks of a model on a device.

    Parameters
    ----------
    unets
        One a stem.
    spec
        Widths and activations.
    device
        Where they are going to run.
    kind
        Of weights and columns.
    """

    def __init__(
        self,
        unets: Sequence[UNet],
        spec: UNetSpec,
        device: torch.device,
        kind: torch.dtype,
    ) -> None:
        self.n_stems, self.device, self.kind = len(unets), device, kind
        self.depth, self.widths = len(spec.conv_n_filters), (N_CHANNELS, *spec.conv_n_filters)
        self.down_activation = activation(spec.conv_activation)
        self.up_activation = activation(spec.deconv_activation)
        self.n_multiprocessors = (
            torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
        )
        norms = [[unet.conv_norms[i] for unet in unets] for i in range(self.depth - 1)]
        self.down = [
            self._here(down_layer([unet.convs[i] for unet in unets], i_norms, kind))
            for i, i_norms in enumerate([*norms, []])
        ]
        self.up = [
            self._here(
                up_layer([unet.deconvs[i] for unet in unets], [unet.deconv_norms[i] for unet in unets], kind)
            )
            for i in range(self.depth)
        ]
        self.head = self._here(head_layer(unets))

    def _here(self, layer: Layer) -> Layer:
        def move(tensor: Tensor) -> Tensor:
            return tensor.detach().to(self.device)

        return Layer(move(layer.weights), move(layer.bias), move(layer.scale), move(layer.shift))

    def zeros(self, *shape: int, kind: torch.dtype | None = None) -> Tensor:
        """Memory on the device."""
        return torch.zeros(shape, dtype=kind or self.kind, device=self.device)

    def halve(self, i: int, columns: Tensor) -> tuple[Tensor, Tensor | None]:
        """The i-th halving: raw, for the way up; after norm and activation, for the way down (None of the deepest)."""
        layer = self.down[i]
        raw = multiply((columns,), layer, 2, self.n_multiprocessors)
        if i + 1 == self.depth:
            return raw, None
        return raw, self.down_activation(torch.addcmul(layer.shift, raw, layer.scale)).to(self.kind)

    def double(self, i: int, parts: Sequence[Tensor], out: Tensor) -> None:
        """The i-th doubling, after activation and norm.

        Parameters
        ----------
        i
            Counted from the deepest.
        parts
            Raw columns, and what the doubling below has made.
        out
            ``(stems, 2 · columns, decks, 2 · bins, channels)``.
        """
        layer = self.up[i]
        sums = self.up_activation(multiply(parts, layer, 1, self.n_multiprocessors))
        channels = layer.n_outputs // 4
        places = split(sums, 4, 2, 2, channels).permute(0, 1, 4, 2, 3, 5, 6)  # columns, r, decks, bins, s
        target = split(split(out, 3, -1, 2), 1, -1, 2)
        shift, scale = (
            norm.view(self.n_stems, 1, 1, 1, 1, 1, channels) for norm in (layer.shift, layer.scale)
        )
        torch.addcmul(shift, places, scale, out=target)

    def logits(self, columns: Tensor) -> Tensor:
        """The last layer, of columns and bins with `HEAD_REACH` around: ``(stems, columns, decks, bins, 2)``."""
        reach = 2 * HEAD_REACH + 1
        taps = columns[..., 0].unfold(1, reach, 1)[..., ::2].unfold(3, reach, 1)[..., ::2]
        rows = taps.reshape(self.n_stems, -1, 16)
        logits = torch.baddbmm(self.head.bias, rows, self.head.weights.view(self.n_stems, 16, N_CHANNELS))
        return logits.view(*taps.shape[:4], N_CHANNELS)
