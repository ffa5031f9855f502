"""The streamed U-Net for a GPU: exact, several streams at once, and the same few operations at every step.

Why a step suffices is derived in `rtsep.nets.step`: columns of age 2 and more are final, those of age 0 and 1 belong to
the window that ends now. There a column gathers its taps over several steps; here, where products are cheap and
launches are not, every level makes its new columns from all they see::

    with m new columns, ages 0 .. m + 1  from ages 0 .. 2 m + 4 of the level above, and two columns of padding
    to catch up:        ages 2 .. m + 1  from ages 2 .. 2 m + 4

With a grid of g frames, a level l has m = max(1, g / 2^l) new columns a visit and p = max(1, 2^l / g) phases, and the
column of age d lies in a ring of R slots at ``(m · visits − p · d) mod R``. A visit counter on the device, advanced by
the step itself, makes the slots of all levels at once: no number of the host's enters, so a recorded step (a CUDA
graph) serves all phases. Behind its ring a level has two slots for the edge, ages 0 and 1, and one that stays zero:
padding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from rtsep.nets.device.ascent import Ascent, stream_places
from rtsep.nets.device.layers import N_TAPS_DOWN, Networks

N_EDGE = 2
DOWN_PADDING = (1, 2)  # bins before and after
UP_PADDING = (1, 1)


class Slots:
    """Places in rings, as functions of the number of visits.

    Parameters
    ----------
    device
        Where they are going to be needed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._terms: list[tuple[int, int, int]] = []

    def add(self, terms: Iterable[tuple[int, int, int]]) -> slice:
        """Room for slots ``(a · visits + b) mod c``; where they are going to be."""
        first = len(self._terms)
        self._terms += terms
        return slice(first, len(self._terms))

    def finish(self) -> None:
        """All are there."""
        a, b, c = torch.tensor(self._terms, dtype=torch.int64, device=self._device).T.contiguous()
        self._a, self._b, self._c = a, b, c

    def now(self, visits: Tensor) -> Tensor:
        """All slots."""
        return torch.remainder(torch.addcmul(self._b, self._a, visits), self._c)


@dataclass(frozen=True, eq=False)
class Ring:
    """Columns of a level, found by age.

    Parameters
    ----------
    store
        ``(stems, slots + edge + 1, decks, bins + padding, channels)``.
    padding
        Bins of zeros before and after.
    n_new, n_phases
        New columns a visit; visits until a phase comes again.
    n_edge
        Ages that are not in the ring, for they belong to one visit only.
    """

    store: Tensor
    padding: tuple[int, int]
    n_new: int
    n_phases: int
    n_edge: int

    def terms(self, ages: Iterable[int]) -> list[tuple[int, int, int]]:
        """Slots of columns, for `Slots`; below age 0 is padding."""
        n_slots = self.store.shape[1] - self.n_edge - 1
        fixed = {age: (0, n_slots + age, n_slots + age + 1) for age in range(self.n_edge)}
        zero = n_slots + self.n_edge
        fixed[-1] = (0, zero, zero + 1)
        return [fixed.get(max(age, -1), (self.n_new, -age * self.n_phases, n_slots)) for age in ages]

    @property
    def bins(self) -> Tensor:
        """The store without its padding."""
        before, after = self.padding
        return self.store[:, :, :, before : self.store.shape[3] - after]


