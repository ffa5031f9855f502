from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtsep.control.terminal.keyboard import Keyboard


def test_outside_of_a_terminal_there_are_no_keys() -> None:
    with Keyboard() as keyboard:
        assert not keyboard.works
        assert keyboard.read(0.0) is None


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


def test_keys_come_from_a_terminal_without_enter(keys_of_a_terminal: tuple[int, int]) -> None:
    with Keyboard() as keyboard:
        assert keyboard.works
        os.write(keys_of_a_terminal[0], b"m\x1b[A")
        assert [keyboard.read(5.0), keyboard.read(5.0)] == ["m", "KEY_UP"]
        assert keyboard.read(0.0) is None
    with Keyboard(wanted=False) as keyboard:
        assert not keyboard.works


def test_keys_come_while_one_output_is_redirected(
    keys_of_a_terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        for name in ("__stdout__", "__stderr__"):
            with monkeypatch.context() as patch:
                patch.setattr(sys, name, log)
                with Keyboard() as keyboard:
                    assert keyboard.works
                    os.write(keys_of_a_terminal[0], b"q")
                    assert keyboard.read(5.0) == "q"
        monkeypatch.setattr(sys, "__stdout__", log)
        monkeypatch.setattr(sys, "__stderr__", log)
        with Keyboard() as keyboard:
            assert not keyboard.works


def test_keys_come_without_enter_again_after_a_stop(keys_of_a_terminal: tuple[int, int]) -> None:
    termios = pytest.importorskip("termios")
    _, terminal = keys_of_a_terminal
    before, handler = termios.tcgetattr(terminal), signal.getsignal(signal.SIGCONT)
    with Keyboard() as keyboard:
        termios.tcsetattr(terminal, termios.TCSANOW, before)  # as a shell does that shows its prompt
        signal.raise_signal(signal.SIGCONT)
        os.write(keys_of_a_terminal[0], b"m")
        assert keyboard.read(5.0) == "m"
    assert termios.tcgetattr(terminal) == before
    assert signal.getsignal(signal.SIGCONT) is handler
