"""A step of the U-Net over an endless stream: the masks of the full window for the price of what is new.

A window of 512 frames that slides on by one shares all but a few columns with the one before. Which ones, and why, can
be checked with a pencil. Count columns from the right edge: d = 0 is the newest of a level, in the window that ends
with frame n; at level l columns are 2^l frames apart, so column d stands for frame p = n − 2^l d.

**Down.** With "same" padding, output j sees inputs 2j − 1 .. 2j + 3. Counted from the right edge, with tap k = 0 .. 4::

    output d sees inputs  2d + 2 − k  of the level above;  below 0 lies the padding: zeros

In frames this is ``p + (k − 2) 2^(l−1)``: it does not depend on n. So a column is the same in every window in which
the padding does not reach it, and can be kept. The padding reaches d = 0 of level 1 (taps 3, 4), and at every level
below what sees an input that it reaches: d = 0 sees inputs 2, 1, 0, and d = 1 sees 4 .. 0, but d = 2 sees 6 .. 2. Hence

    d ≥ 2 is final at every level;  d = 0 and 1, the *edge*, belong to this window alone.

The left edge lies at d = 512 / 2^l − 1. Nothing wanted sees it: d of level l + 1 needs at most 2d + 2 of level l, so
from d = 4 at level 6 (lookahead 128, 16 columns wanted) down to the input it is frame 382.

**A column gathers its taps.** Tap k of column d has a final input if 2d + 2 − k ≥ 2, that is k ≤ 2d. So a column's sum
is kept, and grows each time its phase (n mod 2^l) comes round::

    d = 0   tap 0;         the edge column is that sum and taps 1, 2 from edge columns 1, 0
    d = 1   taps 1, 2;     the edge column is that sum and taps 3, 4 from edge columns 1, 0
    d = 2   taps 3, 4;     final: kept raw for the way up, and after norm and activation for the way down

Thirteen column-taps would be needed for three columns made anew; these are nine. No tap is computed twice for a final
column, and the full window's zeros are never multiplied.

**Up.** The transpose, by the parity of the wanted column e of level l − 1 (d − 1 below 0 is padding)::

    e = 2d       from inputs  d + 1 (tap 4),  d (tap 2),  d − 1 (tap 0)
    e = 2d + 1   from inputs  d + 1 (tap 3),  d (tap 1)

so the columns a .. b of a level need  a // 2 − (a even) .. b // 2 + 1  of the level below. The last layer, four taps
two frames apart, needs L − 3 .. L + U + 2 for U wanted columns, L frames back. For L = 0, U = 1 that is 0 .. 3 at the
top and 0 .. 2 at every level: the edge, and one final column.

**Fewer updates.** If windows end only at every g-th frame (the *grid*, a power of two), a level has 2^l / g phases,
or, if 2^l ≤ g, a single one that moves on by m = g / 2^l columns at a time. Column d had distance d − m the last time.

**Catching up** is the same without edges and without the way up: 5 column-taps a level.

Per frame, for Spleeter's widths: 6.1 GMAC the window of 512; 0.40 the step; 0.10 catching up.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rtsep.digest import digest_of
from rtsep.nets import columns as col
from rtsep.nets.columns import N_TAPS, Floats, Stored
from rtsep.nets.head import HEAD_REACH, add_head_column, finish_masks
from rtsep.nets.product import WORD_BYTES
from rtsep.nets.team import STOP, meet, sleep, tell, wait, wake

MAX_PUSH_FRAMES = 64
"""Frames that one call of compiled code takes."""

N_EDGE = 2

FIRST_FRAME, N_VISITS, N_WANTED, AHEAD = range(STOP + 1, STOP + 5)
"""Words of an order to the team."""


class State(NamedTuple):
    """All that compiled code sees; D is the depth.

    `store` holds the columns that products read. Its blocks: the frames (of all stems), then for every level what a
    doubling reads (raw), then what the next halving reads (active), then the columns of every doubling, the newest
    first. The last two slots of raw and active are the edge. `sums` holds what products add to. Its blocks: for every
    level the sums that still gather taps (pending), then the edge's, then those of every doubling;
    of the last one, the products that are folded.
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
    bounds: NDArray[np.int64]
    products: NDArray[np.int64]
    order: NDArray[np.int64]
    board: NDArray[np.int64]
    grid_shift: int
    is_softmax: bool


