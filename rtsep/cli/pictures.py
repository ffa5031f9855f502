"""The pictures of a session, drawn where there is time to wait for a terminal; what is said meanwhile stays above."""

from __future__ import annotations

from types import TracebackType

from rtsep.cli.teller import Teller
from rtsep.control.crew import Guard
from rtsep.control.terminal.screen import Screen

PATIENCE = 3  # pictures in a row that cannot be drawn: what is on one may be changed meanwhile


class Pictures:
    """Has a screen shown by a teller, while it is entered; who asks for a picture does not wait for it.

    Parameters
    ----------
    teller
        Shows it.
    screen
        What is shown.
    holds_words
        Whether what is said would go to the terminal of the picture, and into it.
    """

    def __init__(self, teller: Teller, screen: Screen, *, holds_words: bool) -> None:
        self._teller, self._screen = teller, screen
        self._holds_words = holds_words and screen.is_in_place
        self._write, self._is_over = teller.write, False
        self._guard = Guard("the picture", teller.say, PATIENCE)

    def __enter__(self) -> Pictures:
        self._teller.ask(self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        self._teller.ask(self._end)
        self._teller.finish()
        if kind is None:
            self._check()

    def show(self) -> None:
        """Have a picture of how things stand shown soon; raises what went wrong with an earlier one."""
        self._check()
        self._teller.ask(self._show)

    def begin_anew(self) -> None:
        """See `Screen.begin_anew`."""
        self._teller.ask(self._screen.begin_anew)

    def _check(self) -> None:
        if self._teller.failure is not None:
            raise self._teller.failure

    # --- on the teller's thread ---

    def _begin(self) -> None:
        self._screen.__enter__()
        if self._holds_words:
            self._teller.write = self._screen.say

    def _show(self) -> None:
        if not self._is_over:  # a session that stops is not looked at any more
            with self._guard:  # what cannot be drawn does not end what is heard
                self._screen.show()

    def _end(self) -> None:
        self._teller.write = self._write
        self._screen.__exit__(None, None, None)
