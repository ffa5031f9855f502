"""The U-Net's layers on columns: how a column lies in memory, how weights are packed, what comes after a product.

A *column* is one time step of one level, all bins and channels. It is stored bin by bin, the channels of a bin side by
side, with a bin of zeros in front and two behind ("same" padding)::

    [zeros] bin 0: c0 c1 .. | bin 1: c0 c1 .. | ...  | bin B − 1: ..  [zeros] [zeros]

So everything that a kernel of five bins sees lies in one piece, and its rows are products without any copying.

*Down*, stride 2: output bin i of tap k in time sees input bins 2i − 1 .. 2i + 3: 5 bins from stored bin 2i on.

*Up*, the transpose. Of its five taps a side two fall on even outputs and three on odd ones, so that no product is
wasted::

    output 2i      = tap 3 from i − 1,  tap 1 from i
    output 2i + 1  = tap 4 from i − 1,  tap 2 from i,  tap 0 from i + 1

which holds for bins (here, below) and for time (in the modules that say which columns belong together). For bins it is
two products a tap in time: 2 bins from stored bin i on, and 3 bins from there on. What a doubling reads is a skip
and the column of the level below; each has its own weights, so that the two need not be copied together.

The last doubling has a single output channel, of which a panel of weights would be mostly padding. There the products
are those of an input column with all 25 taps at once, and `fold` adds them up where they belong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit, typeof, types
from numba.extending import overload
from numpy.typing import NDArray

from rtsep.nets.product import (
    AT_WORD,
    N_WORDS,
    PAIR,
    SOURCE,
    SOURCE_STRIDE,
    TARGET,
    TARGET_STRIDE,
    WORD_BYTES,
    multiply,
    panel_width,
)
from rtsep.nets.unet import Activation
from rtsep.stream import Precision

N_TAPS = 5
N_BINS_PADDING = 3
EVEN_TAPS, ODD_TAPS = (3, 1), (4, 2, 0)  # by the output's parity, from the input before on

_ALIGN_BYTES = 64
_LINE_NUMBERS = 32  # numbers in a block are rounded up to this, so that every block is aligned
_ELU = -1.0  # in place of a slope

Floats = NDArray[np.float32]
Stored = NDArray[Any]
"""Columns as products read them: float32, or the upper halves of it as uint16 (bfloat16)."""


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros that begin where a vector may."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(n_bytes + _ALIGN_BYTES, np.uint8)
    start = -raw.ctypes.data % _ALIGN_BYTES
    array: NDArray[Any] = raw[start : start + n_bytes].view(dtype).reshape(shape)
    return array


def stored_dtype(precision: Precision) -> Any:
    """What a column's numbers are kept as."""
    return np.float32 if precision == "float32" else np.uint16


def stored_numbers(values: Floats, precision: Precision) -> Stored:
    """Numbers as a column keeps them."""
    if precision == "float32":
        return values
    return torch.from_numpy(values).bfloat16().view(torch.int16).numpy().view(np.uint16)


def frames_signature(store: Stored) -> tuple[Any, ...]:
    """What `rtsep.nets.step.store_frames` is compiled for."""
    return typeof(store.reshape(1, 1, -1)), types.Array(types.float32, 3, "C"), types.int64


