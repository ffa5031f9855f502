"""A stream that waits as long as it must for whoever reads, and can be told not to wait any more."""

from __future__ import annotations

import os
import select
import threading

LOOK_S = 0.05  # between two looks whether it is still to be waited for
PORTION_BYTES = select.PIPE_BUF if hasattr(select, "PIPE_BUF") else 512


class Patient:
    """Writes text to a file of the system, a portion whenever there is room for it.

    A write that waits inside the system can be broken off by nobody: the end of the process waits for it, and so does
    giving a terminal back as it was.

    Parameters
    ----------
    number
        The file's.
    encoding
        Of the text; what it lacks is written as escapes.
    is_left
        Whether nobody waits any more: what is not written then raises `BlockingIOError`.
    """

    def __init__(self, number: int, encoding: str, is_left: threading.Event) -> None:
        self._number, self.encoding, self._is_left = number, encoding, is_left
        self._own: int | None = None
        if os.isatty(number):  # which may say that there is room, and wait all the same
            way = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK  # of ours alone: others have the terminal too
            self._own = os.open(os.ttyname(number), way)

    def close(self) -> None:
        """Leave the file to those who have it, too."""
        if self._own is not None:
            os.close(self._own)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._own is not None

    def fileno(self) -> int:
        """The number of the file."""
        return self._number

    def write(self, text: str) -> int:
        """Write all of it."""
        number = self._number if self._own is None else self._own
        rest = text.encode(self.encoding, "backslashreplace")
        while rest:
            if select.select([], [number], [], LOOK_S)[1]:
                try:
                    rest = rest[os.write(number, rest[:PORTION_BYTES]) :]
                    continue
                except BlockingIOError:
                    self._is_left.wait(LOOK_S)
            if self._is_left.is_set():
                raise BlockingIOError("nobody reads, and nobody waits any more")
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""
