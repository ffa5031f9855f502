"""How far masks are from right. All take the same three tensors, so that a recipe can name any of them.

Shapes: masks ``(stems, batch, 2, frames, bins)`` real, mixture ``(batch, 2, frames, bins)`` and stems
``(stems, batch, 2, frames, bins)`` complex.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from rtsep.train.recipe import LossName

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

N_LAST_FRAMES = 32
LAST_FRAMES_WEIGHT = 2.0  # live output comes from a window's right edge
MIN_STEM_POWER = 0.01  # of the mixture's: 20 dB below it a stem counts as silent
MIN_STEM_SHARE = 0.1  # the same in cross_entropy, of the sum of magnitudes
_FLOOR = 1e-3
_LEAST_POWER = 1e-9


def l1_mask(masks: Tensor, mixture: Tensor, stems: Tensor) -> Tensor:
    """Mean L1 between masked and true magnitudes, summed over stems (Spleeter's ``L1_mask``)."""
    errors = (masks * mixture.abs() - stems.abs()).abs()
    return errors.mean(dim=(1, 2, 3, 4)).sum()


def weighted_l1_mask(masks: Tensor, mixture: Tensor, stems: Tensor) -> Tensor:
    """`l1_mask` with every segment weighted by the stem's mean magnitude (``weighted_L1_mask``)."""
    truth = stems.abs()
    errors = truth.mean(dim=(2, 3, 4), keepdim=True) * (masks * mixture.abs() - truth).abs()
    return errors.mean(dim=(1, 2, 3, 4)).sum()


def complex_loss(masks: Tensor, mixture: Tensor, stems: Tensor) -> Tensor:
    """Squared error of the masked complex spectrum, relative to the levels of the segment.

    For each segment, sums running over channels, frames and bins::

        sum w |m X − S|²  /  sqrt( sum |X|² · max(sum |S|², sum |X|² / 100) )

    w counts the last 32 frames twice (mean 1). The divisor, between the mixture's power and the stem's, makes
    quiet segments count as loud ones, and quiet stems nearly as much as loud ones. The mean over segments,
    summed over stems. The complement has the same error. (SDR itself, the logarithm of the ratio, was tried:
    it rewards silence in silent segments without limit, and the network learnt to be silent.)
    """
    errors = _total(_power(masks * mixture - stems) * _frame_weights(mixture))
    mixture_power = _total(_power(mixture)) + _FLOOR
    stem_power = torch.maximum(_total(_power(stems)), MIN_STEM_POWER * mixture_power)
    return (errors / (mixture_power * stem_power).sqrt()).mean(dim=-1).sum()


def cross_entropy(masks: Tensor, mixture: Tensor, stems: Tensor) -> Tensor:
    """Cross-entropy towards the mask that is nearest to the stem, weighted by the mixture's magnitude.

    With the best real mask t of a bin, the squared error of `complex_loss` splits::

        |m X − S|²  =  |X|² (m − t)² + const,      t = Re(S X*) / |X|²  in [0, 1]

    Cross-entropy has the same optimum for every bin, the mean of t, but its gradient at the logit is m − t, where
    that of the square is (m − t) m (1 − m): nothing while masks are small, as they first become where voices are
    rare. (A run that stood at 1.2 dB with `complex` went to 2.0 dB within 60 steps.) The weight is |X|, not
    |X|², lest the loudest bass bins alone teach; the last 32 frames count twice. Each segment is divided by::

        sqrt( sum w · max(sum w t, sum w / 10) )

    The mean over segments, summed over stems.
    """
    power = _power(mixture)
    products = stems.real * mixture.real + stems.imag * mixture.imag
    targets = (products / (power + _LEAST_POWER)).clamp(0, 1)
    weights = power.sqrt() * _frame_weights(mixture)
    errors = _total(weights * functional.binary_cross_entropy(masks, targets, reduction="none"))
    whole = _total(weights)
    voiced = torch.maximum(_total(weights * targets), MIN_STEM_SHARE * whole)
    return (errors / ((whole * voiced).sqrt() + _FLOOR)).mean(dim=-1).sum()


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square() + spectrum.imag.square()


def _total(values: Tensor) -> Tensor:
    """Sum over channels, frames and bins."""
    return values.sum(dim=(-3, -2, -1))


def _frame_weights(mixture: Tensor) -> Tensor:
    """``(frames, 1)``: the last frames count twice, the mean is 1."""
    weights = mixture.real.new_ones(mixture.shape[-2])
    weights[-N_LAST_FRAMES:] = LAST_FRAMES_WEIGHT
    return (weights / weights.mean())[:, None]


LOSSES: dict[LossName, Loss] = {
    "l1_mask": l1_mask,
    "weighted_l1_mask": weighted_l1_mask,
    "complex": complex_loss,
    "cross_entropy": cross_entropy,
}
