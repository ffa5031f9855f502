"""The controls of a board, where more stands behind one than a value: the loop under its two buttons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from test_transport import Machine, ramp

from rtsep.board import Board
from rtsep.deck import Deck as Buttons
from rtsep.errors import UsageError
from rtsep.knobs import transport_controls
from rtsep.transport import Transport
from rtsep.wishes import Wish

START, END = "/transport/loop_start_s", "/transport/loop_end_s"


class Deck:
    """A board over a tape machine that another may take the place of."""

    def __init__(self, folder: Path) -> None:
        self.song, self.other = (Machine(folder / f"{name}.wav", ramp()) for name in ("song", "other"))
        self.now: Transport | None = self.song.transport
        self.board = Board(transport_controls(Buttons(lambda: self.now, lambda what, doing, wish: wish())))

    @property
    def loop_s(self) -> tuple[object, object]:
        return self.board[START], self.board[END]


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Deck]:
    with ExitStack() as opened:
        deck = Deck(tmp_path)
        for machine in (deck.song, deck.other):
            opened.callback(machine.transport.close)
        yield deck


def test_everybody_is_told_where_the_loop_begins_and_ends(deck: Deck) -> None:
    feed = deck.board.feed("page")
    deck.song.play(8000)
    deck.board["/transport/loop_start"] = True
    assert feed.take() == {START: 1.0}
    deck.song.play(8000)
    deck.board["/transport/loop_end"] = True
    assert feed.take() == {END: 2.0}
    deck.song.transport.loop(0.5, 1.5)  # by whoever else can
    deck.board.refresh()
    assert feed.take() == {START: 0.5, END: 1.5}
    deck.board["/transport/loop_off"] = True
    assert feed.take() == {START: 0.0, END: 0.0}
    with pytest.raises(UsageError, match="it cannot be set"):
        deck.board[START] = 1.0


def test_another_song_does_not_have_the_mark_of_the_one_before(deck: Deck) -> None:
    deck.song.play(8000)
    deck.board["/transport/loop_start"] = True
    deck.now = deck.other.transport
    assert deck.loop_s == (0.0, 0.0)
    deck.other.play(4000)
    deck.board["/transport/loop_end"] = True
    assert deck.loop_s == (0.0, 0.5)
    deck.now = deck.song.transport
    assert deck.loop_s == (1.0, 0.0)
    deck.now = None
    assert deck.loop_s == (0.0, 0.0)


def test_the_end_of_a_loop_that_came_with_a_session_moves_and_its_start_stays(deck: Deck) -> None:
    deck.song.transport.begin_at(2.0, paused=False, loop_s=(2.0, 4.0))
    assert deck.loop_s == (2.0, 4.0)
    deck.song.play(8000)
    deck.board["/transport/loop_end"] = True
    assert deck.loop_s == (2.0, 3.0)


def test_a_tape_machine_that_goes_leaves_nothing_pressed(deck: Deck) -> None:
    wishes = list[Wish]()
    board = Board(
        transport_controls(Buttons(lambda: deck.now, lambda what, doing, wish: wishes.append(wish)))
    )
    board["/transport/play"] = False
    board["/transport/seek_s"] = 3.0
    assert not board["/transport/play"]  # as asked, until it is so
    deck.now = None
    for wish in wishes:
        with pytest.raises(UsageError):
            wish()
    wishes.clear()
    assert not board["/transport/play"]  # nothing plays
    deck.now = deck.other.transport
    assert board["/transport/play"]
    board["/transport/seek_s"] = 1.0
    wishes.pop()()
    deck.other.play(4000)
    assert deck.other.transport.position_s < 2.0  # one jump, not both
