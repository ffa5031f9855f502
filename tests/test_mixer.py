"""Faders and buttons to a matrix, and the matrix to another thread."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numba import njit

from rtsep.atomics import FRESH, exchange, load_acquire
from rtsep.errors import UsageError
from rtsep.mix import CUE, MAIN, Bus, Group, Mix, Strip, gain_of, mix_matrix
from rtsep.mixer import Coefficients, Mixer

BUSES = {MAIN: Bus((0, 1))}


def matrix_of(strips: dict[str, Strip], buses: dict[str, Bus], n_outputs: int, **more: Any) -> np.ndarray:
    return mix_matrix(Mix(strips, buses, **more), tuple(strips), n_outputs)


def pairs(matrix: np.ndarray) -> list[list[float]]:
    """Of every pair of rows the gains from left to the first output and from right to the second."""
    assert not matrix[0::2, 1].any()
    assert not matrix[1::2, 0].any()
    return np.stack((matrix[0::2, 0], matrix[1::2, 1]), axis=1).tolist()


def test_untouched_everything_plays_as_it_is() -> None:
    matrix = matrix_of({"vocals": Strip(), "rest": Strip()}, BUSES, 2)
    assert pairs(matrix) == [[1, 1]] * 4


def test_people_see_db() -> None:
    matrix = matrix_of({"a": Strip(-6.0), "b": Strip(20.0), "c": Strip(-math.inf)}, BUSES, 2)
    assert pairs(matrix)[:3] == [[pytest.approx(0.501187)] * 2, [10, 10], [0, 0]]
    assert gain_of(-math.inf) == 0


def test_mute_silences_one_stem_and_solo_all_others_and_the_residual_but_never_the_fallback() -> None:
    assert pairs(matrix_of({"a": Strip(mute=True), "b": Strip()}, BUSES, 2)) == [
        [0, 0],
        [1, 1],
        [1, 1],
        [1, 1],
    ]
    assert pairs(matrix_of({"a": Strip(solo=True), "b": Strip()}, BUSES, 2)) == [
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 1],
    ]
    both = matrix_of({"a": Strip(solo=True, mute=True), "b": Strip(solo=True)}, BUSES, 2)
    assert pairs(both) == [[0, 0], [1, 1], [0, 0], [1, 1]]


def test_a_route_takes_a_stem_to_outputs_of_its_own() -> None:
    matrix = matrix_of({"a": Strip(-20.0, route=(3, 2)), "b": Strip()}, BUSES, 4)
    expected = np.zeros((8, 4))
    expected[0, 3] = expected[1, 2] = 0.1
    expected[[2, 4, 6], 0] = expected[[3, 5, 7], 1] = 1
    np.testing.assert_allclose(matrix, expected, rtol=1e-7)


def test_one_output_gets_half_of_left_and_half_of_right() -> None:
    matrix = matrix_of({"a": Strip(route=(1,)), "b": Strip()}, {MAIN: Bus((0,))}, 2)
    expected = np.zeros((8, 2))
    expected[:2, 1] = expected[2:, 0] = 0.5
    np.testing.assert_array_equal(matrix, expected)


def test_the_mixer_moves_what_it_is_told_to() -> None:
    mixer = Mixer(Mix({"a": Strip(), "b": Strip()}, BUSES), 2)
    mixer.edit("strips", "a", gain_db=-20)
    mixer.edit("strips", "b", mute=True)
    assert mixer.state == {"a": Strip(-20.0), "b": Strip(mute=True)}
    mixer.edit("strips", "b", solo=True)
    mixer.edit("strips", "b", mute=False)
    assert pairs(mixer.matrix(("a", "b"))) == [[0, 0], [1, 1], [0, 0], [1, 1]]
    mixer.edit("strips", "b", gain_db=-math.inf)
    assert pairs(mixer.matrix(("a", "b")))[1] == [0, 0]


WIDE = {MAIN: Bus((0, 1)), CUE: Bus((2, 3), -20.0), "aux": Bus((4,), 6.0)}


def columns(strip: Strip, outputs: tuple[int, int], buses: dict[str, Bus] = WIDE) -> tuple[float, float]:
    """What left gives to the first of two outputs, and right to the second."""
    matrix = matrix_of({"a": strip}, buses, 6)
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


def test_the_master_moves_all_that_goes_to_the_main_bus_and_nothing_else() -> None:
    mixer = Mixer(Mix({"a": Strip(), "b": Strip(route=(2, 3))}, WIDE, directs={"microphone": Strip()}), 6)
    mixer.edit("buses", MAIN, gain_db=-20)
    matrix = mixer.matrix(("a", "b"))
    np.testing.assert_allclose(
        matrix[0::2, 0], [0.1, 0, 0.1, 0.1, 0.1], rtol=1e-6
    )  # a, b, residual, fallback
    assert matrix[2, 2] == 1
    with pytest.raises(
        UsageError, match=r"there is no bus 'mian'; there are main, cue, aux. Did you mean 'main'"
    ):
        mixer.edit("buses", "mian", gain_db=0)


def test_direct_inputs_have_strips_that_a_solo_does_not_silence() -> None:
    mixer = Mixer(Mix({"a": Strip(), "b": Strip()}, BUSES, directs={"microphone": Strip(-20.0)}), 2)
    mixer.edit("strips", "a", solo=True)
    assert pairs(mixer.matrix(("a", "b"))) == [[1, 1], [0, 0], [0, 0], [1, 1], [pytest.approx(0.1)] * 2]
    mixer.edit("directs", "microphone", mute=True)
    assert pairs(mixer.matrix(("a", "b")))[-1] == [0, 0]


def test_an_exclusive_solo_ends_the_one_before() -> None:
    mixer = Mixer(Mix({"a": Strip(), "b": Strip()}, BUSES), 2, solo_is_exclusive=True)
    mixer.edit("strips", "a", solo=True)
    mixer.edit("strips", "b", solo=True)
    assert mixer.state == {"a": Strip(), "b": Strip(solo=True)}


def test_a_mix_outlives_the_stems_that_play() -> None:
    mixer = Mixer(Mix({"vocals": Strip(-20.0)}, BUSES), 2)
    first = mixer.open(("vocals", "accompaniment"))
    second = mixer.open(("vocals", "drums", "bass", "other"))
    mixer.edit("strips", "drums", gain_db=-20)
    assert pairs(first.newest)[:2] == [[pytest.approx(0.1)] * 2, [1, 1]]
    assert pairs(second.newest)[:2] == [[pytest.approx(0.1)] * 2] * 2
    mixer.close(first)
    mixer.edit("strips", "vocals", gain_db=0)
    assert pairs(first.newest)[0] == [pytest.approx(0.1)] * 2  # nobody listens
    assert pairs(second.newest)[0] == [1, 1]


def test_an_unknown_stem_is_refused_and_the_nearest_named() -> None:
    mixer = Mixer(Mix({"vocals": Strip(), "drums": Strip()}, BUSES), 2)
    with pytest.raises(UsageError, match=r"no stem 'vocal'; there are vocals, drums. Did you mean 'vocals'"):
        mixer.edit("strips", "vocal", mute=True)


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


STEMS = ("vocals", "drums", "bass")
GROUPS = {
    "vocals": Group(frozenset({"vocals"})),
    "instrumental": Group(frozenset({"vocals"}), is_all_but=True),
}


def lefts(**more: Any) -> list[float]:
    """What goes left of vocals, drums, bass, residual and fallback."""
    strips = more.pop("strips", {})
    mix = Mix({stem: strips.get(stem, Strip()) for stem in STEMS}, BUSES, **{"groups": GROUPS, **more})
    return [pytest.approx(gain, abs=1e-7) for gain in mix_matrix(mix, STEMS, 2)[0::2, 0].tolist()]


def test_a_group_moves_its_stems_and_what_is_all_but_vocals_the_residual_too() -> None:
    turned = {**GROUPS, "instrumental": replace(GROUPS["instrumental"], gain_db=-20.0)}
    assert lefts(groups=turned) == [1, 0.1, 0.1, 0.1, 1]
    assert lefts(groups=turned, strips={"drums": Strip(20.0)}) == [1, 1, 0.1, 0.1, 1]
    muted = {**GROUPS, "vocals": replace(GROUPS["vocals"], mute=True)}
    assert lefts(groups=muted) == [0, 1, 1, 1, 1]
    soloed = {**GROUPS, "instrumental": replace(GROUPS["instrumental"], solo=True)}
    assert lefts(groups=soloed) == [0, 1, 1, 1, 1]
    assert lefts(groups=soloed, strips={"vocals": Strip(solo=True)}) == [1, 1, 1, 1, 1]


def test_the_cross_fader_leaves_one_side_at_its_end_and_all_in_the_middle() -> None:
    sides = ("vocals", "instrumental")
    assert lefts(sides=sides, crossfade=0.0) == [1, 1, 1, 1, 1]
    assert lefts(sides=sides, crossfade=-1.0) == [1, 0, 0, 0, 1]
    assert lefts(sides=sides, crossfade=1.0) == [0, 1, 1, 1, 1]
    assert lefts(sides=sides, crossfade=0.25) == [0.75, 1, 1, 1, 1]


def test_the_amount_of_separation_goes_from_the_mixture_to_the_mix() -> None:
    strips = {"vocals": Strip(mute=True), "drums": Strip(solo=True)}
    assert lefts(strips=strips) == [0, 1, 0, 0, 1]
    assert lefts(strips=strips, separation=0.25) == [0.75, 1, 0.75, 0.75, 1]
    assert lefts(strips=strips, separation=0.0) == [1, 1, 1, 1, 1]
    assert lefts(strips=strips, bypass=True) == [1, 1, 1, 1, 1]


def test_without_separation_the_buses_of_stems_are_silent_and_direct_inputs_as_they_were() -> None:
    mix = Mix({"a": Strip(route=(2, 3))}, BUSES, {"microphone": Strip(-20.0, route=(2, 3))}, bypass=True)
    matrix = mix_matrix(mix, ("a",), 4)
    np.testing.assert_allclose(matrix[0::2, 0], [1, 1, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(matrix[0::2, 2], [0, 0, 0, 0.1], rtol=1e-6)


def test_a_fade_goes_evenly_from_what_was_heard_and_what_is_touched_leaves_it() -> None:
    mixer = Mixer(Mix({"a": Strip(), "b": Strip()}, BUSES), 2)
    heard, coefficients = mixer.heard, mixer.open(("a", "b"))

    def gains() -> list[float]:
        return [pytest.approx(gain) for gain in coefficients.newest[0:4:2, 0].tolist()]

    with mixer.together():
        mixer.edit("strips", "a", mute=True)
        mixer.edit("strips", "b", gain_db=-20)
        mixer.fade_from(heard, 3600.0)
    assert gains() == [1, 1]
    mixer.fade_to(0.5)
    assert gains() == [0.5, 0.55]
    mixer.edit("strips", "b", gain_db=0)  # a hand
    assert gains() == [0.5, 1]
    again = mixer.heard  # a second fade begins where the first one is
    with mixer.together():
        mixer.edit("strips", "b", gain_db=-math.inf)
        mixer.fade_from(again, 3600.0)
    assert gains() == [0.5, 1]
    mixer.fade_to(0.5)
    assert gains() == [0.25, 0.5]
    mixer.fade_to(1.0)
    assert gains() == [0, 0]
    assert len(mixer.heard) == 1


def test_a_chain_rises_to_the_mix_follows_it_and_falls_whatever_moves() -> None:
    mixer = Mixer(Mix({"a": Strip(-20.0)}, BUSES), 2)
    like = Mixer(Mix({"a": Strip()}, {MAIN: Bus((2, 3))}), 4)
    coefficients = mixer.open_silent(("a", "b"), like)
    assert coefficients.newest.shape == (8, 4)
    mixer.edit("strips", "a", mute=True)
    assert not coefficients.newest.any()  # nobody has let it be heard
    mixer.become(lambda now: like)
    mixer.rise(("a", "b"), coefficients)
    np.testing.assert_array_equal(coefficients.newest, mixer.matrix(("a", "b")))
    mixer.edit("strips", "a", gain_db=-20.0)
    assert coefficients.newest[0, 2] == pytest.approx(0.1)
    assert coefficients.newest[2, 2] == 1
    mixer.fall(coefficients)
    mixer.edit("strips", "a", gain_db=0.0)
    assert not coefficients.newest.any()
