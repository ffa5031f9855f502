"""What the system grants to threads that must be in time: asked for when they start, given back when they end.

::

    audio (calls the callback)   above   engine and its helpers   above   everything else

- a thread's own class: `raised`, with that of its helpers, which are known by `new_helpers`; that of a library's
  threads: `new_natives`
- the process, while a session runs: `prepared`
- memory that is there before it is needed: `rtsep.realtime.memory`
- what a person can change on this system: `rtsep.realtime.doctor`

Each system has a file. Whatever is refused, everything works as before, with ordinary threads.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from rtsep.realtime.grant import HELPER_NAME, Elsewhere, Grant, Level, System

__all__ = [
    "HELPER_NAME",
    "Grant",
    "Level",
    "Standing",
    "new_helpers",
    "new_natives",
    "prepared",
    "raised",
    "start_helper",
    "system",
]


def _choose() -> System:
    if sys.platform == "linux":
        from rtsep.realtime.linux import Linux

        return Linux()
    if sys.platform == "darwin":
        from rtsep.realtime.macos import MacOS

        return MacOS()
    if sys.platform == "win32":
        from rtsep.realtime.windows import Windows

        return Windows()
    return Elsewhere()


_system = _choose()


def system() -> System:
    """The one that this is."""
    return _system


class Standing:
    """What a thread and its helpers were granted, until it is given back.

    Parameters
    ----------
    level
        That of the calling thread.
    period_s
        From one burst of its work to the next.
    helpers
        The threads that work for it while it waits, which are raised as well. Those of another engine are not its own:
        that one may play on when this has given back.
    """

    def __init__(self, level: Level, period_s: float, helpers: Sequence[threading.Thread] = ()) -> None:
        self._threads = [threading.current_thread(), *(thread for thread in helpers if thread.is_alive())]
        self.grant = _system.ask(level, self._threads[0], period_s)
        self.helpers = [_system.ask("helper", thread, period_s) for thread in self._threads[1:]]

    def give_back(self) -> bool:
        """Go on as threads like any other; whether any was raised until now. The thread itself has to call."""
        was_raised = bool(self._threads) and any(grant.is_raised for grant in (self.grant, *self.helpers))
        while self._threads:
            _system.give_back(self._threads.pop())
        return was_raised


@contextmanager
def raised(level: Level, period_s: float, helpers: Sequence[threading.Thread] = ()) -> Iterator[Standing]:
    """Run the calling thread and its helpers at a level, while `period_s` pass from burst to burst of its work."""
    standing = Standing(level, period_s, helpers)
    try:
        yield standing
    finally:
        standing.give_back()


@contextmanager
def prepared() -> Iterator[Grant]:
    """Prepare the process, while a session runs; see the system's own ``prepared``."""
    with _system.prepared() as grant:
        yield grant


_new_helpers: ContextVar[list[threading.Thread] | None] = ContextVar("new_helpers", default=None)


@contextmanager
def new_helpers() -> Iterator[list[threading.Thread]]:
    """Find the helpers that the calling thread starts in here, as whoever opens a stream does not see its threads."""
    found: list[threading.Thread] = []
    token = _new_helpers.set(found)
    try:
        yield found
    finally:
        _new_helpers.reset(token)


def start_helper(thread: threading.Thread) -> None:
    """Start a thread that works for an engine while that waits."""
    thread.start()
    found = _new_helpers.get()
    if found is not None:
        found.append(thread)


@contextmanager
def new_natives() -> Iterator[set[int]]:
    """Find the threads that a library starts in here, for `System.raise_natives`: the set is filled at the end."""
    found: set[int] = set()
    before = _system.native_ids()
    yield found
    found |= _system.native_ids() - before
