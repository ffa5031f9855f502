"""Rows times packed weights: the product that every layer of a streamed U-Net consists of.

A streamed layer multiplies a few dozen rows with megabytes of weights. A library's matrix product packs the weights
anew at every call, which for so few rows costs as much as the product; and from Python every call is one more wait for
the interpreter's lock. So the weights are packed once, in the order in which they are read, and the products of a layer
are rows of a table that one compiled function works off (`multiply`). On one core of an EPYC 9004 it does
114 to 116 of 117 possible GFLOP/s; MKL does 77 to 101 there, depending on the shape (`bench/product.py`).

What is multiplied is counted in *words* of four bytes: one float32, or two bfloat16 that are summed into one float32::

    source   n_rows rows of n_words words, `source_stride` bytes apart; they may overlap
    weights  panel by panel; in a panel, word by word, numbers for as many columns as the panel is wide
    target   n_rows rows of float32, `target_stride` bytes apart; added to
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from rtsep.stream import Precision

WORD_BYTES = 4
PAIR: dict[Precision, int] = {"float32": 1, "bfloat16": 2}
"""Numbers in a word."""


def _host_features() -> dict[str, bool]:
    """What the processor can do, as far as LLVM can tell."""
    try:
        return dict(binding.get_host_cpu_features())
    except RuntimeError:
        return {}


def _vector_shape(features: dict[str, bool], architecture: str) -> tuple[int, int]:
    """Lanes of a vector, and rows of a tile: 2 vectors · rows accumulators must fit the registers beside the rest."""
    if features.get("avx512f"):
        return 16, 8
    if features.get("avx2") and features.get("fma"):
        return 8, 4
    return (4, 8) if architecture.lower() in ("aarch64", "arm64") else (4, 4)


_FEATURES = _host_features()
LANES, TILE_ROWS = _vector_shape(_FEATURES, platform.machine())
WIDE, NARROW = 2 * LANES, LANES
"""Columns of a panel of weights, and of the only panel of a layer that has no more than that."""

HAS_BFLOAT16 = bool(_FEATURES.get("avx512bf16")) and LANES == 16
"""Whether the processor multiplies bfloat16 in half the time of float32; elsewhere it is only half the memory."""

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_WORDS = ir.VectorType(_I32, LANES)


def _fused(builder: Any, x: Any, y: Any, total: Any) -> Any:
    """``x · y + total``, rounded once where the processor does that, and twice where it would be a call."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
    return builder.call(function, [x, y, total])


def _add_float32(builder: Any, x: Any, weights: Any, total: Any) -> Any:
    return _fused(builder, builder.bitcast(x, _VECTOR), builder.bitcast(weights, _VECTOR), total)


def _add_pairs(builder: Any, x: Any, weights: Any, total: Any) -> Any:
    """Of both words the low halves and the high halves, each the upper half of a float32."""
    sixteen = ir.Constant(_WORDS, [16] * LANES)
    high = ir.Constant(_WORDS, [0xFFFF0000] * LANES)
    halves: list[Callable[[Any], Any]] = [
        lambda word: builder.shl(word, sixteen),
        lambda word: builder.and_(word, high),
    ]
    for half in halves:
        total = _fused(
            builder, builder.bitcast(half(x), _VECTOR), builder.bitcast(half(weights), _VECTOR), total
        )
    return total


def _add_pairs_in_hardware(builder: Any, x: Any, weights: Any, total: Any) -> Any:
    """The same as one instruction of AVX512-BF16."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR, _WORDS, _WORDS])
    return builder.asm(kind, "vdpbf16ps $3, $2, $0", "=v,0,v,v", [total, x, weights], False)


def panel_width(n_outputs: int) -> int:
    """The width of a layer's panels."""
    return NARROW if n_outputs <= NARROW else WIDE


