"""What Ctrl-C and the signals that end a program do: they ask, or they interrupt; nothing dies in the middle.

Python raises `KeyboardInterrupt` for SIGINT only. The others would end the process where it stands, and leave
the hidden files of half a job behind.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

#: Signals that end a program and can be answered; Windows has no SIGHUP.
HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
ENDINGS = (signal.SIGTERM,) if HANG_UP is None else (signal.SIGTERM, HANG_UP)


class Ended(KeyboardInterrupt):
    """One of `ENDINGS` came; handled like Ctrl-C, so that everything is cleared away.

    Parameters
    ----------
    number
        The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def end_like_ctrl_c() -> None:
    """Let `ENDINGS` raise `Ended` from now on; one that was told to be ignored (``nohup``) still is."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended(number)

    for number in ENDINGS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


@contextmanager
def interruptible(ask: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and `ENDINGS` ask for a good end, once; a second one of them interrupts as ever.

    Parameters
    ----------
    ask
        Called by the first signal, between two instructions of the main thread: it should set a flag that the
        work looks at, and no more.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDINGS)}
    if HANG_UP is not None and before[HANG_UP] == signal.SIG_IGN:
        del before[HANG_UP]  # nohup: the work goes on without its terminal

    def ask_once(number: int, frame: FrameType | None) -> None:
        ask()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask_once)
    try:
        yield
    finally:
        restore()


def hold_back() -> None:
    """Have the signals that end a program wait, also for the program that takes its place; see `let_through`."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *ENDINGS})


def let_through() -> None:
    """End `hold_back`: those that have come by now are answered now."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, *ENDINGS})
