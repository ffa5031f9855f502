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
from rtsep.mixer import CUE, MAIN, Bus, Coefficients, Mixer, Strip, gain_of, mix_matrix

BUSES = {MAIN: Bus((0, 1))}


def pairs(matrix: np.ndarray) -> list[list[float]]:
    """Of every pair of rows the gains from left to the first output and from right to the second."""
    assert not matrix[0::2, 1].any()
    assert not matrix[1::2, 0].any()
    return np.stack((matrix[0::2, 0], matrix[1::2, 1]), axis=1).tolist()


def test_untouched_everything_plays_as_it_is() -> None:
    matrix = mix_matrix({"vocals": Strip(), "rest": Strip()}, BUSES, 2)
    assert pairs(matrix) == [[1, 1]] * 4


def test_people_see_db() -> None:
    matrix = mix_matrix({"a": Strip(-6.0), "b": Strip(20.0), "c": Strip(-math.inf)}, BUSES, 2)
    assert pairs(matrix)[:3] == [[pytest.approx(0.501187)] * 2, [10, 10], [0, 0]]
    assert gain_of(-math.inf) == 0


def test_mute_silences_one_stem_and_solo_all_others_and_the_residual_but_never_the_fallback() -> None:
    assert pairs(mix_matrix({"a": Strip(mute=True), "b": Strip()}, BUSES, 2)) == [
        [0, 0],
        [1, 1],
        [1, 1],
        [1, 1],
    ]
    assert pairs(mix_matrix({"a": Strip(solo=True), "b": Strip()}, BUSES, 2)) == [
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 1],
    ]
    both = mix_matrix({"a": Strip(solo=True, mute=True), "b": Strip(solo=True)}, BUSES, 2)
    assert pairs(both) == [[0, 0], [1, 1], [0, 0], [1, 1]]


def test_a_route_takes_a_stem_to_outputs_of_its_own() -> None:
    matrix = mix_matrix({"a": Strip(-20.0, route=(3, 2)), "b": Strip()}, BUSES, 4)
    expected = np.zeros((8, 4))
    expected[0, 3] = expected[1, 2] = 0.1
    expected[[2, 4, 6], 0] = expected[[3, 5, 7], 1] = 1
    np.testing.assert_allclose(matrix, expected, rtol=1e-7)


def test_one_output_gets_half_of_left_and_half_of_right() -> None:
    matrix = mix_matrix({"a": Strip(route=(1,)), "b": Strip()}, {MAIN: Bus((0,))}, 2)
    expected = np.zeros((8, 2))
    expected[:2, 1] = expected[2:, 0] = 0.5
    np.testing.assert_array_equal(matrix, expected)


def test_the_mixer_moves_what_it_is_told_to() -> None:
    mixer = Mixer({"a": Strip(), "b": Strip()}, BUSES, 2)
    mixer.set_gain_db("a", -20)
    mixer.set_mute("b", True)
    assert mixer.state == {"a": Strip(-20.0), "b": Strip(mute=True)}
    mixer.set_solo("b", True)
    mixer.set_mute("b", False)
    assert pairs(mixer.matrix(("a", "b"))) == [[0, 0], [1, 1], [0, 0], [1, 1]]
    mixer.set_gain_db("b", -math.inf)
    assert pairs(mixer.matrix(("a", "b")))[1] == [0, 0]


WIDE = {MAIN: Bus((0, 1)), CUE: Bus((2, 3), -20.0), "aux": Bus((4,), 6.0)}


def columns(strip: Strip, outputs: tuple[int, int], buses: dict[str, Bus] = WIDE) -> tuple[float, float]:
    """What left gives to the first of two outputs, and right to the second."""
    matrix = mix_matrix({"a": strip}, buses, 6)
    return pytest.approx((matrix[0, outputs[0]], matrix[1, outputs[1]]))


def test_the_balance_turns_the_other_side_down_and_polarity_turns_both_over() -> None:
    assert columns(Strip(pan=0.25), (0, 1)) == (0.75, 1)
    assert columns(Strip(pan=-1), (0, 1)) == (1, 0)
    assert columns(Strip(invert=True, gain_db=20), (0, 1)) == (-10, -10)


def test_a_send_comes_after_the_fader_and_beside_the_main_bus() -> None:
    sent = Strip(gain_db=-20, sends={"aux": -6})
    assert columns(sent, (0, 1)) == (0.1, 0.1)
    assert columns(sent, (4, 4)) == (0.05, 0.05)  # one output takes half of each; -6 and 6 dB are 0
    assert columns(Strip(mute=True, sends={"aux": 0}), (4, 4)) == (0, 0)