def padded_channels(n_channels: int, precision: Precision) -> int:
    """Channels of a column as stored."""
    return -(-n_channels // PAIR[precision]) * PAIR[precision]


def padded_outputs(n_channels: int) -> int:
    """Channels of a layer's sums: whole panels."""
    width = panel_width(n_channels)
    return -(-n_channels // width) * width


class Arena:
    """Many columns in one array: what compiled code is given in place of an array for each level.

    A *block* holds the columns of one kind: ``(stems, slots, rows, channels)``. Its line in `blocks` says where it
    begins and how many slots, rows and channels it has.
    """

    def __init__(self) -> None:
        self._shapes: list[tuple[int, ...]] = []
        self._starts = [0]

    def add(self, n_stems: int, n_slots: int, n_rows: int, n_channels: int) -> None:
        """One more block."""
        self._shapes.append((n_stems, n_slots, n_rows, n_channels))
        n_lines = -(-n_stems * n_slots * n_rows * n_channels // _LINE_NUMBERS)
        self._starts.append(self._starts[-1] + n_lines * _LINE_NUMBERS)

    @property
    def blocks(self) -> NDArray[np.int64]:
        """``(blocks, 4)``: start, slots, rows, channels."""
        rows = [(start, *shape[1:]) for start, shape in zip(self._starts[:-1], self._shapes, strict=True)]
        return np.array(rows, np.int64)

    def allocate(self, dtype: Any) -> NDArray[Any]:
        """The array, all zeros."""
        return aligned((self._starts[-1],), dtype)

    def view(self, array: NDArray[Any], block: int) -> NDArray[Any]:
        """A block of an allocated array, ``(stems, slots, rows, channels)``."""
        shape = self._shapes[block]
        return array[self._starts[block] :][: int(np.prod(shape))].reshape(shape)


def slope_of(activation: Activation) -> float:
    """The activation as the number that compiled code knows it by: its slope below 0, or `_ELU`."""
    return {"LeakyReLU": 0.2, "ReLU": 0.0, "ELU": _ELU}[activation]


def softmax(logits: Floats) -> Floats:
    """Masks of all stems ``(stems, ...)``, which sum to one."""
    masks: Floats = np.exp(logits - logits.max(axis=0))
    masks /= masks.sum(axis=0)
    return masks


WEIGHTS, STEM_BYTES, WORDS, N_PANELS, WIDTH, N_OUTPUTS, NUMBERS = range(7)
"""Columns of a table of layers: address of the first stem's weights, bytes to the next stem's, words of a panel,
panels, their width, padded outputs, and where bias, scale and shift begin in the array of `flatten`."""


# ------------------------------------------------------------------ what comes after a product, compiled


_compiled = njit(error_model="numpy", nogil=True, cache=True)
_inner = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True)  # called by compiled code only


@_inner
def column(array: Any, blocks: Any, block: int, stem: int, slot: int) -> Any:
    """One column of an arena, ``(rows, channels)``."""
    start, n_slots, n_rows, n_channels = blocks[block]
    first = start + (stem * n_slots + slot) * n_rows * n_channels
    return array[first : first + n_rows * n_channels].reshape(n_rows, n_channels)


@_inner
def vector(numbers: Any, layer: Any, n_stems: int, stem: int, which: int) -> Any:
    """A layer's bias (0), scale (1) or shift (2), ``(padded outputs,)``."""
    n = layer[N_OUTPUTS]
    first = layer[NUMBERS] + (which * n_stems + stem) * n
    return numbers[first : first + n]


@_compiled
def add_product(
    table: Any, n: int, source: Any, step_bins: int, weights: int, n_bins: int, target: Any, stride_bins: int
) -> int:
    """One more line in a table of products; returns how many there are.

    Rows of `source` begin `step_bins` bins apart and are `n_bins` long; those of `target` are `stride_bins` apart.
    """
    bin_bytes = source.shape[1] * source.itemsize
    table[n, SOURCE], table[n, SOURCE_STRIDE] = source.ctypes.data, step_bins * bin_bytes
    table[n, AT_WORD], table[n, N_WORDS] = weights, n_bins * bin_bytes // WORD_BYTES
    table[n, TARGET], table[n, TARGET_STRIDE] = target.ctypes.data, stride_bins * target.shape[1] * WORD_BYTES
    return n + 1


@_inner
def tap_words(store: Any, n_channels: Any) -> Any:
    """Words of a doubling's tap in time, of a source with so many channels: even outputs and odd ones."""
    return (len(EVEN_TAPS) + len(ODD_TAPS)) * n_channels * store.itemsize // WORD_BYTES


@_inner
def add_doubling(table: Any, n: int, source: Any, weights: Any, sums: Any) -> Any:
    """The two products of a tap in time with one source: even outputs, then odd ones."""
    words = source.shape[1] * source.itemsize // WORD_BYTES
    n = add_product(table, n, source, 1, weights, len(EVEN_TAPS), sums, 2)
    return add_product(table, n, source, 1, weights + len(EVEN_TAPS) * words, len(ODD_TAPS), sums[1:], 2)


@_inner
def fold(products: Any, k: int, line: Any) -> None:
    """Add tap k in time of an input column's products ``(bins, 25 taps)`` to an output column ``(2 · bins,)``."""
    n_bins, first = len(products), k * N_TAPS
    for i in range(n_bins):
        even, odd = products[i, first + 1], products[i, first + 2]
        if i > 0:
            even += products[i - 1, first + 3]
            odd += products[i - 1, first + 4]
        if i + 1 < n_bins:
            odd += products[i + 1, first]
        line[2 * i] += even
        line[2 * i + 1] += odd


@_inner
def finish_last(line: Any, bias: Any, scale: Any, shift: Any, slope: Any, out: Any) -> None:
    """`finish_up` for the only channel of the last doubling, whose sums are a line."""
    b, a, t, s = bias[0], scale[0], shift[0], np.float32(slope)
    for f in range(len(line)):
        out[f + 1, 0] = as_stored(out, _active(line[f] + b, s) * a + t)


@_inner
def run_products(
    table: Any, n_rows: int, layer: Any, stem: int, first: int, end: int, is_bfloat16: bool
) -> None:
    """Carry out a table of products of one layer and stem, for panels `first` .. `end`."""
    weights = layer[WEIGHTS] + stem * layer[STEM_BYTES]
    multiply(table, n_rows, weights, layer[WORDS], layer[WIDTH], first, end, is_bfloat16)


@njit(error_model="numpy", nogil=True, inline="always")
def _bits(value: Any) -> Any:
    """A float32 as the nearest bfloat16."""
    bits = np.float32(value).view(np.uint32)
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


def from_stored(column: Any, value: Any) -> Any:
    """What a column stores, as a float32; compiled code only."""
    raise TypeError("from_stored is for compiled code")


@overload(from_stored, inline="always")
def _from_stored(column: Any, value: Any) -> Any:
    def as_it_is(column: Any, value: Any) -> Any:
        return value

    def widened(column: Any, value: Any) -> Any:
        return np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)

    return as_it_is if column.dtype == types.float32 else widened


def as_stored(column: Any, value: Any) -> Any:
    """A float32 as the column stores it; compiled code only."""
    raise TypeError("as_stored is for compiled code")


@overload(as_stored, inline="always")
def _as_stored(column: Any, value: Any) -> Any:
    def as_it_is(column: Any, value: Any) -> Any:
        return value

    def rounded(column: Any, value: Any) -> Any:
        return _bits(value)

    return as_it_is if column.dtype == types.float32 else rounded


@njit(error_model="numpy", nogil=True, inline="always")
def exponential(x: Any) -> Any:
    """e^x to 2e-7 of it, without a branch or a call, so that loops over it become vectors.

    Range reduction and polynomial of Moshier's Cephes library, ``expf``.
    """
    x = min(max(x, np.float32(-87.0)), np.float32(88.0))
    n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    power = np.uint32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (p * r * r + r + np.float32(1)) * power


@njit(error_model="numpy", nogil=True, inline="always")
def _active(x: Any, slope: Any) -> Any:
    if slope == _ELU:
        return x if x > 0 else exponential(x) - np.float32(1)
    return max(x, x * slope)


@_inner
def share(n: int, member: int, n_members: int) -> tuple[int, int]:
    """First and end of a member's part of n things."""
    return n * member // n_members, n * (member + 1) // n_members


@_inner
def clear(target: Any, first: int, end: int) -> None:
    """Begin a column's sums with nothing."""
    for i in range(target.shape[0]):
        target[i, first:end] = np.float32(0)


@_inner
def start(target: Any, bias: Any, first: int, end: int) -> None:
    """Begin a column's sums ``(bins, outputs)`` with the bias."""
    for i in range(target.shape[0]):
        target[i, first:end] = bias[first:end]


@_inner
def add(target: Any, others: Any, first: int, end: int) -> None:
    """Add other sums to a column's."""
    for i in range(target.shape[0]):
        x, y = target[i, first:end], others[i, first:end]
        for c in range(end - first):
            x[c] += y[c]


@_compiled
def finish_down(
    sums: Any, scale: Any, shift: Any, slope: Any, first: int, end: int, raw: Any, active: Any
) -> None:
    """Sums to what a doubling reads, raw, and to what the next halving reads, after norm and activation.

    `first` and `end` say which outputs.
    """
    end = min(end, raw.shape[1])
    s = np.float32(slope)
    scale, shift = scale[first:end], shift[first:end]
    for i in range(sums.shape[0]):
        x, r, a = sums[i, first:end], raw[i + 1, first:end], active[i + 1, first:end]
        for c in range(end - first):
            r[c] = as_stored(raw, x[c])
            a[c] = as_stored(active, _active(x[c] * scale[c] + shift[c], s))


@_inner
def finish_up(sums: Any, scale: Any, shift: Any, slope: Any, first: int, end: int, out: Any) -> None:
    """Sums to what the next doubling reads: activation, then norm."""
    end = min(end, out.shape[1])
    s = np.float32(slope)
    scale, shift = scale[first:end], shift[first:end]
    for i in range(sums.shape[0]):
        x, o = sums[i, first:end], out[i + 1, first:end]
        for c in range(end - first):
            o[c] = as_stored(out, _active(x[c], s) * scale[c] + shift[c])
