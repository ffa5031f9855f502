"""When the engine sleeps: never past the instant at which something can be due, and never on for ever without."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from rtsep.rest import (
    BREATH_AFTER_S,
    BREATH_S,
    MARGIN_S,
    OVERWORKED_S,
    POLL_S,
    Rest,
)

RATE_HZ = 44100
SPARE_S = st.floats(0.0, 0.02)


class Card:
    """Delivers blocks at a steady rate; `written` is what had come by an instant."""

    def __init__(self, block_samples: int, first_s: float) -> None:
        self._n, self._first_s = block_samples, first_s

    def written(self, now_s: float) -> int:
        return self._n * max(0, int((now_s - self._first_s) * RATE_HZ // self._n) + 1)

    def came_s(self, position: int) -> float:
        """The instant at which this many samples were there."""
        return self._first_s + (-(-position // self._n) - 1) * self._n / RATE_HZ


@given(
    block_samples=st.sampled_from([64, 441, 512, 1024, 2048]),
    first_s=st.floats(0, 0.05),
    update_samples=st.integers(64, 8192),
    spare_s=SPARE_S,
    work_s=st.floats(0, 0.02),
    late_s=st.floats(0, MARGIN_S / 2),
)
def test_nothing_due_is_slept_through(
    block_samples: int, first_s: float, update_samples: int, spare_s: float, work_s: float, late_s: float
) -> None:
    """Whatever is due is taken as soon as by polling, though every sleep ends a little late."""
    card, rest, now_s, position = Card(block_samples, first_s), Rest(spare_s, 0.0), 0.0, 0
    n_sleeps, free_s = 0, 0.0
    while now_s < 1.0:
        looked_s, written = now_s, card.written(now_s)
        if written > position:
            due = (position // update_samples + 1) * update_samples
            is_update = written >= due
            if is_update:  # it had come no longer ago than a poll takes, unless the engine was at work
                slept_since_s = looked_s - max(card.came_s(due), free_s)
                assert slept_since_s <= POLL_S + late_s + 1e-9
            position = written
            now_s += work_s if is_update else 0.0
            now_s += rest.after_work(looked_s, now_s)
            free_s = now_s
        else:
            due_s = (update_samples - position % update_samples) / RATE_HZ
            sleep_s = rest.without_work(looked_s, due_s)
            assert POLL_S <= sleep_s <= max(spare_s, POLL_S)
            now_s += sleep_s + late_s
            n_sleeps += 1
    assert n_sleeps <= 1.0 / POLL_S + 1


@given(looks=st.lists(st.tuples(st.floats(1e-4, 0.01), st.booleans()), min_size=2), due_s=st.floats(0, 0.2))
def test_it_reckons_with_the_earliest_instant_at_which_the_last_samples_can_have_come(
    looks: list[tuple[float, bool]], due_s: float
) -> None:
    rest, now_s, looked, came = Rest(1.0, 0.0), 0.0, 0.0, -math.inf
    for step_s, was_there in looks:
        now_s += step_s
        if was_there:
            came, looked = looked, now_s
            rest.after_work(now_s, now_s)
        else:
            sleep_s = rest.without_work(now_s, due_s)
            assert sleep_s == POLL_S or now_s + sleep_s <= came + due_s - MARGIN_S + 1e-9
            looked = now_s


def test_a_sleep_saves_looks() -> None:
    """Half of an update of four hops lies ahead, and nothing else is to be done: it is slept through in one."""
    rest = Rest(1.0, 0.0)
    rest.without_work(0.0, 0.001)
    rest.after_work(0.001, 0.002)
    rest.after_work(0.002, 0.003)
    assert rest.without_work(0.004, 2048 / RATE_HZ) > 0.03


def test_who_works_on_end_breathes_and_is_told() -> None:
    rest = Rest(0.01, 0.0)
    sleeps = []
    for now_s in itertools.takewhile(lambda s: s < 1.5, itertools.count(0.0, 0.01)):
        sleeps.append(rest.after_work(now_s, now_s + 0.01))
        assert not rest.is_overworked(now_s)
    assert set(sleeps) == {0.0, BREATH_S}
    assert sleeps.count(BREATH_S) >= 1.5 / (BREATH_AFTER_S + 0.011)
    assert rest.is_overworked(OVERWORKED_S + 0.02)
    rest.without_work(2.5, 0.01)
    assert not rest.is_overworked(3.0)
