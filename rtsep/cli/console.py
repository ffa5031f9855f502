"""The two places to print to, and the words that several commands say.

`out` is for what was asked for, `err` for what is said about it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.status import Status

if TYPE_CHECKING:
    from rtsep.separator import Separator

# A terminal gets lines broken between words; a pipe gets them whole.
out = Console(soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, soft_wrap=not sys.stderr.isatty())


def never_refuse(stream: TextIO) -> None:
    """Let a stream write what its encoding lacks as an escape (``\\u6b4c``): a file's name must not end the work."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Tell something beside the result, with no markup in it; if nobody can be told any more, the work goes on."""
    with suppress(OSError):
        err.print(text, markup=False, highlight=False)


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
