"""How fast are a few rows times many weights: the layers of a streamed step, one core?

`rtsep.nets.product` with weights packed once, against torch's matrix product (MKL, or whatever torch has), which packs
them at every call. Shapes are those of Spleeter's four deepest halvings.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from parts.report import is_quick, show

from rtsep.nets.columns import aligned, stored_numbers
from rtsep.nets.layers import pack
from rtsep.nets.product import PAIR, multiply
from rtsep.stream import Precision

SHAPES = ((128, 640, 256), (64, 1280, 512), (32, 2560, 1024), (16, 1280, 512))  # rows, inputs, outputs


def gflops(call: Callable[[], object], n_flops: int, n_rounds: int) -> float:
    """The median of some rounds."""
    call()
    times_s = []
    for _ in range(n_rounds):
        started_s = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - started_s)
    return n_flops / statistics.median(times_s) / 1e9


def packed_product(
    x: np.ndarray, matrix: np.ndarray, precision: Precision
) -> tuple[Callable[[], object], np.ndarray]:
    """The call, and where its result lies."""
    packed, source = pack(matrix, precision), stored_numbers(x, precision)
    weights = aligned((packed.nbytes,), np.uint8)
    weights[:] = packed.reshape(-1).view(np.uint8)
    n_panels, n_words, width = packed.shape[:3]
    target = np.zeros((len(x), n_panels * width), np.float32)
    words = x.shape[1] // PAIR[precision]
    table = np.array(
        [[source.ctypes.data, source.strides[0], 0, words, target.ctypes.data, target.strides[0]]]
    )

    def call(keep: tuple[np.ndarray, ...] = (source, weights)) -> None:
        multiply(table, len(x), weights.ctypes.data, n_words, width, 0, n_panels, precision == "bfloat16")

    return call, target


def main() -> None:
    quick = is_quick(__doc__ or "")
    torch.set_num_threads(1)
    rng, rows = np.random.default_rng(0), []
    for n_rows, n_in, n_out in SHAPES[-1:] if quick else SHAPES:
        x = rng.standard_normal((n_rows, n_in)).astype(np.float32)
        matrix = (rng.standard_normal((n_in, n_out)) / n_in**0.5).astype(np.float32)
        exact = x.astype(np.float64) @ matrix
        for precision in ("float32", "bfloat16"):
            dtype = getattr(torch, precision)
            a, b = torch.from_numpy(x).to(dtype), torch.from_numpy(matrix).T.contiguous().to(dtype).T
            call, target = packed_product(x, matrix, precision)
            target[:] = 0
            call()
            errors = [np.abs(target[:, :n_out] - exact).max(), (a @ b).double().numpy() - exact]
            n_flops, n_rounds = 2 * n_rows * n_in * n_out, 3 if quick else 200
            ours, theirs = gflops(call, n_flops, n_rounds), gflops(lambda a=a, b=b: a @ b, n_flops, n_rounds)
            rows.append(
                [
                    f"{n_rows} x {n_in} x {n_out}, {precision}",
                    f"{ours:.0f}",
                    f"{errors[0]:.0e}",
                    f"{theirs:.0f}",
                    f"{np.abs(errors[1]).max():.0e}",
                ]
            )
    columns = ["rows x inputs x outputs", "rtsep GFLOP/s", "error", "torch GFLOP/s", "error"]
    show("Products, 1 thread", columns, rows)


if __name__ == "__main__":
    main()
