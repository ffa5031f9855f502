"""The U-Net over one window of frames, both edges in it: what separates whole recordings, segment by segment.

The same layers, products and memory as the streamed form (`rtsep.nets.columns`); only which columns belong together is
simpler. Column j of a level counts from the left, and "same" padding means that what lies outside is left out::

    down  output j  = taps k = 0 .. 4  from inputs 2 j − 1 + k
    up    output m  = taps k = m + 1 − 2 j from inputs j, for 0 <= k <= 4

A level is worked off in chunks of columns whose sums stay in a core's cache. Every thread has columns of its own and
takes whole stems; where there are fewer stems than threads, these share the chunks of one and meet after every level.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit, typeof, types
from numpy.typing import NDArray

from rtsep.digest import digest_of
from rtsep.nets import columns as col
from rtsep.nets.columns import N_TAPS, Arena, Floats, Stored, frames_signature
from rtsep.nets.head import HEAD_REACH, add_head_column, finish_masks, head_numbers
from rtsep.nets.layers import down_layers, flatten, up_layers
from rtsep.nets.product import WORD_BYTES
from rtsep.nets.step import store_frames
from rtsep.nets.team import STOP, Team, compile_apart, end_team, meet, sleep, tell, wait, wake
from rtsep.nets.unet import N_CHANNELS, SeparationNet, compress
from rtsep.stream import Precision

CHUNK_BYTES = 1 << 19
"""Sums that are worked on at a time: half of a large core's second cache."""

LEAST_CHUNK = 4  # what three columns of the last doubling need


class State(NamedTuple):
    """All that compiled code sees.

    `store` has, for all stems, the frames; and for every thread, level by level, what a doubling reads (raw), what the
    next halving reads (active), and the columns of every doubling. `sums` has a chunk of every layer for every thread.
    """

    store: Stored
    store_blocks: NDArray[np.int64]
    sums: Floats
    sums_blocks: NDArray[np.int64]
    layers: NDArray[np.int64]
    numbers: Floats
    slopes: Floats
    head: Floats
    lines: Floats
    masks: Floats
    products: NDArray[np.int64]
    order: NDArray[np.int64]
    board: NDArray[np.int64]
    is_softmax: bool


# --------------------------------------------------------------------------------------- compiled

_inner = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True)  # called by compiled code only


@_inner
def _above(state: State, i: int, home: int, j: int) -> Any:
    """Column j of what the i-th halving reads."""
    depth = len(state.layers) // 2
    return col.column(state.store, state.store_blocks, depth + i if i else 0, home if i else 0, j)


@_inner
def _halve_chunk(state: State, i: int, stem: int, home: int, first: int, end: int, worker: int) -> None:
    """Columns `first` .. `end` of level i + 1."""
    depth, n_stems, layer = len(state.layers) // 2, len(state.masks), state.layers[i]
    n_above, n_outputs = state.masks.shape[2] >> i, state.sums_blocks[i, 3]
    tap_words = layer[col.WORDS] // N_TAPS
    bias = col.vector(state.numbers, layer, n_stems, stem, 0)
    for j in range(first, end):
        col.start(col.column(state.sums, state.sums_blocks, i, worker, j - first), bias, 0, n_outputs)
    table, n = state.products[worker], 0
    for j in range(first, end):
        for k in range(max(0, 1 - 2 * j), min(N_TAPS, n_above + 1 - 2 * j)):
            sums = col.column(state.sums, state.sums_blocks, i, worker, j - first)
            above = _above(state, i, home, 2 * j - 1 + k)
            n = col.add_product(table, n, above, 2, k * tap_words, N_TAPS, sums, 1)
    n_bins = state.sums_blocks[i, 2]
    col.run_products(table[:n], n_bins, layer, stem, 0, layer[col.N_PANELS], state.store.itemsize == 2)
    scale = col.vector(state.numbers, layer, n_stems, stem, 1)
    shift = col.vector(state.numbers, layer, n_stems, stem, 2)
    for j in range(first, end):
        sums = col.column(state.sums, state.sums_blocks, i, worker, j - first)
        raw = col.column(state.store, state.store_blocks, 1 + i, home, j)
        is_read = i + 1 < depth  # nothing reads the deepest
        active = col.column(state.store, state.store_blocks, 1 + depth + i, home, j if is_read else 0)
        col.finish_down(sums, scale, shift, state.slopes[0], 0, n_outputs, raw, active)