# --------------------------------------------------------------------------------------- compiled

_inner = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True)  # called by compiled code only


@_inner
def _slot(frame: int, d: int, level: int, grid_shift: int, n_slots: int) -> int:
    """Where column d of a level lies in a ring, in the window that ends with this frame."""
    return ((frame - (d << level)) >> min(level, grid_shift)) % n_slots


@_inner
def _level_column(state: State, block: int, stem: int, frame: int, d: int, level: int) -> Any:
    """Column d of a level, raw or active; level 0 are the frames, which all stems share and which have no edge."""
    if level == 0:
        slot = _slot(frame, d, 0, state.grid_shift, state.store_blocks[0, 1])
        return col.column(state.store, state.store_blocks, 0, 0, slot)
    n_ring = state.store_blocks[block, 1] - N_EDGE
    slot = n_ring + d if d < N_EDGE else _slot(frame, d, level, state.grid_shift, n_ring)
    return col.column(state.store, state.store_blocks, block, stem, slot)


@_inner
def _pending(state: State, i: int, stem: int, frame: int, d: int) -> Any:
    """The sums of column d of level i + 1."""
    slot = _slot(frame, d, i + 1, state.grid_shift, state.sums_blocks[i, 1])
    return col.column(state.sums, state.sums_blocks, i, stem, slot)


@_inner
def _n_done(d: int) -> int:
    """How many taps of column d have final inputs."""
    return min(N_TAPS, 2 * d + 1) if d >= 0 else 0


@_inner
def _halving_products(state: State, i: int, stem: int, frame: int, wants_edge: bool, table: Any) -> int:
    """The products that bring level i + 1 up to date, tap by tap; how many there are."""
    depth = len(state.layers) // 2
    n_new = max(1, (1 << state.grid_shift) >> (i + 1))
    tap_words = state.layers[i, col.WORDS] // N_TAPS
    n = 0
    for k in range(N_TAPS):
        for d in range(n_new + N_EDGE):
            if _n_done(d - n_new) <= k < _n_done(d):
                source = _level_column(state, depth + i, stem, frame, 2 * d + 2 - k, i)
                target = _pending(state, i, stem, frame, d)
                n = col.add_product(table, n, source, 2, k * tap_words, N_TAPS, target, 1)
        if wants_edge and k > 0:
            d = (k - 1) // 2  # taps 1, 2 of column 0 and taps 3, 4 of column 1
            source = _level_column(state, depth + i, stem, frame, 2 * d + 2 - k, i)
            target = col.column(state.sums, state.sums_blocks, depth + i, stem, d)
            n = col.add_product(table, n, source, 2, k * tap_words, N_TAPS, target, 1)
    return n


@_inner
def _halve(
    state: State, i: int, stem: int, frame: int, wants_edge: bool, member: int, n_members: int, table: Any
) -> None:
    """Bring level i + 1 up to date with the level above it."""
    depth, n_stems, layer = len(state.layers) // 2, len(state.masks), state.layers[i]
    n_new = max(1, (1 << state.grid_shift) >> (i + 1))
    first, end = col.share(layer[col.N_PANELS], member, n_members)
    left, right = first * layer[col.WIDTH], end * layer[col.WIDTH]  # this member's outputs
    bias = col.vector(state.numbers, layer, n_stems, stem, 0)
    for d in range(n_new):
        col.start(_pending(state, i, stem, frame, d), bias, left, right)
    for d in range(N_EDGE):
        col.clear(col.column(state.sums, state.sums_blocks, depth + i, stem, d), left, right)
    n = _halving_products(state, i, stem, frame, wants_edge, table)
    n_rows = state.sums_blocks[i, 2]
    col.run_products(table[:n], n_rows, layer, stem, first, end, state.store.itemsize == 2)
    scale = col.vector(state.numbers, layer, n_stems, stem, 1)
    shift = col.vector(state.numbers, layer, n_stems, stem, 2)
    for d in range(0 if wants_edge else N_EDGE, n_new + N_EDGE):
        sums = _pending(state, i, stem, frame, d)
        if d < N_EDGE:
            edge = col.column(state.sums, state.sums_blocks, depth + i, stem, d)
            col.add(edge, sums, left, right)
            sums = edge
        raw = _level_column(state, 1 + i, stem, frame, d, i + 1)
        active = _level_column(state, 1 + depth + i, stem, frame, d, i + 1)
        col.finish_down(sums, scale, shift, state.slopes[0], left, right, raw, active)
    meet(state.board, member, n_members)


