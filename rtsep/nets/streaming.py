"""The streamed U-Net: push columns of a spectrogram, get the columns of masks that are wanted.

What a step computes, and why that is exact, is derived in `rtsep.nets.step`; this is what it works on.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import typeof, types

from rtsep.nets import columns as col
from rtsep.nets.columns import N_TAPS, Arena, Floats, Stored, frames_signature
from rtsep.nets.head import HEAD_REACH, head_numbers
from rtsep.nets.layers import down_layers, flatten, silent_column, up_layers
from rtsep.nets.step import FIRST_FRAME, MAX_PUSH_FRAMES, N_EDGE, State, enter, store_frames, wanted_bounds
from rtsep.nets.team import Team, compile_apart, end_team
from rtsep.nets.unet import N_CHANNELS, SeparationNet, compress
from rtsep.stream import Precision


class StreamingUNet:
    """Some networks of a model over an endless stream, on a CPU.

    Parameters
    ----------
    net
        The networks, in evaluation mode; their weights are copied.
    instruments
        Which of them to run.
    n_bins
        Bins that they see; a multiple of ``net.spec.time_multiple``.
    grid_hops
        Windows end at multiples of so many frames: a power of two. The coarser, the less work; `push` takes
        multiples of it.
    reach_frames
        The largest sum of wanted columns and lookahead that `push` is going to be asked for.
    precision
        Of weights and columns; sums are float32 always.
    n_threads
        Threads to use.

    Notes
    -----
    See `rtsep.nets.step` for the derivation, and `tests/nets/test_streaming.py` for its proof by the full window.
    """

    def __init__(
        self,
        net: SeparationNet,
        instruments: Sequence[str],
        n_bins: int,
        *,
        grid_hops: int = 1,
        reach_frames: int = 1,
        precision: Precision = "float32",
        n_threads: int = 1,
    ) -> None:
        if grid_hops < 1 or grid_hops & (grid_hops - 1) or grid_hops > MAX_PUSH_FRAMES:
            raise ValueError(f"grid_hops={grid_hops} must be a power of two up to {MAX_PUSH_FRAMES}")
        if n_bins % net.spec.time_multiple:
            raise ValueError(f"n_bins={n_bins} must be a multiple of {net.spec.time_multiple}")
        nets = [net.unets[name] for name in instruments]
        self.spec, self.precision, self.grid_hops, self.reach_frames = (
            net.spec,
            precision,
            grid_hops,
            reach_frames,
        )
        self._n_bins, self._n_stems, self._depth = n_bins, len(nets), len(net.spec.conv_n_filters)
        self._bounds = wanted_bounds(self._depth, reach_frames, 0)
        self._layers = [
            *down_layers(nets, net.spec, precision),
            *up_layers(nets, net.spec, precision),
        ]
        self._team = Team(n_threads)
        self._state = self._make_state(head_numbers(nets))
        state, serving = self._state, (typeof(self._state), types.int64)
        compile_apart((enter, serving), (store_frames, frames_signature(state.store)))
        self._frames = self._view(0)[0]
        self._silence = self._make_silence()
        self.reset()
        self._team.start(lambda worker: enter(state, worker))
        self._finalizer = weakref.finalize(self, end_team, state.order, self._team)
        self._finalizer.atexit = False  # helpers are daemons

    def close(self) -> None:
        """Let the helpers go; it happens by itself when nobody holds the network any more."""
        self._finalizer()

    def reset(self) -> None:
        """The past is silence: all columns are as silent frames leave them."""
        self.n_frames = 0
        self._view(0)[:, :, 1 : self._n_bins + 1, :N_CHANNELS] = self._silent_frame()
        for i, (raw, active, first_sums, second_sums) in enumerate(self._silence):
            self._view(1 + i)[:, :-N_EDGE] = raw[:, None]
            self._view(1 + self._depth + i)[:, :-N_EDGE] = active[:, None]
            pending = self._sums.view(self._state.sums, i)
            stride, phase = min(self.grid_hops, 2 << i), 2 << i
            for frame in range(0, -2 * phase, -stride):
                slot = frame // stride % pending.shape[1]
                pending[:, slot] = first_sums if frame > -phase else second_sums

    def push(self, magnitude: Floats, n_wanted: int, lookahead_frames: int = 0) -> Floats:
        """Take new frames; evaluate the window that ends with the last of them.

        Parameters
        ----------
        magnitude
            ``(2, n, bins)`` of the mixture, n a multiple of the grid.
        n_wanted
            Columns of masks that are wanted; 0: the frames only count as seen, at a fraction of the cost.
        lookahead_frames
            How many newer frames there are behind the last wanted one.

        Returns
        -------
        ndarray
            The networks' masks ``(instruments, 2, n_wanted, bins)``, overwritten by the next call.

        Raises
        ------
        ValueError
            Frames of another shape or no whole steps of the grid, more columns than `reach_frames` allows for, or
            a network that is closed.
        """
        n_new = magnitude.shape[1]
        self._check(magnitude, n_wanted, lookahead_frames)
        seen = compress(magnitude, self.spec.input_exponent)
        for first in range(0, n_new, MAX_PUSH_FRAMES):
            is_last = first + MAX_PUSH_FRAMES >= n_new
            part = np.ascontiguousarray(seen[:, first : first + MAX_PUSH_FRAMES])
            self._push(part, n_wanted if is_last else 0, lookahead_frames)
        masks = self._state.masks[:, :, :n_wanted]
        return col.softmax(masks) if self._state.is_softmax else masks

    def _check(self, magnitude: Floats, n_wanted: int, ahead: int) -> None:
        """Compiled code looks at nothing: what does not fit would be written over something else."""
        if not self._finalizer.alive:
            raise ValueError("the network is closed")
        if magnitude.shape[::2] != (N_CHANNELS, self._n_bins):
            raise ValueError(f"frames are ({N_CHANNELS}, n, {self._n_bins}); got {magnitude.shape}")
        n_new = magnitude.shape[1]
        fits = n_wanted >= 0 and ahead >= 0 and n_wanted + ahead <= self.reach_frames
        if n_new % self.grid_hops or not fits or (n_wanted and not n_new):
            raise ValueError(
                f"{n_new} frames must be a multiple of the grid of {self.grid_hops}, and {n_wanted} wanted + "
                f"{ahead} ahead at most {self.reach_frames}"
            )

    @property
    def n_bytes(self) -> int:
        """Memory of weights and state."""
        state = self._state
        weights = sum(layer.weights.nbytes for layer in self._layers)
        return weights + state.store.nbytes + state.sums.nbytes + state.masks.nbytes

    def _push(self, seen: Floats, n_wanted: int, ahead: int) -> None:
        state, n_new = self._state, seen.shape[1]
        store_frames(self._frames, seen, self.n_frames)
        state.order[FIRST_FRAME:] = self.n_frames, n_new // self.grid_hops, n_wanted, ahead
        if n_wanted:
            state.bounds[:] = wanted_bounds(self._depth, n_wanted, ahead)
        enter(state, 0)
        self.n_frames += n_new

    # ---------------------------------------------------------------------------- what is made once

    def _view(self, block: int) -> Stored:
        return self._store.view(self._state.store, block)

    def _make_state(self, head: Floats) -> State:
        self._store, self._sums = self._store_arena(), self._sums_arena()
        layers, numbers = flatten(self._layers)
        most_columns = max(self.grid_hops + N_EDGE, int(self._bounds[0, 1]) + 1)
        spec = self.spec
        return State(
            store=self._store.allocate(col.stored_dtype(self.precision)),
            store_blocks=self._store.blocks,
            sums=self._sums.allocate(np.float32),
            sums_blocks=self._sums.blocks,
            layers=layers,
            numbers=numbers,
            slopes=np.array(
                [col.slope_of(spec.conv_activation), col.slope_of(spec.deconv_activation)], np.float32
            ),
            head=head,
            lines=np.zeros((self._n_stems, self._n_bins + 2 * HEAD_REACH), np.float32),
            masks=np.zeros((self._n_stems, N_CHANNELS, self.reach_frames, self._n_bins), np.float32),
            bounds=self._bounds.copy(),
            products=np.zeros((self._team.n_members, 3 * 4 * most_columns, 6), np.int64),
            order=np.zeros(5, np.int64),
            board=self._team.board,
            grid_shift=self.grid_hops.bit_length() - 1,
            is_softmax=spec.output == "softmax",
        )

    def _levels(self) -> list[tuple[int, int, int, int]]:
        """For every halving: slots from a column to the next of its phase, new columns, bins, channels."""
        return [
            (
                (2 << i) // min(self.grid_hops, 2 << i),
                max(1, self.grid_hops >> (i + 1)),
                self._n_bins >> (i + 1),
                n_channels,
            )
            for i, n_channels in enumerate(self.spec.conv_n_filters)
        ]

    def _store_arena(self) -> Arena:
        arena, levels = Arena(), self._levels()
        widths = [col.padded_channels(n, self.precision) for n in (N_CHANNELS, *self.spec.conv_n_filters)]
        n_frames = 2 * levels[0][1] + 5 + MAX_PUSH_FRAMES  # a halving reaches back 2 (new columns + 1) + 2
        arena.add(1, n_frames, self._n_bins + col.N_BINS_PADDING, widths[0])
        for i, (n_phases, n_new, n_bins, _) in enumerate(levels):
            # What the way up reads, and what one visit writes.
            n_ring = max(int(self._bounds[i + 1, 1]) + 1, n_new + N_EDGE) * n_phases
            arena.add(self._n_stems, n_ring + N_EDGE, n_bins + col.N_BINS_PADDING, widths[i + 1])
        for i, (n_phases, _, n_bins, _) in enumerate(levels):
            n_ring = (
                (2 * levels[i + 1][1] + 5) * n_phases if i + 1 < self._depth else 1
            )  # nothing reads the deepest
            arena.add(self._n_stems, n_ring + N_EDGE, n_bins + col.N_BINS_PADDING, widths[i + 1])
        for level in reversed(range(self._depth)):
            n_columns, n_bins = int(self._bounds[level, 1]) + 1, self._n_bins >> level
            n_channels = widths[level] if level else col.padded_channels(1, self.precision)
            arena.add(self._n_stems, n_columns, n_bins + col.N_BINS_PADDING, n_channels)
        return arena

    def _sums_arena(self) -> Arena:
        arena, levels = Arena(), self._levels()
        for n_phases, n_new, n_bins, n_channels in levels:
            arena.add(self._n_stems, (n_new + N_EDGE) * n_phases, n_bins, col.padded_outputs(n_channels))
        for _, _, n_bins, n_channels in levels:
            arena.add(self._n_stems, N_EDGE, n_bins, col.padded_outputs(n_channels))
        for level in reversed(range(1, self._depth)):
            n_columns, n_bins = int(self._bounds[level, 1]) + 1, self._n_bins >> level
            n_sums = col.padded_outputs(self.spec.conv_n_filters[level - 1])
            arena.add(self._n_stems, n_columns, n_bins, n_sums)
        n_columns = int(self._bounds[1, 1]) + 1
        arena.add(self._n_stems, n_columns, self._n_bins // 2, col.padded_outputs(N_TAPS * N_TAPS))
        return arena

    def _silent_frame(self) -> Any:
        """What a silent frame holds in every bin, as it is stored."""
        silent = compress(np.zeros(1, np.float32), self.spec.input_exponent)
        return col.stored_numbers(silent, self.precision)[0]

    def _make_silence(self) -> list[tuple[Stored, ...]]:
        """For every level a final column, raw and active, and the sums of columns 0 and 1, after silence."""
        silence: list[tuple[Stored, ...]] = []
        above = np.zeros_like(self._view(0)[:, 0]).repeat(self._n_stems, axis=0)
        above[:, 1 : self._n_bins + 1, :N_CHANNELS] = self._silent_frame()
        for i in range(self._depth):
            level = tuple(
                np.zeros_like(array)
                for array in (
                    self._view(1 + i)[:, 0],
                    self._view(1 + self._depth + i)[:, 0],
                    *[self._sums.view(self._state.sums, i)[:, 0]] * 2,
                )
            )
            for stem in range(self._n_stems):
                silent_column(
                    self._layers[i], stem, above[stem], self._state.slopes[0], *(part[stem] for part in level)
                )
            silence.append(level)
            above = level[1]
        return silence