@_inner
def _double_chunk(state: State, i: int, stem: int, home: int, first: int, end: int, worker: int) -> None:
    """Columns `first` .. `end` that the i-th doubling makes."""
    depth, n_stems, layer = len(state.layers) // 2, len(state.masks), state.layers[len(state.layers) // 2 + i]
    level, block = depth - i, depth + i
    n_below, n_outputs = state.masks.shape[2] >> level, state.sums_blocks[block, 3]
    tap_words = layer[col.WORDS] // N_TAPS
    n_bins = state.masks.shape[3] >> level
    skip_words = col.tap_words(state.store, state.store_blocks[level, 3])
    bias = col.vector(state.numbers, layer, n_stems, stem, 0)
    for m in range(first, end):
        col.start(col.column(state.sums, state.sums_blocks, block, worker, m - first), bias, 0, n_outputs)
    table, n = state.products[worker], 0
    for m in range(first, end):
        sums = col.column(state.sums, state.sums_blocks, block, worker, m - first)
        for k in range((m + 1) % 2, N_TAPS, 2):
            j = (m + 1 - k) // 2
            if j < 0 or j >= n_below:
                continue
            skip = col.column(state.store, state.store_blocks, level, home, j)
            n = col.add_doubling(table, n, skip, k * tap_words, sums)
            if i > 0:
                below = col.column(state.store, state.store_blocks, 2 * depth + i, home, j)
                n = col.add_doubling(table, n, below, k * tap_words + skip_words, sums)
    col.run_products(table[:n], n_bins, layer, stem, 0, layer[col.N_PANELS], state.store.itemsize == 2)
    scale = col.vector(state.numbers, layer, n_stems, stem, 1)
    shift = col.vector(state.numbers, layer, n_stems, stem, 2)
    for m in range(first, end):
        sums = col.column(state.sums, state.sums_blocks, block, worker, m - first)
        out = col.column(state.store, state.store_blocks, 1 + 2 * depth + i, home, m)
        col.finish_up(sums, scale, shift, state.slopes[1], 0, n_outputs, out)