@_inner
def _doubling_products(state: State, i: int, stem: int, frame: int, table: Any) -> int:
    """The products of the i-th doubling, tap by tap; how many there are."""
    depth = len(state.layers) // 2
    level = depth - i
    tap_words = state.layers[depth + i, col.WORDS] // N_TAPS
    skip_words = col.tap_words(state.store, state.store_blocks[level, 3])
    first, n = state.bounds[level - 1, 0], 0
    for k in range(N_TAPS):
        for e in range(first, state.bounds[level - 1, 1] + 1):
            d = e // 2 + (k + e % 2) // 2 - 1
            if (e + k) % 2 or d < 0:
                continue
            sums = col.column(state.sums, state.sums_blocks, 2 * depth + i, stem, e - first)
            skip = _level_column(state, level, stem, frame, d, level)
            n = col.add_doubling(table, n, skip, k * tap_words, sums)
            if i > 0:
                slot = d - state.bounds[level, 0]
                below = col.column(state.store, state.store_blocks, 2 * depth + i, stem, slot)
                n = col.add_doubling(table, n, below, k * tap_words + skip_words, sums)
    return n


@_inner
def _double(state: State, i: int, stem: int, frame: int, member: int, n_members: int, table: Any) -> None:
    """The i-th doubling: the wanted columns of the level above, from skips and from the columns below."""
    depth, n_stems = len(state.layers) // 2, len(state.masks)
    level, layer = depth - i, state.layers[depth + i]
    n_columns = state.bounds[level - 1, 1] + 1 - state.bounds[level - 1, 0]
    first, end = col.share(layer[col.N_PANELS], member, n_members)
    left, right = first * layer[col.WIDTH], end * layer[col.WIDTH]  # this member's outputs
    bias = col.vector(state.numbers, layer, n_stems, stem, 0)
    for e in range(n_columns):
        sums = col.column(state.sums, state.sums_blocks, 2 * depth + i, stem, e)
        col.start(sums, bias, left, right)
    n = _doubling_products(state, i, stem, frame, table)
    n_rows = state.store_blocks[level, 2] - col.N_BINS_PADDING
    col.run_products(table[:n], n_rows, layer, stem, first, end, state.store.itemsize == 2)
    scale = col.vector(state.numbers, layer, n_stems, stem, 1)
    shift = col.vector(state.numbers, layer, n_stems, stem, 2)
    for e in range(n_columns):
        sums = col.column(state.sums, state.sums_blocks, 2 * depth + i, stem, e)
        out = col.column(state.store, state.store_blocks, 1 + 2 * depth + i, stem, e)
        col.finish_up(sums, scale, shift, state.slopes[1], left, right, out)
    meet(state.board, member, n_members)


@_inner
def _last_products(state: State, stem: int, frame: int, first: int, end: int, table: Any) -> int:
    """The products of columns `first` .. `end` of level 1 with all taps of the last doubling."""
    depth, i = len(state.layers) // 2, len(state.layers) // 2 - 1
    n = 0
    for d in range(first, end):
        slot = d - state.bounds[1, 0]
        sums = col.column(state.sums, state.sums_blocks, 2 * depth + i, stem, slot)
        col.clear(sums, 0, sums.shape[1])
        skip = _level_column(state, 1, stem, frame, d, 1)
        n = col.add_product(table, n, skip[1:], 1, 0, 1, sums, 1)
        if i > 0:
            at = skip.shape[1] * skip.itemsize // WORD_BYTES
            below = col.column(state.store, state.store_blocks, 2 * depth + i, stem, slot)
            n = col.add_product(table, n, below[1:], 1, at, 1, sums, 1)
    return n


