"""Any number of channels to two.

Known speaker positions are folded as ITU-R BS.775-3 (annex 4) does: the centre and the surrounds go in 3 dB
lower, the bass channel (LFE) is left out. Everything is then made quieter by one factor, so that no sum
exceeds full scale. Where the positions are not known, both sides hear the mean of all channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rtsep.stream import Audio

HALF_POWER = math.sqrt(0.5)

#: FFmpeg's name of a channel -> its gain on the left and on the right.
SPEAKERS: dict[str, tuple[float, float]] = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (HALF_POWER, HALF_POWER),
    "LFE": (0.0, 0.0),
    "BL": (HALF_POWER, 0.0),
    "BR": (0.0, HALF_POWER),
    "SL": (HALF_POWER, 0.0),
    "SR": (0.0, HALF_POWER),
    "BC": (0.5, 0.5),
}


def fold_matrix(channels: Sequence[str]) -> Audio:
    """Gains from channels to left and right.

    Parameters
    ----------
    channels
        FFmpeg's names, in the order of the file; unknown names are welcome.

    Returns
    -------
    float32 ``(2, channels)``. One channel is doubled at its own level, two are left alone.
    """
    n_channels = len(channels)
    if n_channels == 1:
        return np.ones((2, 1), np.float32)
    if n_channels == 2:
        return np.eye(2, dtype=np.float32)
    if not set(channels) <= SPEAKERS.keys() or len(set(channels)) < n_channels:
        return np.full((2, n_channels), 1 / n_channels, np.float32)
    gains = np.array([SPEAKERS[name] for name in channels], np.float32).T
    return np.ascontiguousarray(gains / max(1.0, float(gains.sum(axis=1).max())))


def fold_notice(channels: Sequence[str]) -> str | None:
    """What a person should know about a fold; None for mono and stereo."""
    if len(channels) <= 2:
        return None
    if not set(channels) <= SPEAKERS.keys() or len(set(channels)) < len(channels):
        return f"{len(channels)} channels of unknown position: left and right are the mean of all"
    lower_db = 20 * math.log10(1 / float(fold_matrix(channels).max()))
    without = ", without LFE" if "LFE" in channels else ""
    return (
        f"{len(channels)} channels ({' '.join(channels)}) are folded to two{without}, {lower_db:.1f} dB lower"
    )


def fold(block: Audio, matrix: Audio) -> Audio:
    """``(channels, samples)`` to ``(2, samples)``; stereo passes untouched."""
    if block.shape[0] == 2:
        return block
    if block.shape[0] == 1:
        return np.repeat(block, 2, axis=0)
    return np.ascontiguousarray(matrix @ block, np.float32)