@_inner
def _double_last_chunk(state: State, stem: int, home: int, first: int, end: int, worker: int) -> None:
    """Columns `first` .. `end` of the last doubling: the products of what lies under them, folded."""
    depth, n_stems, layer = len(state.layers) // 2, len(state.masks), state.layers[len(state.layers) - 1]
    block, n_below = 2 * depth - 1, state.masks.shape[2] >> 1
    first_below, end_below = max(0, (first - N_TAPS + 2) // 2), min(n_below, end // 2 + 1)
    table, n = state.products[worker], 0
    for j in range(first_below, end_below):
        sums = col.column(state.sums, state.sums_blocks, block, worker, j - first_below)
        col.clear(sums, 0, sums.shape[1])
        skip = col.column(state.store, state.store_blocks, 1, home, j)
        n = col.add_product(table, n, skip[1:], 1, 0, 1, sums, 1)
        if depth > 1:
            at = skip.shape[1] * skip.itemsize // WORD_BYTES
            below = col.column(state.store, state.store_blocks, 3 * depth - 1, home, j)
            n = col.add_product(table, n, below[1:], 1, at, 1, sums, 1)
    n_rows = state.sums_blocks[block, 2]
    col.run_products(table[:n], n_rows, layer, stem, 0, layer[col.N_PANELS], state.store.itemsize == 2)
    bias, scale, shift = [col.vector(state.numbers, layer, n_stems, stem, which) for which in range(3)]
    line = state.lines[worker, : 2 * n_rows]
    for m in range(first, end):
        line[:] = np.float32(0)
        for k in range((m + 1) % 2, N_TAPS, 2):
            j = (m + 1 - k) // 2
            if 0 <= j < n_below:
                products = col.column(state.sums, state.sums_blocks, block, worker, j - first_below)
                col.fold(products, k, line)
        out = col.column(state.store, state.store_blocks, 3 * depth, home, m)
        col.finish_last(line, bias, scale, shift, state.slopes[1], out)


@_inner
def _stem(state: State, stem: int, home: int, member: int, n_members: int, worker: int) -> None:
    """The masks of one stem, in the columns of the thread `home`; sums are each worker's own."""
    depth, n_frames = len(state.layers) // 2, state.masks.shape[2]
    for i in range(2 * depth):
        n_columns = n_frames >> (i + 1 if i < depth else 2 * depth - 1 - i)
        most = state.sums_blocks[i, 1] if i < 2 * depth - 1 else 2 * state.sums_blocks[i, 1] - N_TAPS
        chunk = min(most, -(-n_columns // n_members))  # something for everybody
        for first in range(member * chunk, n_columns, n_members * chunk):
            end = min(n_columns, first + chunk)
            if i < depth:
                _halve_chunk(state, i, stem, home, first, end, worker)
            elif i < 2 * depth - 1:
                _double_chunk(state, i - depth, stem, home, first, end, worker)
            else:
                _double_last_chunk(state, stem, home, first, end, worker)
        meet(state.board, member, n_members)
    first, end = col.share(n_frames, member, n_members)
    masks = state.masks[stem, :, first:end]
    masks[:] = 0
    for m in range(max(0, first - HEAD_REACH), min(n_frames, end + HEAD_REACH)):
        seen = col.column(state.store, state.store_blocks, len(state.store_blocks) - 1, home, m)
        add_head_column(state.head[stem], seen, m - first, state.lines[worker], masks)
    finish_masks(state.head[stem], masks, state.is_softmax)


@_inner
def _work(state: State, worker: int) -> None:
    """One thread's share: whole stems as long as there is one for each, then its part of the rest."""
    n_workers = len(state.products)
    n_stems = len(state.masks)
    n_together = n_stems // n_workers * n_workers
    for stem in range(worker, n_together, n_workers):
        _stem(state, stem, worker, 0, 1, worker)
    for stem in range(n_together, n_stems):
        meet(
            state.board, worker, n_workers
        )  # the columns that are shared may be in use for a stem of their own
        _stem(state, stem, 0, worker, n_workers, worker)


def _entry_point(sources: str) -> Any:
    """What all threads enter, compiled once; for `sources` see `rtsep.digest.digest_of`."""

    @njit(error_model="numpy", nogil=True, cache=True)
    def enter(state: State, worker: int) -> None:
        """Worker 0, the caller, carries out the order with all helpers; the others are helpers, for all their life."""
        _ = sources
        if worker == 0:
            wake(state.board)
        while True:
            if worker > 0:
                sleep(state.board, worker)
                if state.order[STOP] != 0:
                    return
            _work(state, worker)  # in one place, or it would be compiled twice
            if worker == 0:
                wait(state.board)
                return
            tell(state.board, worker)

    return enter


_enter = _entry_point(digest_of(__name__))


# ------------------------------------------------------------------------------------------ window


class WindowUNet:
    """Some networks of a model over windows of one size, on a CPU.

    Parameters
    ----------
    net
        The networks, in evaluation mode; their weights are copied.
    instruments
        Which of them to run.
    n_frames, n_bins
        The size of the window, multiples of ``net.spec.time_multiple``.
    precision
        Of weights and columns; sums are float32 always.
    n_threads
        Threads to use.
    """

    def __init__(
        self,
        net: SeparationNet,
        instruments: Sequence[str],
        n_frames: int,
        n_bins: int,
        *,
        precision: Precision = "float32",
        n_threads: int = 1,
    ) -> None:
        nets, spec = [net.unets[name] for name in instruments], net.spec
        self._exponent = spec.input_exponent
        self._layers = [*down_layers(nets, spec, precision), *up_layers(nets, spec, precision)]
        self._team = Team(n_threads)
        store, sums = _arenas(spec.conv_n_filters, len(nets), n_frames, n_bins, n_threads, precision)
        layers, numbers = flatten(self._layers)
        slopes = [col.slope_of(spec.conv_activation), col.slope_of(spec.deconv_activation)]
        most_products = 3 * 4 * int(sums.blocks[:, 1].max())
        self._state = state = State(
            store=store.allocate(col.stored_dtype(precision)),
            store_blocks=store.blocks,
            sums=sums.allocate(np.float32),
            sums_blocks=sums.blocks,
            layers=layers,
            numbers=numbers,
            slopes=np.array(slopes, np.float32),
            head=head_numbers(nets),
            lines=np.zeros((n_threads, n_bins + 2 * HEAD_REACH), np.float32),
            masks=np.zeros((len(nets), N_CHANNELS, n_frames, n_bins), np.float32),
            products=np.zeros((n_threads, most_products, 6), np.int64),
            order=np.zeros(1, np.int64),
            board=self._team.board,
            is_softmax=spec.output == "softmax",
        )
        serving = (typeof(state), types.int64)
        compile_apart((_enter, serving), (store_frames, frames_signature(state.store)))
        self._frames = store.view(state.store, 0)[0]
        self._team.start(lambda worker: _enter(state, worker))
        self._finalizer = weakref.finalize(self, end_team, state.order, self._team)
        self._finalizer.atexit = False  # helpers are daemons

    def close(self) -> None:
        """Let the helpers go; it happens by itself when nobody holds the network any more."""
        self._finalizer()

    def evaluate(self, magnitude: Floats) -> Floats:
        """The networks' masks of a window.

        Parameters
        ----------
        magnitude
            ``(2, frames, bins)`` of the mixture.

        Returns
        -------
        ndarray
            ``(instruments, 2, frames, bins)``, overwritten by the next call.

        Raises
        ------
        ValueError
            The window has another size, or the network is closed.
        """
        expected = self._state.masks.shape[1:]
        if magnitude.shape != expected or not self._finalizer.alive:
            raise ValueError(
                f"a window of {expected} is wanted, of a network that is open; got {magnitude.shape}"
            )
        store_frames(self._frames, np.ascontiguousarray(compress(magnitude, self._exponent)), -1)
        _enter(self._state, 0)
        return col.softmax(self._state.masks) if self._state.is_softmax else self._state.masks


def _arenas(
    filters: tuple[int, ...], n_stems: int, n_frames: int, n_bins: int, n_threads: int, precision: Precision
) -> tuple[Arena, Arena]:
    """Columns and sums, as `State` says."""
    store, sums, depth = Arena(), Arena(), len(filters)
    n_homes = n_threads if n_stems >= n_threads else 1  # fewer stems than threads are all shared
    widths = [col.padded_channels(n, precision) for n in (N_CHANNELS, *filters)]

    def add_columns(n_columns: int, n_slots: int, level: int, n_channels: int) -> None:
        store.add(n_columns, n_slots, (n_bins >> level) + col.N_BINS_PADDING, n_channels)

    def add_sums(level: int, n_outputs: int) -> None:
        n_sums = (n_bins >> level) * col.padded_outputs(n_outputs)
        n_chunk = max(LEAST_CHUNK, min(n_frames >> level, CHUNK_BYTES // (4 * n_sums)))
        sums.add(n_threads, n_chunk, n_bins >> level, col.padded_outputs(n_outputs))

    add_columns(1, n_frames, 0, widths[0])
    for level in range(1, depth + 1):
        add_columns(n_homes, n_frames >> level, level, widths[level])
        add_sums(level, filters[level - 1])
    for level in range(1, depth + 1):
        add_columns(n_homes, n_frames >> level if level < depth else 1, level, widths[level])
    for level in reversed(range(depth)):
        add_columns(
            n_threads, n_frames >> level, level, widths[level] if level else col.padded_channels(1, precision)
        )
        if level:
            add_sums(level, filters[level - 1])
        else:
            add_sums(1, N_TAPS * N_TAPS)
    return store, sums
