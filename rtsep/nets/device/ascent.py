"""The way up: from the raw columns of all levels to the masks of the columns that are wanted.

Ages are counted in columns of a level, 0 is the newest. The last layer needs L − 3 .. L + V + 2 for V wanted columns, L
frames back. A doubling makes both columns 2 d and 2 d + 1 of a level from d − 1 .. d + 1 of the one below, so for

    columns a .. b  it works at  d = a // 2 .. b // 2,  and needs  a // 2 − 1 .. b // 2 + 1  of the level below.

Columns younger than 0 are padding, and so are, of a window, those older than its left edge.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rtsep.nets.device.layers import HEAD_REACH, Networks

Places = list[tuple[int, int]]
"""For every level, from 1 down, the first and the last d at which a doubling works."""


def stream_places(depth: int, n_wanted: int, ahead: int) -> Places:
    """Where the doublings work for some columns of an endless stream."""
    first, last = max(0, ahead - HEAD_REACH), ahead + n_wanted - 1 + HEAD_REACH
    places = []
    for _ in range(depth):
        places.append((first // 2, last // 2))
        first, last = max(0, first // 2 - 1), last // 2 + 1
    return places


def window_places(depth: int, n_frames: int) -> Places:
    """Where they work for all columns of a window."""
    return [(0, (n_frames >> level) - 1) for level in range(1, depth + 1)]


class Ascent:
    """The doublings and the last layer, for one set of wanted columns.

    Parameters
    ----------
    networks
        The layers.
    n_bins, n_decks
        Of the input.
    places
        See `stream_places`, `window_places`.
    n_wanted, ahead
        The columns, and how many newer ones there are.
    """

    def __init__(
        self, networks: Networks, n_bins: int, n_decks: int, places: Places, n_wanted: int, ahead: int
    ) -> None:
        self._networks, self._places = networks, places
        self._n_wanted, self._ahead = n_wanted, ahead
        self._made: list[
            Tensor
        ] = []  # for level 0 and below: what the doublings make, with padding around it
        self._bases: list[int] = []  # the age of the first column of each
        for level in range(networks.depth):
            first, last = (
                (ahead - HEAD_REACH, ahead + n_wanted - 1 + HEAD_REACH)
                if level == 0
                else (places[level - 1][0] - 1, places[level - 1][1] + 1)
            )
            below = places[level]
            base, end = min(first, 2 * below[0]), max(last, 2 * below[1] + 1)
            padding = HEAD_REACH if level == 0 else 1
            width = networks.widths[level] if level else 1
            shape = (networks.n_stems, end - base + 1, n_decks, (n_bins >> level) + 2 * padding, width)
            self._made.append(networks.zeros(*shape, kind=None if level else torch.float32))
            self._bases.append(base)

    def needed(self, level: int) -> range:
        """Ages of the raw columns of a level that are needed, padding among them."""
        first, last = self._places[level - 1]
        return range(first - 1, last + 2)

    def logits(self, raw: Callable[[int], Tensor]) -> Tensor:
        """What the networks say.

        Parameters
        ----------
        raw
            For a level, its `needed` columns with one bin of padding to either side.

        Returns
        -------
        Tensor
            ``(stems, decks, 2, n_wanted, bins)``, float32; the oldest column first.
        """
        depth = self._networks.depth
        for i, level in enumerate(range(depth, 0, -1)):
            parts = [raw(level)]
            if level < depth:
                first = self.needed(level).start - self._bases[level]
                parts.append(self._made[level][:, first : first + len(self.needed(level))])
            self._networks.double(i, parts, self._target(level - 1))
        first = self._ahead - HEAD_REACH - self._bases[0]
        seen = self._made[0][:, first : first + self._n_wanted + 2 * HEAD_REACH]
        return self._networks.logits(seen).permute(0, 2, 4, 1, 3).flip(3)

    def _target(self, level: int) -> Tensor:
        """Where the doubling from below puts its columns."""
        made, (first, last) = self._made[level], self._places[level]
        padding = HEAD_REACH if level == 0 else 1
        start = 2 * first - self._bases[level]
        return made[:, start : start + 2 * (last - first + 1), :, padding:-padding]
