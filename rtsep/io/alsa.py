"""ALSA's own library, on Linux, under PortAudio: without its talk on the terminal.

It writes a line to the terminal at every xrun, into the picture that is there, and from the thread that plays: which
would wait for a terminal that takes nothing. rtsep counts xruns itself, and says what PortAudio says is wrong.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

LIBRARY = "libasound.so.2"


def hush() -> None:
    """Let it say nothing; without it there is nothing to do."""
    if sys.platform != "linux":
        return
    with suppress(OSError):
        # It is called by the thread that plays: a function that needs no interpreter, and does nothing.
        nothing = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
        ctypes.CDLL(LIBRARY).snd_lib_error_set_handler(nothing)
