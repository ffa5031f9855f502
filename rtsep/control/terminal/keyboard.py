"""The keys of a terminal, one by one."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType, TracebackType

import blessed

#: Ctrl-Z, and what comes with `fg`; Windows has neither.
STOPPED: signal.Signals | None = getattr(signal, "SIGTSTP", None)
CONTINUED: signal.Signals | None = getattr(signal, "SIGCONT", None)
ESCAPE_S = 0.1  # so long a key that begins with Escape may take to arrive, and Escape alone takes
SHOW_CURSOR = "\x1b[?25h"


class Keyboard:
    """Single keys from the terminal, without Enter; outside of a terminal there are none.

    One of the two outputs has to be that terminal too, or nobody could see what the keys do: the other may be
    redirected.

    Used as a context manager, which gives the terminal back as it was. A shell that stops us (Ctrl-Z) gets its cursor
    back, and leaves the terminal in lines; it is asked for keys again when we go on.

    Parameters
    ----------
    wanted
        False for a keyboard that is left alone.

    Attributes
    ----------
    was_away : bool
        Whether somebody else has had the terminal, so that what was on it is there no more; whoever knows resets it.
    """

    def __init__(self, wanted: bool = True) -> None:
        shown = next(
            (one for one in (sys.__stdout__, sys.__stderr__) if one is not None and one.isatty()), None
        )
        self._terminal: blessed.Terminal | None = None
        if wanted and sys.stdin.isatty() and shown is not None:
            # Without styling blessed does not ask the terminal what it can, and wait for its answer: seconds, on some.
            self._terminal = blessed.Terminal(stream=shown, force_styling=None)
        self._stack = ExitStack()
        self.was_away = False

    def __enter__(self) -> Keyboard:
        if self._terminal is not None:
            self._stack.enter_context(self._terminal.cbreak())
            self._answer(CONTINUED, self._go_on)
            self._answer(STOPPED, self._stop)
        return self

    def _answer(
        self, number: signal.Signals | None, handler: Callable[[int, FrameType | None], None]
    ) -> None:
        """Have a signal answered until the end; one that is ignored (``nohup``) still is."""
        if number is not None and (before := signal.getsignal(number)) is not signal.SIG_IGN:
            self._stack.callback(signal.signal, number, before)
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        assert self._terminal is not None
        self._terminal.stream.write(SHOW_CURSOR)
        self._terminal.stream.flush()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # here we stand still until somebody has us go on
        signal.signal(number, self._stop)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        assert self._terminal is not None
        self._stack.enter_context(self._terminal.cbreak())
        self.was_away = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def works(self) -> bool:
        """Whether keys can come from here."""
        return self._terminal is not None

    def read(self, timeout_s: float) -> str | None:
        """The next key: a character or a name; none when none comes in time."""
        if self._terminal is None:
            return None
        stroke = self._terminal.inkey(timeout=timeout_s, esc_delay=ESCAPE_S)
        return (stroke.name if stroke.is_sequence else str(stroke)) or None
