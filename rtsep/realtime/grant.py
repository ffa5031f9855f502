"""What a thread may ask of the system, and what it is told."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

Level = Literal["audio", "engine", "helper"]
"""Who goes first: ``audio`` (what calls the callback), then ``engine`` and ``helper`` (the networks' threads, who
work while the engine waits for them, and what reads a file: they stand beside it), then everything else."""

HELPER_NAME = "rtsep-network"
"""How the names of the threads begin that work for an engine while it waits, for whoever looks at a process."""


NOTHING = "normal"


@dataclass(frozen=True)
class Grant:
    """An answer.

    Parameters
    ----------
    how
        What was granted, in a few words; ``normal`` is nothing.
    is_realtime
        Whether no ordinary program can keep the thread waiting.
    refused
        What was refused, and by whom; empty if nothing was.
    """

    how: str = NOTHING
    is_realtime: bool = False
    refused: str = ""

    @property
    def is_raised(self) -> bool:
        """Whether anything was granted."""
        return self.how != NOTHING

    def __str__(self) -> str:
        return f"{self.how} ({self.refused})" if self.refused else self.how


class System(Protocol):
    """One operating system."""

    def ask(self, level: Level, thread: threading.Thread, period_s: float) -> Grant:
        """Raise a thread that is running. Where only the thread itself may ask, others get less.

        Parameters
        ----------
        level
            How far.
        thread
            Which.
        period_s
            From one burst of its work to the next.
        """

    def give_back(self, thread: threading.Thread) -> None:
        """Make a thread one like any other; nothing happens if it has ended or was never raised."""

    def prepared(self) -> AbstractContextManager[Grant]:
        """What concerns the whole process, for as long as a session runs: its memory, or the system's timer."""

    def native_ids(self) -> set[int]:
        """All threads of this process, Python's or not; empty where nobody but a library raises its own."""

    def raise_natives(self, ids: set[int]) -> None:
        """Raise threads that are not Python's to the audio level."""


class Elsewhere:
    """A system that rtsep knows nothing of."""

    def ask(self, level: Level, thread: threading.Thread, period_s: float) -> Grant:
        """Nothing is granted."""
        return Grant(refused="rtsep knows no real-time class of this system")

    def give_back(self, thread: threading.Thread) -> None:
        """Nothing was taken."""

    def prepared(self) -> AbstractContextManager[Grant]:
        """Nothing is done."""
        return nothing("rtsep knows nothing to do on this system")

    def native_ids(self) -> set[int]:
        """Nobody."""
        return set()

    def raise_natives(self, ids: set[int]) -> None:
        """Nobody."""


class nothing(AbstractContextManager[Grant]):  # noqa: N801 (used like a function)
    """Prepares nothing, and says why."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __exit__(self, *error: object) -> None:
        pass

    def __enter__(self) -> Grant:
        return Grant(refused=self._why)
