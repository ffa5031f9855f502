"""The board: what is set arrives, what changes is told to everybody else, and nothing else is."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.board import NOBODY, Board
from rtsep.errors import UsageError
from rtsep.knobs import mix_controls
from rtsep.mix import CUE, MAIN, Bus, Group, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.parameters import TABLE, expand
from rtsep.scales import Value

STEMS = ("vocals", "drums", "bass", "other")


def make_mixer(*, exclusive: bool = False) -> Mixer:
    mix = Mix(
        strips={stem: Strip() for stem in STEMS},
        buses={MAIN: Bus((0, 1)), CUE: Bus((2, 3)), "aux": Bus((4,))},
        directs={"microphone": Strip()},
        groups={"vocals": Group(frozenset({"vocals"})), "instrumental": Group(frozenset({"vocals"}), True)},
        sides=("vocals", "instrumental"),
    )
    return Mixer(mix, 6, solo_is_exclusive=exclusive)


def make_board(mixer: Mixer) -> Board:
    return Board(mix_controls(mixer, STEMS))


def test_every_parameter_of_a_mix_stands_at_its_default_and_moves_what_it_names() -> None:
    mixer = make_mixer()
    board = make_board(mixer)
    for address, parameter in board.parameters.items():
        assert board[address] == parameter.default, address
        for position in (0.0, 1.0, 0.4):
            board.move(address, position)
            assert board[address] == parameter.scale.value_at(position), address
        board[address] = parameter.default
    strips = mixer.mix.strips.values()
    assert {gain_db for strip in strips for gain_db in strip.sends.values()} == {-math.inf}
    np.testing.assert_array_equal(mixer.matrix(STEMS), make_mixer().matrix(STEMS))


def test_addresses_are_those_of_the_table() -> None:
    board = make_board(make_mixer())
    assert {
        "/stem/vocals/gain_db",
        "/stem/other/send/aux",
        "/direct/microphone/mute",
        "/bus/main/gain_db",
    } <= set(board.parameters)
    assert {"/group/instrumental/solo", "/crossfade", "/separation", "/bypass"} <= set(board.parameters)
    assert "/stem/vocals/send/main" not in board
    assert len({row.address for row in TABLE}) == len(TABLE)
    assert not [parameter for parameter, _ in expand({}) if "{" in parameter.address]


def test_what_is_wrong_is_refused_with_what_would_be_right() -> None:
    board = make_board(make_mixer())
    with pytest.raises(UsageError, match=r"no parameter '/stem/vocal/mute'; did you mean /stem/vocals/mute"):
        board["/stem/vocal/mute"] = True
    with pytest.raises(
        UsageError, match=r"/stem/vocals/gain_db: 30 dB is too much; allowed is -inf to 24 dB"
    ):
        board["/stem/vocals/gain_db"] = 30
    with pytest.raises(UsageError, match=r"/stem/bass/route: there is no '7-8'; allowed is main, 1-2, 3-4"):
        board["/stem/bass/route"] = "7-8"
    assert board["/stem/vocals/gain_db"] == 0.0


def test_everybody_but_the_one_who_did_it_is_told() -> None:
    board = make_board(make_mixer())
    page, knob = board.feed("page"), board.feed("knob")
    board.set("/stem/vocals/gain_db", -6, "knob")
    assert page.changed.is_set()
    assert page.take() == {"/stem/vocals/gain_db": -6.0}
    assert not knob.changed.is_set()
    assert knob.take() == {}
    board.set("/stem/vocals/gain_db", -6, "page")  # it stands there already
    assert not knob.changed.is_set()
    page.close()
    board.set("/stem/vocals/gain_db", -7, "knob")
    assert page.take() == {}


def test_a_slow_surface_gets_the_last_value_of_each() -> None:
    board = make_board(make_mixer())
    feed = board.feed("slow")
    for k in range(1000):
        board["/crossfade"] = k / 1000
    board["/bypass"] = True
    assert feed.take() == {"/crossfade": 0.999, "/bypass": True}


def test_what_a_change_brings_with_it_is_told_to_whoever_made_it_too() -> None:
    board = make_board(make_mixer(exclusive=True))
    board["/stem/vocals/solo"] = True
    knob, page = board.feed("knob"), board.feed("page")
    board.set("/stem/drums/solo", True, "knob")
    assert knob.take() == {"/stem/vocals/solo": False}
    assert page.take() == {"/stem/vocals/solo": False, "/stem/drums/solo": True}


def test_what_changes_elsewhere_is_found() -> None:
    mixer = make_mixer()
    board = make_board(mixer)
    feed = board.feed()
    mixer.edit("strips", "bass", gain_db=-3)
    assert not feed.changed.is_set()
    board.refresh()
    assert feed.take() == {"/stem/bass/gain_db": -3.0}


def test_other_stems_are_other_parameters() -> None:
    mixer = make_mixer()
    board = make_board(mixer)
    feed, generation = board.feed(), board.generation
    mixer.add(["piano"])
    board.replace(mix_controls(mixer, ("vocals", "piano")))
    assert board.generation == generation + 1
    assert "/stem/piano/mute" in board
    assert "/stem/drums/mute" not in board
    assert feed.take().keys() == {address for address in board.parameters if "/piano/" in address}


ADDRESSES = sorted(make_board(make_mixer()).parameters)


@settings(max_examples=50, deadline=None)
@given(moves=st.lists(st.tuples(st.sampled_from(ADDRESSES), st.floats(0, 1), st.integers(0, 3)), max_size=20))
def test_two_surfaces_that_follow_each_other_agree_however_late(moves: list[tuple[str, float, int]]) -> None:
    board = make_board(make_mixer(exclusive=True))
    shown: dict[str, dict[str, Value]] = {"left": board.values, "right": board.values}
    feeds = {name: board.feed(name) for name in shown}
    for address, position, who_looks in moves:
        name = ("left", "right")[who_looks % 2]
        value = board.parameter(address).scale.value_at(position)
        shown[name][address] = value
        board.set(address, value, name)
        for other in ("left", "right")[: who_looks // 2]:
            shown[other] |= feeds[other].take()
    for other, feed in feeds.items():
        shown[other] |= feed.take()
    assert shown["left"] == shown["right"] == board.values


def test_threads_may_all_set_at_once() -> None:
    board, n_turns = make_board(make_mixer()), 200
    feed = board.feed(NOBODY)
    told: dict[str, Value] = {}

    def turn(stem: str) -> Callable[[], None]:
        def run() -> None:
            for k in range(n_turns):
                board.set(f"/stem/{stem}/pan", k / n_turns, stem)

        return run

    threads = [threading.Thread(target=turn(stem)) for stem in STEMS]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        told |= feed.take()
    told |= feed.take()
    assert told == {f"/stem/{stem}/pan": (n_turns - 1) / n_turns for stem in STEMS}


def test_what_a_surface_sets_overtakes_what_it_has_not_looked_at() -> None:
    board = make_board(make_mixer())
    page = board.feed("page")
    board.set("/stem/vocals/gain_db", -20, "knob")
    board.set("/stem/vocals/gain_db", -10, "page")
    assert page.take() == {}
    assert not page.changed.is_set()
    board.remind("/stem/vocals/gain_db")
    assert page.take() == {"/stem/vocals/gain_db": -10.0}
    assert board.feed("late", snapshot=True).take() == board.values


def test_surfaces_with_and_without_bundles_never_wait_for_one_another() -> None:
    mixer = make_mixer()
    board, is_over = Board(mix_controls(mixer, STEMS), mixer.together), threading.Event()
    n_turns = [0, 0, 0]
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def bundle() -> None:
        with board.together():
            board["/stem/vocals/mute"] = True
            board["/stem/drums/mute"] = True

    def knob() -> None:
        board["/stem/bass/pan"] = 0.5

    def fade() -> None:
        mixer.fade_from(mixer.heard, 0.05)

    def run(k: int, turn: Callable[[], None]) -> None:
        while not is_over.is_set():
            turn()
            n_turns[k] += 1

    threads = [
        threading.Thread(target=run, args=(k, turn), daemon=True)
        for k, turn in enumerate((bundle, knob, fade))
    ]
    try:
        for thread in threads:
            thread.start()
        until_s = time.monotonic() + 20
        while min(n_turns) < 100 and time.monotonic() < until_s:
            time.sleep(0.01)
        assert min(n_turns) >= 100
    finally:
        is_over.set()
        sys.setswitchinterval(switch_s)
        for thread in threads:
            thread.join(10)


def test_what_is_not_there_cannot_be_gone_to() -> None:
    mixer = make_mixer()
    for values, words in (
        ({"sends": {"gone": 0.0}}, "no bus 'gone'"),
        ({"route": (6, 7)}, "no output 8; 6 are"),
    ):
        with pytest.raises(UsageError, match=words):
            mixer.edit("strips", "vocals", **values)
    with pytest.raises(UsageError, match="no output 9"):
        mixer.edit("buses", "aux", outputs=(8,))
    assert mixer.mix == make_mixer().mix


def test_a_change_is_one_matrix_at_once() -> None:
    mixer = make_mixer()
    board, coefficients = make_board(mixer), mixer.open(STEMS)
    with mixer.together():
        board["/stem/vocals/mute"] = True
        board["/group/instrumental/gain_db"] = -20
        np.testing.assert_array_equal(coefficients.newest[:4, 0], [1, 0, 1, 0])
    np.testing.assert_allclose(coefficients.newest[:4, 0], [0, 0, 0.1, 0], rtol=1e-6)
