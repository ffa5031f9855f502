"""The places to print to, and the words that several commands say.

`out` is for what was asked for, `err` for what is said about it. While music plays, both are left to a thread of their
own; see `aside`.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.console import Console
from rich.status import Status

from rtsep.cli.patient import Patient
from rtsep.cli.teller import Teller

if TYPE_CHECKING:
    from rtsep.separator import Separator


class Beside(Console):
    """For what nobody has to read."""

    def on_broken_pipe(self) -> None:
        """Say no more when whoever reads has gone; rich would end the program, and take `out` away from it."""
        self.quiet = True


# A terminal gets lines broken between words; a pipe gets them whole.
out = Console(soft_wrap=not sys.stdout.isatty())
err = Beside(stderr=True, soft_wrap=not sys.stderr.isatty())
_aside: tuple[Teller, Console] | None = None


def never_refuse(stream: TextIO) -> None:
    """Let a stream write what its encoding lacks as an escape (``\\u6b4c``): a file's name must not end the work."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Tell something beside the result, with no markup in it; if nobody can be told any more, the work goes on."""
    if (beside := _aside) is not None:
        beside[0].say(text)
    else:
        with suppress(OSError):
            _print(err, text)


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)


@contextmanager
def aside() -> Iterator[tuple[Teller, Console]]:
    """While it is entered, nobody waits for what is said; leaving waits, though not for a terminal that takes nothing.

    Entered again meanwhile it is the same one, and goes on.

    Yields
    ------
    tuple
        What prints, and the `out` for it: no other thread prints there meanwhile.
    """
    global _aside
    if _aside is not None:
        yield _aside
        return
    is_left = threading.Event()
    with ExitStack() as opened:
        shown, told = (_beside(console, is_left, opened) for console in (out, err))
        teller = Teller(lambda text: _print(told, text))
        _aside = teller, shown
        try:
            yield _aside
        finally:
            _aside = None
            if not teller.close():
                out.quiet = err.quiet = True  # nor does anybody wait for what would be printed after this
                is_left.set()
                teller.join()


def is_one_terminal() -> bool:
    """Whether `out` and `err` are the same terminal."""
    with suppress(OSError, ValueError):  # no files at all
        ends = sys.stdout.fileno(), sys.stderr.fileno()
        return all(map(os.isatty, ends)) and os.path.sameopenfile(*ends)
    return False


def _beside(console: Console, is_left: threading.Event, opened: ExitStack) -> Console:
    """A console like this one, to the same place, whose waiting can be broken off where the system has that."""
    stream = cast(TextIO, console.file)
    stream.flush()
    with suppress(OSError, ValueError):  # no file at all
        if os.name != "nt":
            patient = Patient(stream.fileno(), stream.encoding, is_left)
            opened.callback(patient.close)
            stream = cast(TextIO, patient)
    return type(console)(file=stream, soft_wrap=console.soft_wrap)


def getting_ready() -> Status:
    """Something to look at while a model is loaded, and for once compiled."""
    return err.status("Getting ready (the first time, this compiles for your processor: half a minute) ...")


def open_model(model: str | None, **options: Any) -> Separator:
    """The model that was named, or the default one and the line that says which that is; see `rtsep.load`."""
    from rtsep.separator import load
    from rtsep.zoo import default_model

    if model is not None:
        return load(model, **options)
    folder, notice = default_model()
    say(notice)
    return load(folder, **options)
