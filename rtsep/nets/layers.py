"""The U-Net's layers as numbers: weights packed for `rtsep.nets.product`, batch norm folded into scale and shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from rtsep.nets import columns as col
from rtsep.nets.columns import EVEN_TAPS, N_TAPS, ODD_TAPS, Floats, Stored, aligned
from rtsep.nets.product import PAIR, multiply, panel_width
from rtsep.nets.unet import UNet, UNetSpec
from rtsep.stream import Precision


@dataclass(frozen=True)
class Layer:
    """A layer of some stems as numbers.

    `weights` is ``(stems, bytes)``, packed; bias, and scale and shift of the norm, are ``(stems, padded outputs)``;
    `words` are the words of a panel, `width` its columns. The deepest halving has neither norm nor activation:
    nothing reads what these give.
    """

    weights: NDArray[np.uint8]
    bias: Floats
    scale: Floats
    shift: Floats
    words: int
    width: int
    n_panels: int


def down_layers(nets: list[UNet], spec: UNetSpec, precision: Precision) -> tuple[Layer, ...]:
    """The halvings of some stems, from the top."""
    norms = [[*net.conv_norms, None] for net in nets]
    return tuple(
        _layer([_down_taps(net.convs[i], precision) for net in nets], [net.convs[i] for net in nets],
               [norm[i] for norm in norms], precision)
        for i in range(len(spec.conv_n_filters))
    )  # fmt: skip


def up_layers(nets: list[UNet], spec: UNetSpec, precision: Precision) -> tuple[Layer, ...]:
    """The doublings of some stems, from the deepest; the last one's weights are those of `fold`."""
    widths = spec.conv_n_filters[::-1]
    taps = [_up_taps] * (len(widths) - 1) + [_all_taps]
    return tuple(
        _layer([taps[i](net.deconvs[i], widths[i], precision) for net in nets], [net.deconvs[i] for net in nets],
               [net.deconv_norms[i] for net in nets], precision)
        for i in range(len(widths))
    )  # fmt: skip


def _numbers(module: nn.Module, name: str) -> Floats:
    numbers: Floats = module.get_parameter(name).detach().cpu().float().numpy()
    return numbers


def _layer(
    taps: list[list[Floats]], modules: list[nn.Module], norms: list[Any], precision: Precision
) -> Layer:
    packed = [pack(np.concatenate(blocks), precision) for blocks in taps]
    weights = aligned((len(packed), packed[0].nbytes), np.uint8)
    for row, one in zip(weights, packed, strict=True):
        row[:] = one.reshape(-1).view(np.uint8)
    affine = [_affine(norm, module) for norm, module in zip(norms, modules, strict=True)]
    vectors = [
        _rows([_numbers(module, "bias") for module in modules]),
        _rows([scale for scale, _ in affine]),
        _rows([shift for _, shift in affine]),
    ]
    n_panels, words, width = packed[0].shape[:3]
    return Layer(weights, vectors[0], vectors[1], vectors[2], words, width, n_panels)


def _rows(vectors: list[Floats]) -> Floats:
    rows: Floats = aligned((len(vectors), col.padded_outputs(len(vectors[0]))), np.float32)
    for row, vector in zip(rows, vectors, strict=True):
        row[: len(vector)] = vector
    return rows


def _affine(norm: nn.BatchNorm2d | None, layer: nn.Module) -> tuple[Floats, Floats]:
    """Batch norm in evaluation as ``scale · x + shift``; rounded once, at the end."""
    if norm is None:
        nothing = np.zeros_like(_numbers(layer, "bias"))
        return nothing, nothing
    variance, mean = (
        norm.get_buffer(name).double().cpu().numpy() for name in ("running_var", "running_mean")
    )
    scale = _numbers(norm, "weight") / np.sqrt(variance + norm.eps)
    return scale.astype(np.float32), (_numbers(norm, "bias") - mean * scale).astype(np.float32)


def _down_taps(conv: nn.Module, precision: Precision) -> list[Floats]:
    """For every tap in time the matrix ``(5 bins · channels, outputs)``."""
    weight = _numbers(conv, "weight")  # (out, in, time, bin)
    return [_matrix(weight[:, :, k].transpose(2, 1, 0), precision) for k in range(N_TAPS)]