@_inner
def _double_last(state: State, stem: int, frame: int, member: int, n_members: int, table: Any) -> None:
    """The last doubling: the products of all columns of level 1, folded into those of level 0."""
    depth, n_stems = len(state.layers) // 2, len(state.masks)
    layer, block = state.layers[2 * depth - 1], 3 * depth - 1
    first, end = col.share(state.bounds[1, 1] + 1 - state.bounds[1, 0], member, n_members)
    n = _last_products(state, stem, frame, first + state.bounds[1, 0], end + state.bounds[1, 0], table)
    n_rows = state.sums_blocks[block, 2]
    col.run_products(table[:n], n_rows, layer, stem, 0, layer[col.N_PANELS], state.store.itemsize == 2)
    meet(state.board, member, n_members)
    if member > 0:
        return
    bias, scale, shift = [col.vector(state.numbers, layer, n_stems, stem, which) for which in range(3)]
    line = state.lines[stem, : 2 * n_rows]
    for e in range(state.bounds[0, 0], state.bounds[0, 1] + 1):
        line[:] = np.float32(0)
        for k in range(e % 2, N_TAPS, 2):
            d = e // 2 + (k + e % 2) // 2 - 1
            if d >= 0:
                products = col.column(state.sums, state.sums_blocks, block, stem, d - state.bounds[1, 0])
                col.fold(products, k, line)
        out = col.column(state.store, state.store_blocks, 3 * depth, stem, e - state.bounds[0, 0])
        col.finish_last(line, bias, scale, shift, state.slopes[1], out)


@_inner
def _masks(state: State, stem: int) -> None:
    """The last layer over the columns of the last doubling."""
    n_wanted, top = state.order[N_WANTED], len(state.store_blocks) - 1
    masks = state.masks[stem, :, :n_wanted]
    masks[:] = 0
    for e in range(state.bounds[0, 0], state.bounds[0, 1] + 1):
        seen = col.column(state.store, state.store_blocks, top, stem, e - state.bounds[0, 0])
        last = n_wanted - 1 - (e - state.order[AHEAD])
        add_head_column(state.head[stem], seen, last, state.lines[stem], masks)
    finish_masks(state.head[stem], masks, state.is_softmax)


@_inner
def _stem(state: State, stem: int, member: int, n_members: int, table: Any) -> None:
    """Everything that an order wants of one stem."""
    order, depth = state.order, len(state.layers) // 2
    frame = order[FIRST_FRAME]
    for visit in range(order[N_VISITS]):
        frame += 1 << state.grid_shift
        wants_edge = order[N_WANTED] > 0 and visit == order[N_VISITS] - 1
        for i in range(depth):
            _halve(state, i, stem, frame, wants_edge, member, n_members, table)
    if order[N_WANTED] > 0:
        for i in range(depth - 1):
            _double(state, i, stem, frame, member, n_members, table)
        _double_last(state, stem, frame, member, n_members, table)
        if member == 0:
            _masks(state, stem)


@_inner
def _work(state: State, worker: int) -> None:
    """One thread's share: whole stems as long as there is one for each, then its part of the rest."""
    n_workers, n_stems = len(state.products), len(state.masks)
    n_together = n_stems // n_workers * n_workers
    for stem in range(worker, n_together, n_workers):
        _stem(state, stem, 0, 1, state.products[worker])
    for stem in range(n_together, n_stems):
        _stem(state, stem, worker, n_workers, state.products[worker])


def _entry_point(sources: str) -> Any:
    """What all threads enter, compiled once; for `sources` see `rtsep.digest.digest_of`.

    `rtsep.nets.window` has the same lines: to close over what differs, `_work`, would give numba a new key each time.
    """

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


enter = _entry_point(digest_of(__name__))


# Keeps the interpreter's lock: a push lets go of it only once, in `enter`.
@njit(error_model="numpy", cache=True)
def store_frames(ring: Any, magnitude: Any, first: int) -> None:
    """New frames ``(2, n, bins)`` into the ring ``(slots, rows, channels)``; `first` have been there before."""
    for j in range(magnitude.shape[1]):
        frame = ring[(first + 1 + j) % len(ring)]
        for c in range(magnitude.shape[0]):
            for f in range(magnitude.shape[2]):
                frame[f + 1, c] = col.as_stored(frame, magnitude[c, j, f])


def wanted_bounds(depth: int, n_wanted: int, lookahead_frames: int) -> NDArray[np.int64]:
    """First and last column of every level, from the top, that the way up must have; see the module's docstring."""
    first, last = max(0, lookahead_frames - HEAD_REACH), lookahead_frames + n_wanted - 1 + HEAD_REACH
    bounds = [(first, last)]
    for _ in range(depth):
        first, last = max(0, first // 2 - (first % 2 == 0)), last // 2 + 1
        bounds.append((first, last))
    return np.array(bounds, np.int64)
