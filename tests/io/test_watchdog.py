"""When a card is lost: the position stands still for long enough, and never otherwise."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.errors import CardLostError
from rtsep.io.watchdog import LOOK_S, START_S, STILL_BLOCKS, STILL_S, Watchdog

RUNS = st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 150)), max_size=8)


@given(runs=RUNS, block_s=st.sampled_from([0.0, 0.02, 0.5]))
def test_it_is_lost_when_it_stood_still_for_so_many_looks(
    runs: list[tuple[int, int]], block_s: float
) -> None:
    """`runs`: how far the card moves, and for how many looks it is seen there."""
    places = list(itertools.accumulate((step for step, _ in runs), initial=0))
    seen = [0] + [place for place, (_, n) in zip(places[1:], runs, strict=True) for _ in range(n)]
    looks = iter(seen)
    watchdog = Watchdog(lambda: next(looks), block_s)
    patience = max(STILL_S, STILL_BLOCKS * block_s) / LOOK_S
    is_lost = False
    for n, place in enumerate(seen[1:], 1):
        watchdog.look()
        n_same = sum(1 for _ in itertools.takewhile(lambda other, now=place: other == now, seen[n::-1])) - 1
        is_lost = is_lost or n_same >= patience
        assert (watchdog.error is not None) == is_lost


def test_it_is_patient_with_a_card_that_only_starts() -> None:
    watchdog = Watchdog(lambda: 0, 0.0)
    for _ in range(round(START_S / LOOK_S) - 1):
        watchdog.look()
    assert watchdog.error is None
    watchdog.look()
    assert isinstance(watchdog.error, CardLostError)
    assert time.monotonic() - watchdog.error.since_s == pytest.approx(START_S, abs=1)


def test_it_looks_by_itself_until_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtsep.io.watchdog.LOOK_S", 0.001)
    places = itertools.chain(range(50), itertools.repeat(50))
    watchdog = Watchdog(lambda: next(places), 0.0)
    watchdog.run(threading.Event())  # returns, though nobody stops it
    assert watchdog.error is not None
    assert next(places) == 50


def test_a_card_that_calls_is_seen_to_move() -> None:
    places = itertools.chain([7] * 5, itertools.repeat(8))
    assert Watchdog(lambda: next(places), 0.0).sees_a_move()
    assert not Watchdog(lambda: 7, 0.0).sees_a_move()
