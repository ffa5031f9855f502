"""How often the networks of a running stream say what they think: watched, and changed without a gap.

A stream that is `reach` hops late may use them as it likes: U hops from one update to the next, the others to look
ahead. Small updates see more of the future and cost more. So a stream starts with the smallest; when its updates come
to need too much of their time, it moves to the next larger size, giving up lookahead, and back when there is time::

    reach 8:    update 1, lookahead 7    update 2, lookahead 6    update 4, lookahead 4    update 8, lookahead 0

The latency stays what it is. At every update the size of the next one is known, and so many columns of masks are made
as will be played until then. In between the networks only see the new frames, at the grid of the smallest update and a
quarter of its cost, so that they can return to any size at once, and no update is a much bigger burst than another.
"""

from __future__ import annotations

MOST_LOAD = 0.7  # of the deadline, in a single update: the next one may be the late one
GOOD_LOAD = 0.35  # that the smaller update would have
PATIENCE_S = 2.0  # for so long, before it is tried


class Pace:
    """The sizes that a stream may use, and when it moves between them.

    Attributes
    ----------
    update_hops
        The size now; 0 before a stream has begun with it.
    n_moves
        How often it was changed.
    """

    def __init__(self) -> None:
        self._sizes: tuple[int, ...] = ()
        self._calm_s = 0.0
        self.update_hops = 0
        self.n_moves = 0

    def begin(self, update_hops: int, reach_hops: int) -> None:
        """The smallest update, and the sum of update and lookahead."""
        sizes = [update_hops]
        while sizes[-1] * 2 <= reach_hops:
            sizes.append(sizes[-1] * 2)
        self._sizes, self._calm_s, self.update_hops = tuple(sizes), 0.0, update_hops

    @property
    def sizes(self) -> tuple[int, ...]:
        """The updates that may come, in hops, from the smallest."""
        return self._sizes

    @property
    def largest_hops(self) -> int:
        """The largest update that may come."""
        return self._sizes[-1]

    def following(self, work_s: float, hop_s: float) -> int:
        """The size of the next update, after one that took so long."""
        here, deadline_s = self._sizes.index(self.update_hops), self.update_hops * hop_s
        if work_s > MOST_LOAD * deadline_s:
            self._calm_s = 0.0
            self._move(min(here + 1, len(self._sizes) - 1))
        elif here > 0 and work_s < GOOD_LOAD * self._sizes[here - 1] * hop_s:
            self._calm_s += deadline_s
            if self._calm_s >= PATIENCE_S:
                self._calm_s = 0.0
                self._move(here - 1)
        else:
            self._calm_s = 0.0
        return self.update_hops

    def forget(self) -> None:
        """What was counted so far was a warm-up."""
        self.n_moves = 0

    def _move(self, place: int) -> None:
        if self._sizes[place] != self.update_hops:
            self.update_hops = self._sizes[place]
            self.n_moves += 1


class Steady(Pace):
    """A pace that never changes: the same output, however busy the machine is."""

    def begin(self, update_hops: int, reach_hops: int) -> None:
        """Only the update that was asked for."""
        super().begin(update_hops, update_hops)
