from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def keys_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal, whose second one is the standard input."""
    pty = pytest.importorskip("pty")
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ours)
        terminal = stack.enter_context(os.fdopen(theirs, "r+b", buffering=0))
        monkeypatch.setattr(sys, "__stdin__", terminal)
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "__stdout__", terminal)
        monkeypatch.setattr(sys, "__stderr__", terminal)
        yield ours, theirs
