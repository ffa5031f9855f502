"""Packed products against numpy's, for both kinds of words and every shape of rows and columns."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.nets import product
from rtsep.nets.columns import add_product, aligned, stored_numbers
from rtsep.nets.layers import pack
from rtsep.nets.product import PAIR, TILE_ROWS, WORD_BYTES, multiply, panel_width
from rtsep.stream import Precision


def as_float32(stored: np.ndarray) -> np.ndarray:
    if stored.dtype == np.float32:
        return stored
    return (stored.astype(np.uint32) << 16).view(np.float32)


@given(
    n_rows=st.integers(1, 3 * TILE_ROWS + 1),
    n_words=st.integers(1, 40),
    n_outputs=st.integers(1, 100),
    n_more_words=st.integers(0, 5),
    precision=st.sampled_from(["float32", "bfloat16"]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=150)
def test_a_product_is_numpys(
    n_rows: int, n_words: int, n_outputs: int, n_more_words: int, precision: Precision, seed: int
) -> None:
    rng, pair = np.random.default_rng(seed), PAIR[precision]
    # Rows overlap, as those of a convolution do; the target has something in it already.
    line = stored_numbers(rng.standard_normal((n_rows + n_words) * pair + pair, np.float32), precision)
    rows = np.lib.stride_tricks.sliding_window_view(line, n_words * pair)[:: 1 * pair][:n_rows]
    matrix = rng.standard_normal(((n_words + n_more_words) * pair, n_outputs), np.float32)
    packed = pack(matrix, precision)
    weights = aligned((packed.nbytes,), np.uint8)
    weights[:] = packed.reshape(-1).view(np.uint8)
    n_panels, panel_words, width = packed.shape[:3]
    assert width == panel_width(n_outputs)
    target = rng.standard_normal((n_rows, n_panels * width), np.float32)
    before = target.copy()
    table = np.array(
        [
            [
                line.ctypes.data,
                pair * line.itemsize,
                n_more_words,
                n_words,
                target.ctypes.data,
                target.strides[0],
            ]
        ]
    )
    multiply(table, n_rows, weights.ctypes.data, panel_words, width, 0, n_panels, precision == "bfloat16")
    seen = as_float32(stored_numbers(matrix, precision))[n_more_words * pair :]
    expected = as_float32(np.ascontiguousarray(rows)).astype(np.float64) @ seen
    np.testing.assert_allclose((target - before)[:, :n_outputs], expected, rtol=0, atol=2e-5 * n_words**0.5)
    np.testing.assert_array_equal(target[:, n_outputs:], before[:, n_outputs:])


def test_panels_are_shared_out() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((7, 4 * product.WIDE), np.float32)
    packed = pack(matrix, "float32")
    weights = aligned((packed.size,), np.float32)
    weights[:] = packed.reshape(-1)
    source = rng.standard_normal((3, 7), np.float32)
    target = np.zeros((3, 4 * product.WIDE), np.float32)
    table = np.zeros((1, 6), np.int64)
    assert add_product(table, 0, source, 1, 0, 1, target, 1) == 1
    for first, end in ((0, 1), (1, 3), (3, 4)):
        multiply(table, 3, weights.ctypes.data, 7, product.WIDE, first, end, False)
    np.testing.assert_allclose(target, source @ matrix, rtol=0, atol=1e-5)


def test_bfloat16_is_torchs_rounding() -> None:
    values = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(as_float32(stored_numbers(values, "bfloat16")), expected)


@pytest.mark.skipif(not product.HAS_BFLOAT16, reason="the processor does not multiply bfloat16")
def test_the_hardwares_pairs_are_the_ones_that_are_spelt_out() -> None:
    from numba import njit

    spelt_out = product._tile(2, 1, product._add_pairs)
    in_hardware = product._tile(2, 1, product._add_pairs_in_hardware)

    @njit
    def both(source: np.ndarray, weights: int, n_words: int, targets: np.ndarray) -> None:
        step, stride = source.strides[0], targets.strides[1]
        spelt_out(source.ctypes.data, step, weights, n_words, targets[0].ctypes.data, stride)
        in_hardware(source.ctypes.data, step, weights, n_words, targets[1].ctypes.data, stride)

    rng, n_words = np.random.default_rng(2), 50
    source = stored_numbers(rng.standard_normal((2, 2 * n_words), np.float32), "bfloat16")
    numbers = rng.standard_normal((n_words, product.LANES, 2), np.float32)
    weights = aligned((n_words * product.LANES * WORD_BYTES,), np.uint8)
    weights[:] = stored_numbers(numbers, "bfloat16").reshape(-1).view(np.uint8)
    targets = np.zeros((2, 2, product.LANES), np.float32)
    both(source, weights.ctypes.data, n_words, targets)
    assert np.abs(targets[0]).max() > 1
    np.testing.assert_allclose(targets[1], targets[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("features", "architecture", "expected"),
    [
        ({"avx512f": True, "avx2": True, "fma": True}, "x86_64", (16, 8)),
        ({"avx2": True, "fma": True}, "AMD64", (8, 4)),
        ({}, "x86_64", (4, 4)),
        ({}, "arm64", (4, 8)),
        ({"neon": True}, "aarch64", (4, 8)),
    ],
)
def test_vectors_are_as_wide_as_the_processors(
    features: dict[str, bool], architecture: str, expected: tuple[int, int]
) -> None:
    assert product._vector_shape(features, architecture) == expected


@pytest.mark.parametrize("features", [{"avx2": True, "fma": True}, {}])
def test_narrower_vectors_give_the_same_products(features: dict[str, bool]) -> None:
    """In a process of its own, whose processor seems to be an older one."""
    code = f"""
import llvmlite.binding, sys
real = llvmlite.binding.get_host_cpu_features
class Features(dict):
    flatten = lambda self: real().flatten()  # numba compiles for what is there
llvmlite.binding.get_host_cpu_features = lambda: Features({features!r})
from rtsep.nets import product
assert product.LANES == {8 if features else 4} and not product.HAS_BFLOAT16
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_product import test_a_product_is_numpys
test_a_product_is_numpys()
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": tempfile.mkdtemp()}  # not the cache of the real processor
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