def test_the_cue_is_heard_before_the_fader_whatever_is_muted() -> None:
    assert columns(Strip(gain_db=-40, mute=True, cue=True), (2, 3)) == (0.1, 0.1)
    assert columns(Strip(cue=True), (0, 1)) == (1, 1)
    with pytest.raises(UsageError, match="there is no cue bus; give it outputs"):
        Mixer({"a": Strip()}, BUSES, 2).set_cue("a", True)


def test_the_master_moves_all_that_goes_to_the_main_bus_and_nothing_else() -> None:
    mixer = Mixer({"a": Strip(), "b": Strip(route=(2, 3))}, WIDE, 6, directs={"microphone": Strip()})
    mixer.set_bus_gain_db(MAIN, -20)
    matrix = mixer.matrix(("a", "b"))
    np.testing.assert_allclose(
        matrix[0::2, 0], [0.1, 0, 0.1, 0.1, 0.1], rtol=1e-6
    )  # a, b, residual, fallback
    assert matrix[2, 2] == 1
    with pytest.raises(
        UsageError, match=r"there is no bus 'mian'; there are main, cue, aux. Did you mean 'main'"
    ):
        mixer.set_bus_gain_db("mian", 0)


def test_direct_inputs_have_strips_that_a_solo_does_not_silence() -> None:
    mixer = Mixer({"a": Strip(), "b": Strip()}, BUSES, 2, directs={"microphone": Strip(-20.0)})
    mixer.set_solo("a", True)
    assert pairs(mixer.matrix(("a", "b"))) == [[1, 1], [0, 0], [0, 0], [1, 1], [pytest.approx(0.1)] * 2]
    mixer.set_mute("microphone", True)
    assert pairs(mixer.matrix(("a", "b")))[-1] == [0, 0]


def test_an_exclusive_solo_ends_the_one_before() -> None:
    mixer = Mixer({"a": Strip(), "b": Strip()}, BUSES, 2, solo_is_exclusive=True)
    mixer.set_solo("a", True)
    mixer.set_solo("b", True)
    assert mixer.state == {"a": Strip(), "b": Strip(solo=True)}


def test_a_mix_outlives_the_stems_that_play() -> None:
    mixer = Mixer({"vocals": Strip(-20.0)}, BUSES, 2)
    first = mixer.open(("vocals", "accompaniment"))
    second = mixer.open(("vocals", "drums", "bass", "other"))
    mixer.set_gain_db("drums", -20)
    assert pairs(first.newest)[:2] == [[pytest.approx(0.1)] * 2, [1, 1]]
    assert pairs(second.newest)[:2] == [[pytest.approx(0.1)] * 2] * 2
    mixer.close(first)
    mixer.set_gain_db("vocals", 0)
    assert pairs(first.newest)[0] == [pytest.approx(0.1)] * 2  # nobody listens
    assert pairs(second.newest)[0] == [1, 1]


@pytest.mark.parametrize("pan", [-1.1, 1.01, math.nan])
def test_a_pan_beyond_a_side_is_refused(pan: float) -> None:
    with pytest.raises(UsageError, match="must lie between -1 "):
        Mixer({"a": Strip()}, BUSES, 2).set_pan("a", pan)


@pytest.mark.parametrize("gain_db", [math.nan, math.inf, 24.5])
def test_gains_that_mean_nothing_or_hurt_are_refused(gain_db: float) -> None:
    mixer = Mixer({"a": Strip()}, BUSES, 2)
    with pytest.raises(UsageError, match="must be a number up to 24, or -inf"):
        mixer.set_gain_db("a", gain_db)
    assert mixer.state == {"a": Strip()}


def test_an_unknown_stem_is_refused_and_the_nearest_named() -> None:
    mixer = Mixer({"vocals": Strip(), "drums": Strip()}, BUSES, 2)
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
    coefficients = Coefficients(np.zeros(shape, np.float32))
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


def test_a_chain_rises_to_the_mix_follows_it_and_falls_whatever_moves() -> None:
    mixer, like = Mixer({"a": Strip(-20.0)}, BUSES, 2), Mixer({"a": Strip()}, {MAIN: Bus((2, 3))}, 4)
    coefficients = mixer.open_silent(("a", "b"), like)
    assert coefficients.newest.shape == (8, 4)
    mixer.set_mute("a", True)
    assert not coefficients.newest.any()  # nobody has let it be heard
    mixer.become(lambda now: like)
    mixer.rise(("a", "b"), coefficients)
    np.testing.assert_array_equal(coefficients.newest, mixer.matrix(("a", "b")))
    mixer.set_gain_db("a", -20.0)
    assert coefficients.newest[0, 2] == pytest.approx(0.1)
    assert coefficients.newest[2, 2] == 1
    mixer.fall(coefficients)
    mixer.set_gain_db("a", 0.0)
    assert not coefficients.newest.any()
