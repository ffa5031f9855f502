"""What the system grants to threads that must be in time: asked for when they start, given back when they end.

::

    audio (calls the callback)   above   engine and its helpers   above   everything else

- a thread's own class: `raised`; that of a library's threads: `new_natives`
- the process, while a session runs: `prepared`
- memory that is there before it is needed: `rtsep.realtime.memory`
- what a person can change on this system: `rtsep.realtime.doctor`

Each system has a file. Whatever is refused, everything works as before, with ordinary threads.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rtsep.realtime.grant import HELPER_NAME, Elsewhere, Grant, Level, System

__all__ = ["HELPER_NAME", "Grant", "Level", "Standing", "new_natives", "prepared", "raised", "system"]


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
        That of the calling thread; with ``engine`` the threads that work for it are raised as well.
    period_s
        From one burst of its work to the next.
    """

    def __init__(self, level: Level, period_s: float) -> None:
        self._threads = [threading.current_thread()]
        self.grant = _system.ask(level, self._threads[0], period_s)
        self.helpers: list[Grant] = []
        if level == "engine":
            for thread in threading.enumerate():
                if thread.name.startswith(HELPER_NAME):
                    self._threads.append(thread)
                    self.helpers.append(_system.ask("helper", thread, period_s))

    def give_back(self) -> bool:
        """Go on as threads like any other; whether any was raised until now. The thread itself has to call."""
        was_raised = bool(self._threads) and any(grant.is_raised for grant in (self.grant, *self.helpers))
        while self._threads:
            _system.give_back(self._threads.pop())
        return was_raised


@contextmanager
def raised(level: Level, period_s: float) -> Iterator[Standing]:
    """Run the calling thread at a level, for one in which `period_s` pass from burst to burst of its work."""
    standing = Standing(level, period_s)
    try:
        yield standing
    finally:
        standing.give_back()


@contextmanager
def prepared() -> Iterator[Grant]:
    """Prepare the process, while a session runs; see the system's own ``prepared``."""
    with _system.prepared() as grant:
        yield grant


@contextmanager
def new_natives() -> Iterator[set[int]]:
    """Find the threads that a library starts in here, for `System.raise_natives`: the set is filled at the end."""
    found: set[int] = set()
    before = _system.native_ids()
    yield found
    found |= _system.native_ids() - before
