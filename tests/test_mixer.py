"""Faders and buttons to a matrix, and the matrix to another thread."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
from numba import njit

from rtsep.atomics import FRESH, exchange, load_acquire
from rtsep.errors import UsageError
from rtsep.mixer import Coefficients, Mixer, Strip, gain_of, mix_matrix

MAIN = (0, 1)


def pairs(matrix: np.ndarray) -> list[list[float]]:
    """Of every pair of rows the gains from left to the first output and from right to the second."""
    assert not matrix[0::2, 1].any()
    assert not matrix[1::2, 0].any()
    return np.stack((matrix[0::2, 0], matrix[1::2, 1]), axis=1).tolist()


def test_untouched_everything_plays_as_it_is() -> None:
    matrix = mix_matrix({"vocals": Strip(), "rest": Strip()}, MAIN, 2)
    assert pairs(matrix) == [[1, 1]] * 4


def test_people_see_db() -> None:
    matrix = mix_matrix({"a": Strip(-6.0), "b": Strip(20.0), "c": Strip(-math.inf)}, MAIN, 2)
    assert pairs(matrix)[:3] == [[pytest.approx(0.501187)] * 2, [10, 10], [0, 0]]
    assert gain_of(-math.inf) == 0


def test_mute_silences_one_stem_and_solo_all_others_and_the_residual_but_never_the_fallback() -> None:
    assert pairs(mix_matrix({"a": Strip(mute=True), "b": Strip()}, MAIN, 2)) == [
        [0, 0],
        [1, 1],
        [1, 1],
        [1, 1],
    ]
    assert pairs(mix_matrix({"a": Strip(solo=True), "b": Strip()}, MAIN, 2)) == [
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 1],
    ]
    both = mix_matrix({"a": Strip(solo=True, mute=True), "b": Strip(solo=True)}, MAIN, 2)
    assert pairs(both) == [[0, 0], [1, 1], [0, 0], [1, 1]]


def test_a_route_takes_a_stem_to_outputs_of_its_own() -> None:
    matrix = mix_matrix({"a": Strip(-20.0, route=(3, 2)), "b": Strip()}, MAIN, 4)
    expected = np.zeros((8, 4))
    expected[0, 3] = expected[1, 2] = 0.1
    expected[[2, 4, 6], 0] = expected[[3, 5, 7], 1] = 1
    np.testing.assert_allclose(matrix, expected, rtol=1e-7)


def test_one_output_gets_half_of_left_and_half_of_right() -> None:
    matrix = mix_matrix({"a": Strip(route=(1,)), "b": Strip()}, (0,), 2)
    expected = np.zeros((8, 2))
    expected[:2, 1] = expected[2:, 0] = 0.5
    np.testing.assert_array_equal(matrix, expected)


def test_the_mixer_moves_what_it_is_told_to() -> None:
    mixer = Mixer({"a": Strip(), "b": Strip()}, MAIN, 2)
    mixer.set_gain_db("a", -20)
    mixer.set_mute("b", True)
    assert mixer.state == {"a": Strip(-20.0), "b": Strip(mute=True)}
    mixer.set_solo("b", True)
    mixer.set_mute("b", False)
    assert pairs(mixer.matrix()) == [[0, 0], [1, 1], [0, 0], [1, 1]]
    mixer.set_gain_db("b", -math.inf)
    assert pairs(mixer.matrix())[1] == [0, 0]


@pytest.mark.parametrize("gain_db", [math.nan, math.inf, 24.5])
def test_gains_that_mean_nothing_or_hurt_are_refused(gain_db: float) -> None:
    mixer = Mixer({"a": Strip()}, MAIN, 2)
    with pytest.raises(UsageError, match="must be a number up to 24, or -inf"):
        mixer.set_gain_db("a", gain_db)
    assert mixer.state == {"a": Strip()}


def test_an_unknown_stem_is_refused_and_the_nearest_named() -> None:
    mixer = Mixer({"vocals": Strip(), "drums": Strip()}, MAIN, 2)
    with pytest.raises(UsageError, match=r"no stem 'vocal'; there are vocals, drums. Did you mean 'vocals'"):
        mixer.set_mute("vocal", True)


@njit(nogil=True)
def take_until(last: float, word: int, slots: Any) -> tuple[int, int]:
    """Play the audio thread: take matrices till `last` comes; how many came, and how many of them were wrong."""
    front, n_taken, n_wrong, before = 0, 0, 0, -1.0
    while before < last:
        if load_acquire(word) & FRESH == 0:
            continue
        front = exchange(word, front) & 3
        first = slots[front, 0, 0]
        n_taken += 1
        is_whole = True
        for _ in range(3):  # look often, so that a writer in this slot would be seen
            for r in range(slots.shape[1]):
                for c in range(slots.shape[2]):
                    is_whole = is_whole and slots[front, r, c] == first
        if not is_whole or first <= before:
            n_wrong += 1
        before = first
    return n_taken, n_wrong


def test_a_matrix_is_never_seen_half_written_nor_an_old_one_after_a_new_one() -> None:
    shape, n_published = (40, 40), 20_000
    coefficients = Coefficients(shape)
    take_until(-2.0, coefficients.word_address, coefficients.slots)  # compile
    results: list[tuple[int, int]] = []
    arguments = (float(n_published), coefficients.word_address, coefficients.slots)
    reader = threading.Thread(target=lambda: results.append(take_until(*arguments)))
    reader.start()
    for k in range(1, n_published + 1):
        coefficients.publish(np.full(shape, k, np.float32))
    reader.join()
    [(n_taken, n_wrong)] = results
    assert n_taken > 1
    assert n_wrong == 0
