"""Prints what is said and shown while music plays, on a thread that is allowed to wait: whoever says it never does.

A terminal may take nothing for as long as it likes (Ctrl-S, or ssh over a line that stalls), and so may whoever reads a
pipe. What is said comes from everywhere, also from threads that hold the board's lock; so they hand it over and go on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

MOST_LINES = 200  # that wait for a terminal; of more the oldest are lost
PATIENCE_S = 1.0  # with one that takes nothing, when all else is done

Job = Callable[[], None]


class Teller:
    """A thread that prints; lines first, then pictures.

    Parameters
    ----------
    write
        Prints a line.

    Attributes
    ----------
    write : callable
        What prints a line now; to be set by a job only.
    failure : BaseException or None
        What has ended a job.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write
        self.failure: BaseException | None = None
        self._lines: deque[str] = deque()
        self._jobs: list[Job] = []
        self._n_asked = self._n_done = self._n_lost = 0
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="rtsep-teller", daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        """Have a line printed."""
        with self._changed:
            if len(self._lines) == MOST_LINES:
                self._lines.popleft()
                self._n_lost, self._n_done = self._n_lost + 1, self._n_done + 1
            self._lines.append(text)
            self._n_asked += 1
            self._changed.notify_all()

    def ask(self, job: Job) -> None:
        """Have something else done there, after the lines that wait; what waits already is not asked for again."""
        with self._changed:
            if job not in self._jobs:
                self._jobs.append(job)
                self._n_asked += 1
                self._changed.notify_all()

    def finish(self) -> bool:
        """Wait until all is printed that was handed over, but not long while nothing is; whether it was."""
        with self._changed:
            wanted = self._n_asked
            while (n_done := self._n_done) < wanted:
                if not self._changed.wait_for(partial(self._has_done_more, n_done), PATIENCE_S):
                    return False
        return True

    def close(self) -> bool:
        """The same, for the last time: the thread ends, unless it cannot."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if is_done := self.finish():
            self.join()
        return is_done

    def join(self) -> None:
        """After `close`: wait for the thread."""
        self._thread.join(PATIENCE_S)

    def _has_done_more(self, n_done: int) -> bool:
        return self._n_done > n_done

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except BaseException as error:  # also SystemExit, which is for whoever waits for the music to end
                self.failure = error
            with self._changed:
                self._n_done += 1
                self._changed.notify_all()

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._jobs or self._is_over)
            if self._lines:
                n_lost, self._n_lost = self._n_lost, 0
                return partial(self._print, self._lines.popleft(), n_lost)
            return self._jobs.pop(0) if self._jobs else None

    def _print(self, text: str, n_lost: int) -> None:
        with suppress(OSError):  # if nobody can be told any more, the work goes on
            if n_lost:
                self.write(f"({n_lost} lines before this one are lost: nothing was taken here meanwhile)")
            self.write(text)
