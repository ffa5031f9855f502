"""The keys of a terminal, one by one."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType, TracebackType

import blessed

#: Ctrl-Z, and what comes with `fg`; Windows has neither.
STOPPED: signal.Signals | None = getattr(signal, "SIGTSTP", None)
CONTINUED: signal.Signals | None = getattr(signal, "SIGCONT", None)
ESCAPE_S = 0.1  # so long a key that begins with Escape may take to arrive, and Escape alone takes
SHOW_CURSOR = "\x1b[?25h"

#: What is raised when the terminal is there no more, as when ssh has lost its connection; a signal says so too.
GONE: tuple[type[Exception], ...] = (OSError,)
with suppress(ImportError):  # on Windows
    from termios import error

    GONE = (OSError, error)


class _Terminal(blessed.Terminal):
    """Blessed's, to which a byte that is no text, as of a terminal that is set to Latin-1, is a key like another."""

    def getch(self, decode_latin1: bool = False) -> str:
        """See there."""
        try:
            return str(super().getch(decode_latin1))
        except UnicodeDecodeError as error:
            self._keyboard_decoder.reset()  # which keeps the byte, and would fail at every key from now on
            return bytes(error.object).decode(error.encoding, "replace")


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
            self._terminal = _Terminal(stream=shown, force_styling=None)
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
        with suppress(*GONE):
            self._terminal.stream.write(SHOW_CURSOR)
            self._terminal.stream.flush()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # here we stand still until somebody has us go on
        signal.signal(number, self._stop)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        assert self._terminal is not None
        with suppress(*GONE):  # a terminal that hangs up has us go on too
            self._stack.enter_context(self._terminal.cbreak())
        self.was_away = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(*GONE):
            self._stack.close()

    @property
    def works(self) -> bool:
        """Whether keys can come from here."""
        return self._terminal is not None

    def read(self, timeout_s: float) -> str | None:
        """The next key: a character or a name; none when none comes in time.

        Raises
        ------
        OSError
            The terminal is there no more.
        """
        if self._terminal is None:
            return None
        try:
            stroke = self._terminal.inkey(timeout=timeout_s, esc_delay=ESCAPE_S)
        except EOFError as error:
            raise OSError("the terminal has no more keys") from error
        return (stroke.name if stroke.is_sequence else str(stroke)) or None