def _tile(n_rows: int, n_vectors: int, add: Any) -> Any:
    """A compiled product of so many rows with a panel of so many vectors, all sums in registers."""

    @intrinsic
    def multiply_tile(
        typing_context: Any,
        source: Any,
        source_stride: Any,
        panel: Any,
        n_words: Any,
        target: Any,
        stride: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, source_stride, panel, n_words, target, stride = arguments
            rows = [_place(builder, source, source_stride, r, _I32) for r in range(n_rows)]
            columns = builder.inttoptr(panel, _WORDS.as_pointer())
            before, loop = builder.block, builder.append_basic_block("words")
            builder.branch(loop)
            builder.position_at_end(loop)
            at = builder.phi(_I64)
            sums = [builder.phi(_VECTOR) for _ in range(n_rows * n_vectors)]
            first = builder.mul(at, ir.Constant(_I64, n_vectors))
            weights = [_vector(builder, columns, first, v) for v in range(n_vectors)]
            after: list[Any] = []
            for row in rows:
                word = _broadcast(builder, builder.load(builder.gep(row, [at])))
                after += [
                    add(builder, word, column, sums[len(after) + v]) for v, column in enumerate(weights)
                ]
            following = builder.add(at, ir.Constant(_I64, 1))
            for phi, start, value in zip(
                [at, *sums],
                [ir.Constant(_I64, 0), *[ir.Constant(_VECTOR, [0.0] * LANES)] * len(sums)],
                [following, *after],
                strict=True,
            ):
                phi.add_incoming(start, before)
                phi.add_incoming(value, loop)
            done = builder.append_basic_block("done")
            builder.cbranch(builder.icmp_signed("<", following, n_words), loop, done)
            builder.position_at_end(done)
            for r in range(n_rows):
                out = _place(builder, target, stride, r, _VECTOR)
                for v in range(n_vectors):
                    _add_to(builder, builder.gep(out, [ir.Constant(_I64, v)]), after[r * n_vectors + v])
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return multiply_tile


def _place(builder: Any, address: Any, stride: Any, row: int, kind: Any) -> Any:
    """A pointer to the start of a row."""
    return builder.inttoptr(
        builder.add(address, builder.mul(stride, ir.Constant(_I64, row))), kind.as_pointer()
    )


def _vector(builder: Any, panel: Any, first: Any, v: int) -> Any:
    """One of the vectors of weights that belong to a word."""
    vector = builder.load(builder.gep(panel, [builder.add(first, ir.Constant(_I64, v))]))
    vector.align = WORD_BYTES * LANES
    return vector


def _broadcast(builder: Any, word: Any) -> Any:
    nothing = ir.Constant(_WORDS, ir.Undefined)
    one = builder.insert_element(nothing, word, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(_WORDS, [0] * LANES))


def _add_to(builder: Any, place: Any, value: Any) -> None:
    old = builder.load(place)
    old.align = WORD_BYTES
    builder.store(builder.fadd(old, value), place).align = WORD_BYTES


if HAS_BFLOAT16:
    binding.initialize_native_asmparser()  # for the instruction that is written out above
_add_words = _add_pairs_in_hardware if HAS_BFLOAT16 else _add_pairs
_float32_tile, _float32_row = _tile(TILE_ROWS, 2, _add_float32), _tile(1, 2, _add_float32)
_float32_narrow, _float32_narrow_row = _tile(TILE_ROWS, 1, _add_float32), _tile(1, 1, _add_float32)
_bfloat16_tile, _bfloat16_row = _tile(TILE_ROWS, 2, _add_words), _tile(1, 2, _add_words)
_bfloat16_narrow, _bfloat16_narrow_row = _tile(TILE_ROWS, 1, _add_words), _tile(1, 1, _add_words)

SOURCE, SOURCE_STRIDE, AT_WORD, N_WORDS, TARGET, TARGET_STRIDE = range(6)
"""Columns of a table of products: addresses and strides in bytes; `AT_WORD` is where the weights begin in a panel."""


_inner = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True)  # called by compiled code only


@_inner
def _multiply_tile(
    x: int, step: int, at: int, n_words: int, y: int, stride: int, is_narrow: bool, is_bfloat16: bool
) -> None:
    """`TILE_ROWS` rows with one panel."""
    if is_bfloat16:
        if is_narrow:
            _bfloat16_narrow(x, step, at, n_words, y, stride)
        else:
            _bfloat16_tile(x, step, at, n_words, y, stride)
    elif is_narrow:
        _float32_narrow(x, step, at, n_words, y, stride)
    else:
        _float32_tile(x, step, at, n_words, y, stride)


@_inner
def _multiply_row(
    x: int, step: int, at: int, n_words: int, y: int, stride: int, is_narrow: bool, is_bfloat16: bool
) -> None:
    """One row with one panel."""
    if is_bfloat16:
        if is_narrow:
            _bfloat16_narrow_row(x, step, at, n_words, y, stride)
        else:
            _bfloat16_row(x, step, at, n_words, y, stride)
    elif is_narrow:
        _float32_narrow_row(x, step, at, n_words, y, stride)
    else:
        _float32_row(x, step, at, n_words, y, stride)


@njit(error_model="numpy", nogil=True, cache=True)
def multiply(
    products: NDArray[np.int64],
    n_rows: int,
    weights: int,
    panel_words: int,
    width: int,
    first: int,
    end: int,
    is_bfloat16: bool,
) -> None:
    """Add all products of a table to their targets, panel by panel.

    Parameters
    ----------
    products
        ``(products, 6)``; see `SOURCE` and its neighbours. Those that share weights stand together.
    n_rows
        Rows of every product.
    weights
        Address of the packed weights.
    panel_words, width
        Words of a panel, and its width: `WIDE` or `NARROW`.
    first, end
        The panels that are this thread's.
    is_bfloat16
        What a word is.
    """
    word_bytes = WORD_BYTES * width
    n_tiled, is_narrow = n_rows - n_rows % TILE_ROWS, width == NARROW
    for panel in range(first, end):
        here = weights + panel * panel_words * word_bytes
        for p in range(len(products)):
            source, step = products[p, SOURCE], products[p, SOURCE_STRIDE]
            at, n_words = here + products[p, AT_WORD] * word_bytes, products[p, N_WORDS]
            target, stride = products[p, TARGET] + panel * word_bytes, products[p, TARGET_STRIDE]
            for row in range(0, n_tiled, TILE_ROWS):
                _multiply_tile(
                    source + row * step,
                    step,
                    at,
                    n_words,
                    target + row * stride,
                    stride,
                    is_narrow,
                    is_bfloat16,
                )
            for row in range(n_tiled, n_rows):
                _multiply_row(
                    source + row * step,
                    step,
                    at,
                    n_words,
                    target + row * stride,
                    stride,
                    is_narrow,
                    is_bfloat16,
                )
