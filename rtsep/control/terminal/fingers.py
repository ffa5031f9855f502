"""Presses keys as they come, whatever the screen does meanwhile."""

from __future__ import annotations

import threading
from functools import partial
from types import TracebackType

from rtsep.control.crew import Guard
from rtsep.control.player import Player
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keyboard import Keyboard
from rtsep.control.terminal.keys import press

TURN_S = 0.05  # the longest that the end waits for


class Fingers:
    """A thread that reads the keyboard: no key waits for a picture, or for a slow terminal that takes one.

    Used as a context manager.

    Parameters
    ----------
    keyboard
        Where keys come from; without any there is no thread.
    hands
        What is selected and marked.
    player
        The session that keys move.
    """

    def __init__(self, keyboard: Keyboard, hands: Hands, player: Player) -> None:
        self._keyboard, self._hands, self._player = keyboard, hands, player
        self._has_pressed, self._is_over = threading.Event(), threading.Event()
        self._guard = Guard("keys", partial(setattr, hands, "message"))
        self._thread = threading.Thread(target=self._run, name="rtsep-keys", daemon=True)

    def __enter__(self) -> Fingers:
        if self._keyboard.works:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self, timeout_s: float) -> None:
        """Until a key was pressed since the last time, for at most so long."""
        self._has_pressed.wait(timeout_s)
        self._has_pressed.clear()

    def _run(self) -> None:
        while not self._is_over.is_set() and not self._hands.quit and self._turn():
            pass

    def _turn(self) -> bool:
        """Press the next key, if there is one; False without a terminal: a signal ends us, if that is wished."""
        try:
            key = self._keyboard.read(TURN_S)
        except OSError:
            return False
        if key is not None:
            with self._guard:
                press(key, self._hands, self._player)
            self._has_pressed.set()
        return True