def _up_taps(deconv: nn.Module, n_skip: int, precision: Precision) -> list[Floats]:
    """For every tap in time: of the skip, then of the column below, the matrices of even and of odd outputs."""
    weight = _numbers(deconv, "weight")  # (in, out, time, bin)
    sources = [part for part in (weight[:n_skip], weight[n_skip:]) if len(part)]
    return [
        _matrix(source[:, :, k][:, :, taps].transpose(2, 0, 1), precision)
        for k in range(N_TAPS)
        for source in sources
        for taps in (EVEN_TAPS, ODD_TAPS)
    ]


def _all_taps(deconv: nn.Module, n_skip: int, precision: Precision) -> list[Floats]:
    """Of the skip, then of the column below, the matrix ``(channels, 25 taps)``."""
    weight = _numbers(deconv, "weight")  # (in, 1, time, bin)
    sources = [part for part in (weight[:n_skip], weight[n_skip:]) if len(part)]
    return [_matrix(source.reshape(1, len(source), -1), precision) for source in sources]


def _matrix(kernel: Floats, precision: Precision) -> Floats:
    """``(bins, channels, outputs)`` as ``(bins · padded channels, outputs)``."""
    n_more = col.padded_channels(kernel.shape[1], precision) - kernel.shape[1]
    return np.pad(kernel, ((0, 0), (0, n_more), (0, 0))).reshape(-1, kernel.shape[2])


def pack(matrix: Floats, precision: Precision) -> NDArray[Any]:
    """Weights in the order in which `rtsep.nets.product` reads them.

    Parameters
    ----------
    matrix
        ``(inputs, outputs)``; the inputs are whole words.
    precision
        What a word is.

    Returns
    -------
    ndarray
        ``(panels, words, width, numbers in a word)``; outputs that are not there are zeros.
    """
    pair = PAIR[precision]
    wide = np.pad(matrix, ((0, 0), (0, col.padded_outputs(matrix.shape[1]) - matrix.shape[1])))
    width = panel_width(matrix.shape[1])
    panels = wide.reshape(len(matrix) // pair, pair, -1, width).transpose(2, 0, 3, 1)
    return col.stored_numbers(np.ascontiguousarray(panels), precision)


def flatten(layers: Sequence[Layer]) -> tuple[NDArray[np.int64], Floats]:
    """Layers for compiled code: a table with a line for each, and all of their biases, scales and shifts."""
    lines, numbers, n = [], [], 0
    for layer in layers:
        at, n_bytes = layer.weights.ctypes.data, layer.weights.shape[1]
        lines.append((at, n_bytes, layer.words, layer.n_panels, layer.width, layer.bias.shape[1], n))
        vectors = np.stack((layer.bias, layer.scale, layer.shift)).reshape(-1)
        numbers.append(vectors)
        n += len(vectors)
    return np.array(lines, np.int64), np.concatenate(numbers)


def silent_column(
    layer: Layer,
    stem: int,
    above: Stored,
    slope: float,
    raw: Stored,
    active: Stored,
    first_sums: Floats,
    second_sums: Floats,
) -> None:
    """One stem's halving over columns that are all alike: a final column, and its sums after one tap and three."""
    words = layer.words // N_TAPS
    sums = np.repeat(layer.bias[stem][None], len(first_sums), axis=0)
    weights, is_bfloat16 = layer.weights[stem].ctypes.data, above.itemsize == 2
    table = np.zeros((1, 6), np.int64)
    for k in range(N_TAPS):
        col.add_product(table, 0, above, 2, k * words, N_TAPS, sums, 1)
        multiply(table, len(sums), weights, layer.words, layer.width, 0, layer.n_panels, is_bfloat16)
        if k in (0, 2):
            (second_sums if k else first_sums)[:] = sums
    col.finish_down(
        sums, layer.scale[stem], layer.shift[stem], np.float32(slope), 0, sums.shape[1], raw, active
    )
