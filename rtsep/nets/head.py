"""The U-Net's last layer on columns: one channel to the logits of both channels' masks, and these to masks.

Four taps a side, two apart, with three places of padding: output (m, f) sees columns m − 3, m − 1, m + 1, m + 3 and
bins f − 3 .. f + 3 alike. Counted back from the right edge, column e is tap k of output e + 2 k − 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rtsep.nets.columns import Floats, exponential, from_stored
from rtsep.nets.unet import N_CHANNELS, UNet

HEAD_REACH = 3  # columns and bins that an output sees on each side
_N_TAPS = 4
_N_WEIGHTS = _N_TAPS * _N_TAPS

_inner = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True)  # called by compiled code only


def head_numbers(nets: list[UNet]) -> Floats:
    """Weights and bias of every stem's last layer: ``(stems, 2 · 16 + 2)``."""
    rows = []
    for net in nets:
        weight, bias = (
            net.head.get_parameter(name).detach().cpu().float().numpy() for name in ("weight", "bias")
        )
        rows.append(np.concatenate((weight.reshape(-1), bias)))
    return np.stack(rows)


@_inner
def add_head_column(numbers: Any, column: Any, last: int, line: Any, logits: Any) -> None:
    """Add what one column gives to the logits ``(2, columns, bins)``, the oldest of which is column 0.

    `last` is the place in `logits` that the column itself has; `line` is room for ``bins + 6`` numbers.
    """
    n_bins = logits.shape[2]
    line[:HEAD_REACH] = line[n_bins + HEAD_REACH :] = np.float32(0)
    for f in range(n_bins):
        line[f + HEAD_REACH] = from_stored(column, column[f + 1, 0])
    for k in range(_N_TAPS):
        j = last - (2 * k - HEAD_REACH)
        if j < 0 or j >= logits.shape[1]:
            continue
        for c in range(N_CHANNELS):
            out = logits[c, j]
            weights = numbers[c * _N_WEIGHTS + k * _N_TAPS : c * _N_WEIGHTS + (k + 1) * _N_TAPS]
            for f in range(n_bins):
                out[f] += (
                    weights[0] * line[f]
                    + weights[1] * line[f + 2]
                    + weights[2] * line[f + 4]
                    + weights[3] * line[f + 6]
                )


@_inner
def finish_masks(numbers: Any, logits: Any, is_softmax: bool) -> None:
    """Add the bias; logits become masks, unless a softmax over all stems is still to come."""
    for c in range(N_CHANNELS):
        bias = numbers[N_CHANNELS * _N_WEIGHTS + c]
        for j in range(logits.shape[1]):
            out = logits[c, j]
            for f in range(len(out)):
                logit = out[f] + bias
                out[f] = logit if is_softmax else np.float32(1) / (np.float32(1) + exponential(-logit))
