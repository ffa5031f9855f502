"""From what the networks say to what every bin of every stem is multiplied by.

All in float32, whatever the precision of the networks: magnitudes reach 1024 and epsilon is 1e-10.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.stream import Extension, MaskRecipe

Masks = NDArray[np.float32]
"""``(stems, channels, frames, bins)`` in [0, 1]."""

EPSILON = np.float32(1e-10)  # Spleeter's; absolute, for `output` below is a magnitude
TOP_BAND_HZ = 3000.0


def follow(recipe: MaskRecipe, network_masks: Masks, magnitude: NDArray[np.float32]) -> Masks:
    """The networks' masks as masks of the wanted stems over all bins.

    Parameters
    ----------
    recipe
        What is wanted of them.
    network_masks
        ``(instruments, channels, frames, bins)``.
    magnitude
        ``(channels, frames, bins)`` of the mixture.

    Returns
    -------
    Masks
        ``(stems, channels, frames, n_bins_all)``.
    """
    said = list(network_masks)
    if len(said) in recipe.rows:
        said.append(np.maximum(1 - network_masks.sum(axis=0), 0))
    rows = np.stack([said[number] for number in recipe.rows])
    if recipe.is_ratio:
        rows = ratio_masks(rows, magnitude, recipe.exponent)
    chosen = rows[list(recipe.chosen)]
    return extend(chosen, recipe.extension, recipe.n_bins_all, recipe.n_top_bins)


def ratio_masks(network_masks: Masks, magnitude: NDArray[np.float32], exponent: float) -> Masks:
    """Each stem's share of the power: Spleeter's ratio (generalised Wiener) mask.

    With ``output = network mask · mixture magnitude`` of n stems and the exponent e::

        mask = (output^e + 1e-10 / n) / (sum of output^e over the stems + 1e-10)

    Parameters
    ----------
    network_masks
        ``(stems, channels, frames, bins)``, all stems of the model.
    magnitude
        ``(channels, frames, bins)`` of the mixture.
    exponent
        e; 2 in all published models.

    Returns
    -------
    Masks
        Of the shape of `network_masks`; they sum to one.

    Notes
    -----
    ``spleeter/model/__init__.py``, ``_build_masks``.
    """
    outputs = network_masks * magnitude
    power: Masks = np.square(outputs) if exponent == 2 else np.power(outputs, np.float32(exponent))
    total = power.sum(axis=0) + EPSILON
    power += EPSILON / np.float32(len(power))
    power /= total
    return power


def top_band_bins(n_bins: int, bin_hz: float) -> int:
    """How many bins make up the highest 3 kHz that the network sees (at least one, at most all)."""
    return min(n_bins, max(1, round(TOP_BAND_HZ / bin_hz)))


def extend(masks: Masks, extension: Extension, n_bins_all: int, n_top_bins: int) -> Masks:
    """Masks for the bins above the network's top bin.

    Parameters
    ----------
    masks
        ``(stems, channels, frames, bins)``.
    extension
        ``zeros``; ``average``: the frame's mean mask; ``top_band``: its mean over the highest `n_top_bins`.
    n_bins_all
        Bins of the whole spectrum.
    n_top_bins
        See `top_band_bins`.

    Returns
    -------
    Masks
        ``(stems, channels, frames, n_bins_all)``.
    """
    n_bins = masks.shape[-1]
    whole = np.empty((*masks.shape[:-1], n_bins_all), np.float32)
    whole[..., :n_bins] = masks
    if extension == "zeros":
        whole[..., n_bins:] = 0
    else:
        seen = masks if extension == "average" else masks[..., -n_top_bins:]
        whole[..., n_bins:] = seen.mean(axis=-1, keepdims=True)
    return whole
