"""What prints aside: in order, never more than it can hold, and with nobody waiting for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from rtsep.cli.patient import Patient
from rtsep.cli.pictures import Pictures
from rtsep.cli.teller import MOST_LINES, Teller

PATIENCE_S = 20.0


class Reader:
    """Prints into a list, once it may."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.may, self.waits = threading.Event(), threading.Event()

    def write(self, text: str) -> None:
        self.waits.set()
        assert self.may.wait(PATIENCE_S)
        self.lines.append(text)


@contextmanager
def held() -> Iterator[tuple[Teller, Reader]]:
    """A teller that waits in its first line."""
    reader = Reader()
    teller = Teller(reader.write)
    teller.say("first")
    assert reader.waits.wait(PATIENCE_S)
    yield teller, reader
    reader.may.set()
    assert teller.close()


def test_what_is_said_is_printed_in_order_and_before_what_is_shown() -> None:
    with held() as (teller, reader):
        teller.ask(lambda: reader.lines.append("picture"))
        for number in range(5):
            teller.say(f"{number}")
    assert reader.lines == ["first", "0", "1", "2", "3", "4", "picture"]
    assert "rtsep-teller" not in [thread.name for thread in threading.enumerate()]


def test_a_picture_that_waits_is_not_drawn_twice() -> None:
    with held() as (teller, reader):

        def show() -> None:
            reader.lines.append("picture")

        for _ in range(3):
            teller.ask(show)
    assert reader.lines == ["first", "picture"]


def test_of_too_many_lines_the_oldest_are_lost_and_counted() -> None:
    with held() as (teller, reader):
        for number in range(MOST_LINES + 7):
            teller.say(f"{number}")
    assert "7 lines" in reader.lines[1]
    assert reader.lines[2:] == [f"{number}" for number in range(7, MOST_LINES + 7)]


def test_who_waits_for_the_end_does_not_wait_for_a_reader_who_takes_nothing() -> None:
    with held() as (teller, _):
        assert not teller.finish()


def test_what_ends_a_picture_is_kept_for_whoever_asks_for_it_and_the_next_line_is_printed() -> None:
    lines: list[str] = []
    teller = Teller(lines.append)
    teller.ask(lambda: exit(1))
    assert teller.finish()
    teller.say("after")
    assert teller.close()
    assert isinstance(teller.failure, SystemExit)
    assert lines == ["after"]


def test_a_reader_who_has_gone_is_told_nothing() -> None:
    def refuse(text: str) -> None:
        raise BrokenPipeError

    teller = Teller(refuse)
    teller.say("anybody?")
    assert teller.close()
    assert teller.failure is None


@pytest.mark.parametrize("kind", ["terminal", "pipe"])
def test_waiting_for_a_reader_is_broken_off(kind: str) -> None:
    pty = pytest.importorskip("pty")
    reading, writing = pty.openpty() if kind == "terminal" else os.pipe()
    text, is_left = "word " * 100_000, threading.Event()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            patient.write(text)
        except BlockingIOError as error:
            failed.append(error)

    with closing(Patient(writing, "utf-8", is_left)) as patient:
        assert patient.isatty() is (kind == "terminal")
        thread = threading.Thread(target=write)
        thread.start()
        assert os.read(reading, 5) == b"word "
        assert thread.is_alive()
        is_left.set()
        thread.join(PATIENCE_S)
    assert failed
    assert os.get_blocking(writing), "others have it too"
    os.close(reading)
    os.close(writing)


def test_a_slow_reader_gets_everything() -> None:
    reading, writing = os.pipe()
    text = "Lied 歌\n" * 20_000
    with closing(Patient(writing, "ascii", threading.Event())) as patient:

        def write() -> None:
            patient.write(text)
            os.close(writing)

        thread = threading.Thread(target=write)
        thread.start()
        with os.fdopen(reading, "rb") as read:
            assert read.read() == text.encode("ascii", "backslashreplace")
        thread.join(PATIENCE_S)


class Torn:
    """A screen on which nothing can be drawn."""

    is_in_place = False

    def __init__(self) -> None:
        self.n_shown = 0

    def show(self) -> None:
        self.n_shown += 1
        raise ValueError("there is a hole in it")

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *what: object) -> None:
        """Nothing is put back."""


def test_a_picture_that_cannot_be_drawn_is_told_once_and_ends_nothing() -> None:
    lines, screen = list[str](), Torn()
    teller = Teller(lines.append)
    with Pictures(teller, screen, holds_words=False) as pictures:  # type: ignore[arg-type]
        for _ in range(10):
            pictures.show()
            teller.finish()
    assert teller.close()
    assert screen.n_shown == 10
    [line] = lines
    assert "the picture" in line
    assert "there is a hole in it" in line
