"""What every surface needs: threads that end with it, and nothing that fails in one ends it unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType

from rtsep.errors import RtsepError

MOST_TOLD = 4  # reasons, of all that a surface fails for; whoever plays has to read them


class Guard:
    """As a context manager: whatever fails inside is counted, and ends nothing; each reason is told once.

    Parameters
    ----------
    name
        The surface, as a person knows it.
    say
        Is told what has failed.
    patience
        How often in a row it must fail to be worth a word: some things are being changed while they are looked at.

    Attributes
    ----------
    n_failed, n_in_a_row : int
        All failures, and those since it last went well.
    """

    def __init__(self, name: str, say: Callable[[str], None], patience: int = 1) -> None:
        self._name, self._say, self._patience = name, say, patience
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self.n_failed = self.n_in_a_row = 0

    def __enter__(self) -> None:
        """Nothing is asked for: it is not owned by who is inside."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            self.n_in_a_row = 0
            return False
        if not isinstance(error, Exception):
            return False
        with self._lock:
            self.n_failed, self.n_in_a_row = self.n_failed + 1, self.n_in_a_row + 1
            text = str(error) if isinstance(error, RtsepError) else f"an error in rtsep: {error!r}"
            is_news = text not in self._told and len(self._told) < MOST_TOLD
            is_told = is_news and self.n_in_a_row >= self._patience
            if is_told:
                self._told.add(text)
        if is_told:  # with no lock held: it may take a while
            self._say(f"{self._name}: {text}")
        return True


class Crew:
    """The threads of a surface.

    Parameters
    ----------
    guard
        Is told of a thread that ends by a failure, which is the end of what it did.

    Attributes
    ----------
    over : threading.Event
        Whether they are to end: they look at it, and wait by it.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard, self.over = guard, threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, works: Mapping[str, Callable[[], None]]) -> None:
        """Begin to work, each on a thread of that name."""
        for name, work in works.items():
            thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        with self._guard:
            work()

    def end(self, *wakes: Callable[[], object]) -> None:
        """Have all return, and wait for it. Again it does nothing.

        Parameters
        ----------
        *wakes
            What ends their waiting, in order.
        """
        self.over.set()
        for wake in wakes:
            wake()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
