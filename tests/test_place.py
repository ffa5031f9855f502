"""The place in a song: it can be read, a fader goes all its length, and no slip of a hand ends the session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from file_session import OUTSIDE, music, session, wait_for, write_song
from test_transport import N_SAMPLES, RATE_HZ, SOON, Machine, ramp

from rtsep.board import Board
from rtsep.callback.records import SPLICE_SAMPLES
from rtsep.deck import Deck
from rtsep.errors import UsageError
from rtsep.host import Host
from rtsep.knobs import transport_controls

PLACE, JUMP, PLAY = "/transport/position_s", "/transport/seek_s", "/transport/play"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "ramp.wav", ramp())
    with closing(machine.transport):
        yield machine


@pytest.fixture
def board(machine: Machine) -> Board:
    return Board(transport_controls(Deck(lambda: machine.transport, lambda what, doing, wish: wish())))


def test_the_place_that_is_heard_can_be_read(machine: Machine, board: Board) -> None:
    feed = board.feed()
    machine.play(2 * RATE_HZ)
    assert board[PLACE] == 2.0
    assert board.position(PLACE) == 0.4
    board["/transport/loop_start"] = True
    assert PLACE not in feed.take()  # it would come along with every other move


def test_a_fader_goes_all_the_length_of_the_song(machine: Machine, board: Board) -> None:
    machine.play(RATE_HZ)
    for position in (0.0, 1 / 127, 0.5, 126 / 127):
        board.move(PLACE, position)
        machine.play(SOON)
        assert board[PLACE] == pytest.approx(5 * position, abs=1 / RATE_HZ)
        assert board[PLAY] is True
    with pytest.raises(UsageError, match=r"position_s: 500 is out of range; allowed is 0 to 5 s"):
        board[PLACE] = 500.0


@pytest.mark.parametrize(("address", "value"), [(PLACE, 5.0), (JUMP, 4.0), (JUMP, 5000.0)])
def test_at_the_end_it_stands_still_and_from_there_it_plays_anew(
    machine: Machine, board: Board, address: str, value: float
) -> None:
    machine.play(RATE_HZ)
    board[address] = value
    machine.play(RATE_HZ)
    assert machine.transport.end is None
    assert (board[PLACE], board[PLAY]) == (5.0, False)
    at = machine.position
    board[PLAY] = True
    machine.play(1000)
    first = at + SOON + SPLICE_SAMPLES
    played = machine.played[:, first:]
    np.testing.assert_array_equal(played, ramp()[:, SPLICE_SAMPLES:][:, : played.shape[1]])
    machine.play(N_SAMPLES)
    assert machine.transport.end is not None


def test_back_from_the_end_it_plays_from_there(machine: Machine, board: Board) -> None:
    board[PLACE] = 5.0
    machine.play(500)
    board[JUMP] = -2.0
    board[PLAY] = True
    machine.play(500)
    assert board[PLACE] == pytest.approx(3.0, abs=0.1)


def test_a_pause_behind_the_last_sample_still_lets_it_end(tmp_path: Path) -> None:
    """All of it was delivered, but its end is not heard yet."""
    machine = Machine(tmp_path / "ramp.wav", ramp(), delay=RATE_HZ)
    with closing(machine.transport):
        machine.play(N_SAMPLES + 1000)
        machine.transport.pause(True)
        machine.play(500)
        machine.transport.pause(False)
        machine.play(500)
        assert machine.transport.end is not None


def test_another_song_has_another_length_and_a_slip_ends_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(OUTSIDE)
    songs = [write_song(tmp_path / f"{name}.wav", music(s)) for name, s in (("song", 3.0), ("other", 30.0))]
    one, other = (session(song, tmp_path / "out.wav", "midside", "real") for song in songs)
    with Host(one) as host:
        board = host.board
        assert board.parameter(PLACE).scale.allowed == "0 to 3 s"
        board.move(PLACE, 1.0)
        wait_for(lambda: board[PLACE] == 3.0 and board[PLAY] is False)
        assert not host.wait(0.3)
        host.change(other)
        assert board.parameter(PLACE).scale.allowed == "0 to 30 s"
        board.move(PLACE, 0.5)
        wait_for(lambda: board[PLACE] >= 15.0)
        assert board[PLACE] < 20.0
