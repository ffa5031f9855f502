"""When updates change their size, and that nothing is heard of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import whole_window
from tiny_separator import Transparent, cut, make_card, make_net, noise

from rtsep.arithmetic import MaskPlan
from rtsep.nets.runner import Effort, Runner, Window, choose_device, open_runner
from rtsep.pace import GOOD_LOAD, MOST_LOAD, PATIENCE_S, Pace, Steady
from rtsep.spectral import choose_tapers, host_stream
from rtsep.zoo import ModelCard, NetworkCard

HOP_S = 1024 / 44100


def begun(update_hops: int, reach_hops: int) -> Pace:
    pace = Pace()
    pace.begin(update_hops, reach_hops)
    return pace


def test_updates_that_need_too_much_of_their_time_become_larger() -> None:
    pace = begun(1, 8)
    sizes = [pace.following(1.1 * MOST_LOAD * pace.update_hops * HOP_S, HOP_S) for _ in range(5)]
    assert sizes == [2, 4, 8, 8, 8]
    assert pace.n_moves == 3


def test_they_become_smaller_when_there_was_time_for_long() -> None:
    pace = begun(2, 8)
    pace.following(2 * HOP_S, HOP_S)
    assert pace.update_hops == 4
    calm_s = 0.9 * GOOD_LOAD * 2 * HOP_S
    n_updates = 0
    while pace.update_hops == 4:
        pace.following(calm_s, HOP_S)
        n_updates += 1
    assert pace.update_hops == 2
    assert PATIENCE_S <= n_updates * 4 * HOP_S < PATIENCE_S + 4 * HOP_S
    assert pace.following(0.0, HOP_S) == 2  # and no smaller than what was asked for


def test_a_single_busy_moment_starts_the_wait_anew() -> None:
    pace = begun(1, 2)
    pace.following(HOP_S, HOP_S)
    for _ in range(3):
        for _ in range(int(PATIENCE_S / (2 * HOP_S)) - 1):
            assert pace.following(0.0, HOP_S) == 2
        pace.following(0.5 * HOP_S, HOP_S)  # more than the smaller update could stand
    assert pace.n_moves == 1


@given(st.integers(1, 16), st.integers(0, 64), st.lists(st.floats(0, 2), max_size=60))
def test_an_update_and_its_lookahead_are_the_reach(update: int, lookahead: int, loads: list[float]) -> None:
    pace = begun(update, update + lookahead)
    for load in loads:
        hops = pace.following(load * pace.update_hops * HOP_S, HOP_S)
        assert update <= hops <= min(pace.largest_hops, update + lookahead)
        assert hops % update == 0


def test_a_steady_pace_stays() -> None:
    pace = Steady()
    pace.begin(2, 16)
    assert [pace.following(10.0, HOP_S) for _ in range(3)] == [2, 2, 2]
    assert pace.n_moves == 0


class Scripted(Pace):
    """Changes at random, as often as it can."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = np.random.default_rng(seed)

    def following(self, work_s: float, hop_s: float) -> int:
        self._move(int(self._rng.integers(len(self._sizes))))
        return self.update_hops


@pytest.mark.parametrize("size", [1, 700, 1024, 0])
@pytest.mark.parametrize(("update", "lookahead"), [(1, 7), (2, 2), (3, 9)])
def test_no_change_is_heard_through_a_transparent_model(update: int, lookahead: int, size: int) -> None:
    card = ModelCard(
        name="glass", stems=("all",), network=NetworkCard(instruments=("all",)), extension="average"
    )
    plan, pace = MaskPlan(card, "direct", "average", ("all",)), Scripted(update)
    window = Window(None, update, lookahead)
    stream = host_stream(card, plan, choose_tapers(card, None), window, Transparent(), pace)  # type: ignore[arg-type]
    late = 4096 + 1024 * (update + lookahead - 1)
    assert stream.latency_samples == late
    mixture = noise(9000 if size == 1 else 60_000)
    got = np.concatenate([*(stream.process(part) for part in cut(mixture, size)), stream.flush()], axis=2)
    assert pace.n_moves >= 2
    assert not got[0, :, :late].any()
    np.testing.assert_allclose(got[0, :, late:], mixture, rtol=0, atol=1e-6)


class Watched:
    """A runner that keeps what it was given, what was wanted, and what it answered."""

    def __init__(self, inner: Runner) -> None:
        self._inner = inner
        self.frames: list[np.ndarray] = []
        self.answers: list[tuple[int, int, np.ndarray]] = []

    def push(self, magnitude: np.ndarray, n_wanted: int, ahead: int) -> np.ndarray:
        masks = self._inner.push(magnitude, n_wanted, ahead)
        self.frames.append(magnitude.copy())
        n_seen = sum(frames.shape[1] for frames in self.frames)
        if n_wanted:
            self.answers.append((n_seen, ahead, masks.copy()))
        return masks

    def reset(self) -> None:
        self._inner.reset()
        self.frames.clear()
        self.answers.clear()

    def close(self) -> None:
        self._inner.close()


@given(seed=st.integers(0, 1000), update=st.integers(1, 3))
@settings(deadline=None, max_examples=15)
def test_every_column_is_asked_for_once_and_is_that_of_the_full_window(seed: int, update: int) -> None:
    card = make_card(("vocals", "rest"))
    net, names = make_net(card), card.network.instruments
    window = Window(None, update, 7)
    watched = Watched(open_runner(net, names, window, card.n_bins, Effort(choose_device("cpu"))))
    plan = MaskPlan(card, "ratio", "zeros", card.stems)
    stream = host_stream(card, plan, choose_tapers(card, None), window, watched, Scripted(seed))
    stream.process(0.1 * noise(50 * card.hop_samples, seed))
    frames = np.concatenate(watched.frames, axis=1)
    n_made = 1 - update - 7  # the first column wanted, counted from frame 1
    for n_seen, ahead, masks in watched.answers:
        n_wanted = masks.shape[2]
        assert n_wanted + ahead == update + 7
        assert n_seen - ahead - n_wanted == n_made + update - 1
        n_made += n_wanted
        expected = whole_window(net, names, frames, n_seen, n_wanted, ahead)
        np.testing.assert_allclose(masks, expected, rtol=0, atol=1e-5)
    stream.close()
