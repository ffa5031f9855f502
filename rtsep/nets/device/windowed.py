"""The U-Net over windows of frames, both edges in them, for a GPU: whole recordings, and short contexts."""

from __future__ import annotations

from torch import Tensor

from rtsep.nets.device.ascent import Ascent, window_places
from rtsep.nets.device.layers import Networks
from rtsep.nets.device.streamed import DOWN_PADDING, UP_PADDING

N_YOUNGER, N_OLDER = 2, 1
"""Columns of padding at the right and at the left edge, as a halving sees them."""


class WindowedNetworks:
    """Some networks of a model over the newest frames of streams; see `StreamedNetworks` for what is alike.

    Parameters
    ----------
    networks
        The layers.
    n_bins, n_decks
        Of the input.
    n_frames
        Of a window.
    silent
        What a silent frame holds in every bin.
    """

    def __init__(self, networks: Networks, n_bins: int, n_decks: int, n_frames: int, silent: float) -> None:
        self._networks, self._n_frames, self._silent = networks, n_frames, silent
        depth = networks.depth
        self._ascent = Ascent(networks, n_bins, n_decks, window_places(depth, n_frames), n_frames, 0)
        self._active, self._raw = [], []
        for level in range(depth + 1):
            n_columns, n_stems = n_frames >> level, networks.n_stems if level else 1

            def columns(n_around: int, padding: tuple[int, int]) -> Tensor:
                bins = (n_bins >> level) + sum(padding)  # noqa: B023
                shape = (n_stems, n_columns + n_around, n_decks, bins, networks.widths[level])  # noqa: B023
                return networks.zeros(*shape)

            self._active.append(columns(N_YOUNGER + N_OLDER, DOWN_PADDING))
            self._raw.append(columns(2, UP_PADDING))
        self.reset()

    def reset(self) -> None:
        """The past is silence."""
        self._inside(0)[:] = self._silent

    def push(self, columns: Tensor, wanted: tuple[int, int] | None) -> Tensor | None:
        """See `StreamedNetworks.push`; n is at most the window."""
        n_new, frames = columns.shape[2], self._inside(0)
        if n_new < self._n_frames:
            frames[:, n_new:] = frames[:, :-n_new].clone()
        frames[:, :n_new] = columns.permute(2, 0, 3, 1).flip(0)
        if wanted is None:
            return None
        for i in range(self._networks.depth):
            raw, active = self._networks.halve(i, self._active[i])
            before, after = UP_PADDING
            self._raw[i + 1][:, 1:-1, :, before:-after] = raw
            if active is not None:
                self._inside(i + 1)[:] = active
        logits = self._ascent.logits(self._raw.__getitem__)
        end = self._n_frames - wanted[1]
        return logits[:, :, :, end - wanted[0] : end]

    def _inside(self, level: int) -> Tensor:
        """The columns of a level without padding."""
        before, after = DOWN_PADDING
        return self._active[level][:, N_YOUNGER:-N_OLDER, :, before:-after]
