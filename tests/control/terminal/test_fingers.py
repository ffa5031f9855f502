from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest
from session import StillSession

from rtsep.control.terminal.fingers import Fingers
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keyboard import Keyboard

PATIENCE_S = 20.0


def wait_for(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_keys_are_pressed_while_nobody_draws(keys_of_a_terminal: tuple[int, int], card: StillSession) -> None:
    hands = Hands()
    with Keyboard() as keyboard, Fingers(keyboard, hands, card) as fingers:
        os.write(keys_of_a_terminal[0], b"m\x1b[Bs")
        wait_for(lambda: bool(card.board["/stem/drums/solo"]))
        fingers.wait(0.0)
        os.write(keys_of_a_terminal[0], b"q")
        fingers.wait(PATIENCE_S)
        assert hands.quit
    assert card.board["/stem/vocals/mute"]
    assert "rtsep-keys" not in [thread.name for thread in threading.enumerate()]


def test_a_key_that_breaks_something_is_told_and_the_next_one_works(
    keys_of_a_terminal: tuple[int, int], card: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError("nobody thought of that")

    hands = Hands()
    with Keyboard() as keyboard, Fingers(keyboard, hands, card) as fingers:
        with monkeypatch.context() as broken:
            broken.setattr(card.board, "set", fail)
            os.write(keys_of_a_terminal[0], b"m")
            fingers.wait(PATIENCE_S)
            assert "nobody thought of that" in hands.message
        os.write(keys_of_a_terminal[0], b"m")
        fingers.wait(PATIENCE_S)
        assert card.board["/stem/vocals/mute"]


def test_without_a_terminal_there_is_no_thread(card: StillSession) -> None:
    with Keyboard() as keyboard, Fingers(keyboard, Hands(), card) as fingers:
        assert "rtsep-keys" not in [thread.name for thread in threading.enumerate()]
        fingers.wait(0.0)