class StreamedNetworks:
    """Some networks of a model over endless streams.

    Parameters
    ----------
    networks
        The layers.
    n_bins, n_decks
        Of the input.
    grid_hops
        Windows end at multiples of so many frames: a power of two.
    reach_frames
        The largest sum of wanted columns and lookahead.
    wanted
        All pairs of wanted columns and lookahead that are going to be asked for.
    silent
        What a silent frame holds in every bin.
    """

    def __init__(
        self,
        networks: Networks,
        n_bins: int,
        n_decks: int,
        grid_hops: int,
        wanted: Iterable[tuple[int, int]],
        silent: float,
    ) -> None:
        self._networks, self._grid, self._n_decks = networks, grid_hops, n_decks
        self._ascents = {
            pair: Ascent(networks, n_bins, n_decks, stream_places(networks.depth, *pair), *pair)
            for pair in wanted
        }
        self._visits = torch.zeros((), dtype=torch.int64, device=networks.device)
        self._make_rings(n_bins)
        self._make_slots()
        self._silence = self._silent_columns(silent)
        self.reset()

    def reset(self) -> None:
        """The past is silence: all columns are as silent frames leave them."""
        self._visits.zero_()
        for ring, silence in zip((*self._active, *self._raw[1:]), self._silence, strict=True):
            n_slots = ring.store.shape[1] - ring.n_edge - 1
            ring.bins[:, :n_slots] = silence

    def push(self, columns: Tensor, wanted: tuple[int, int] | None) -> Tensor | None:
        """Take new columns of all decks.

        Parameters
        ----------
        columns
            ``(decks, 2, n, bins)`` as the first layer sees them, n a multiple of the grid.
        wanted
            Columns that are wanted and how many newer ones there are; None: the columns only count as seen.

        Returns
        -------
        Tensor or None
            ``(stems, decks, 2, wanted, bins)``, logits in float32.
        """
        n_new = columns.shape[2]
        for first in range(0, n_new, self._grid):
            is_last = first + self._grid == n_new
            self._visit(columns[:, :, first : first + self._grid], wanted if is_last else None)
        return None if wanted is None else self._logits(wanted)

    def _visit(self, columns: Tensor, wanted: tuple[int, int] | None) -> None:
        """Down, from the frames to the deepest level; without the edge if nothing is wanted."""
        self._visits += 1
        slots = self._slots.now(self._visits)
        frames = columns.permute(2, 0, 3, 1)[None].to(self._networks.kind)
        self._active[0].bins.index_copy_(1, slots[self._writes[0]], frames)
        n_left = 0 if wanted else N_EDGE
        for i in range(self._networks.depth):
            seen = self._active[i].store.index_select(1, slots[self._reads[i]][2 * n_left :])
            raw, active = self._networks.halve(i, seen)
            places = slots[self._writes[i + 1]][n_left:]
            self._raw[i + 1].bins.index_copy_(1, slots[self._raw_writes[i + 1]][n_left:], raw)
            if active is not None:
                self._active[i + 1].bins.index_copy_(1, places, active)

    def _logits(self, wanted: tuple[int, int]) -> Tensor:
        """Up, in the window that ends with the newest frame."""
        slots, ascent = self._slots.now(self._visits), self._ascents[wanted]

        def raw(level: int) -> Tensor:
            return self._raw[level].store.index_select(1, slots[self._raw_reads[wanted, level]])

        return ascent.logits(raw)

    # ---------------------------------------------------------------------------- what is made once

    def _make_rings(self, n_bins: int) -> None:
        depth = self._networks.depth
        self._news = [max(1, self._grid >> level) for level in range(depth + 1)]
        self._active: list[Ring] = []
        self._raw: list[Ring] = []
        for level in range(depth + 1):
            oldest_seen = 2 * self._news[level + 1] + 4 if level < depth else 0
            oldest_raw = max(a.needed(level)[-1] for a in self._ascents.values()) if level else 0
            if level < depth:
                self._active.append(self._ring(level, n_bins, oldest_seen, DOWN_PADDING))
            self._raw.append(self._ring(level, n_bins, oldest_raw, UP_PADDING))

    def _ring(self, level: int, n_bins: int, oldest: int, padding: tuple[int, int]) -> Ring:
        """One that keeps columns up to an age."""
        n_new, n_phases, n_edge = (
            self._news[level],
            max(1, (1 << level) // self._grid),
            N_EDGE if level else 0,
        )
        n_slots = max((oldest - n_edge) * n_phases + 1, n_new)
        n_stems = self._networks.n_stems if level else 1
        width = self._networks.widths[level]
        shape = (n_stems, n_slots + n_edge + 1, self._n_decks, (n_bins >> level) + sum(padding), width)
        return Ring(self._networks.zeros(*shape), padding, n_new, n_phases, n_edge)

    def _make_slots(self) -> None:
        depth, slots = self._networks.depth, Slots(self._networks.device)
        # Of the frames the oldest comes first; of everything else the newest.
        ages = [range(self._grid - 1, -1, -1), *(range(n_new + N_EDGE) for n_new in self._news[1:])]
        self._writes = [slots.add(ring.terms(ages[level])) for level, ring in enumerate(self._active)]
        self._writes.append(slice(0, 0))  # nothing reads the deepest
        self._raw_writes = [
            slots.add(ring.terms(ages[level])) if level else slice(0, 0)
            for level, ring in enumerate(self._raw)
        ]
        self._reads = [
            slots.add(ring.terms(range(-2, 2 * self._news[level + 1] + 5)))
            for level, ring in enumerate(self._active)
        ]
        self._raw_reads = {
            (pair, level): slots.add(self._raw[level].terms(ascent.needed(level)))
            for pair, ascent in self._ascents.items()
            for level in range(1, depth + 1)
        }
        slots.finish()
        self._slots = slots

    def _silent_columns(self, silent: float) -> list[Tensor]:
        """What endless silence leaves at every level: active from the frames down, then raw from level 1."""
        frames = self._active[0].bins[:1, :1].clone()
        frames[:] = silent
        active, raws = [frames], []
        for i in range(self._networks.depth):
            store = self._active[i].store
            above = store.new_zeros(active[-1].shape[0], N_TAPS_DOWN, *store.shape[2:])
            above[:, :, :, DOWN_PADDING[0] : -DOWN_PADDING[1]] = active[-1]
            raw, after = self._networks.halve(i, above)
            raws.append(raw)
            if after is not None:
                active.append(after)
        return [*active, *raws]
