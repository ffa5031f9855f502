"""Changes that take time, such as another model, or a file to be written: one after another, beside whoever asked.

A hand does not wait for a model to load, nor for a disk. So what a surface asks for is noted, and done on a thread that
lives as long as there is something to do; of two wishes for the same thing the later one counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtsep.errors import RtsepError, UsageError

Wish = Callable[[], str]
Ask = Callable[[str, str, Wish], None]  #: `Wishes.ask`: what, the message meanwhile, and what does it


class Wishes:
    """What was asked for and is not done yet.

    Parameters
    ----------
    tell
        Gets every message.
    is_held
        Whether nothing is done before `begin`.

    Attributes
    ----------
    message : str
        How far the last one is, or what went wrong; the music goes on in any case.
    """

    def __init__(self, tell: Callable[[str], None] = lambda message: None, *, is_held: bool = False) -> None:
        self._tell, self._is_held = tell, is_held
        self._lock = threading.Lock()
        self._wishes: dict[str, Wish] = {}
        self._thread: threading.Thread | None = None
        self._is_over = False
        self.message = ""

    def _say(self, message: str) -> None:
        if message:
            self.message = message
            self._tell(message)

    def ask(self, what: str, doing: str, wish: Wish) -> None:
        """Have something done soon.

        Parameters
        ----------
        what
            What it is about.
        doing
            The message meanwhile; empty: none.
        wish
            Does it, and gives the message afterwards; empty: none.

        Raises
        ------
        UsageError
            No wish is taken any more.
        """
        with self._lock:
            if self._is_over:
                raise UsageError("the session is over, so nothing can be asked for any more")
            self._wishes.pop(what, None)
            self._wishes[what] = wish
            self._say(doing)
            self._wake()

    def begin(self) -> None:
        """Do what was asked for until now, and what will be."""
        with self._lock:
            self._is_held = False
            self._wake()

    def _wake(self) -> None:
        if self._wishes and self._thread is None and not self._is_held:
            self._thread = threading.Thread(target=self._run, name="rtsep-wishes", daemon=True)
            self._thread.start()

    def seal(self) -> None:
        """Take no wish any more; those that were asked for are done."""
        with self._lock:
            self._is_over = True

    def close(self) -> None:
        """Begin nothing more."""
        with self._lock:
            self._wishes.clear()
            self._is_over = True

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for what is under way."""
        if (thread := self._thread) is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        while (wish := self._next()) is not None:
            try:
                self._say(wish())
            except RtsepError as error:
                self._say(f"nothing changed: {error}")
            except Exception as error:  # it must not end unseen with its thread
                self._say(f"nothing changed, for an error in rtsep, which should be reported: {error!r}")

    def _next(self) -> Wish | None:
        with self._lock:
            if not self._wishes:
                self._thread = None
                return None
            return self._wishes.pop(next(iter(self._wishes)))
