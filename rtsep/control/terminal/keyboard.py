"""The keys of a terminal, one by one."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from types import FrameType, TracebackType

import blessed

#: What comes after Ctrl-Z and `fg`; Windows has neither.
CONTINUED: signal.Signals | None = getattr(signal, "SIGCONT", None)


class Keyboard:
    """Single keys from the terminal, without Enter; outside of a terminal there are none.

    One of the two outputs has to be that terminal too, or nobody could see what the keys do: the other may be
    redirected.

    Used as a context manager, which gives the terminal back as it was. A shell that stops us (Ctrl-Z) leaves the
    terminal in lines; it is asked for keys again when we go on.

    Parameters
    ----------
    wanted
        False for a keyboard that is left alone.
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

    def __enter__(self) -> Keyboard:
        if self._terminal is not None:
            self._stack.enter_context(self._terminal.cbreak())
            if CONTINUED is not None:
                self._stack.callback(signal.signal, CONTINUED, signal.getsignal(CONTINUED))
                signal.signal(CONTINUED, self._go_on)
        return self

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        assert self._terminal is not None
        self._stack.enter_context(self._terminal.cbreak())

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
        stroke = self._terminal.inkey(timeout=timeout_s)
        return (stroke.name if stroke.is_sequence else str(stroke)) or None
