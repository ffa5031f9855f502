from __future__ import annotations

import os
import select
import signal
import sys
import warnings
from pathlib import Path

import pytest

from rtsep.control.terminal.keyboard import SHOW_CURSOR, Keyboard

CTRL_Z = b"\x1a"
PATIENCE_S = 20.0


def test_outside_of_a_terminal_there_are_no_keys() -> None:
    with Keyboard() as keyboard:
        assert not keyboard.works
        assert keyboard.read(0.0) is None


def test_keys_come_from_a_terminal_without_enter(keys_of_a_terminal: tuple[int, int]) -> None:
    with Keyboard() as keyboard:
        assert keyboard.works
        os.write(keys_of_a_terminal[0], b"m\x1b[A")
        assert [keyboard.read(5.0), keyboard.read(5.0)] == ["m", "KEY_UP"]
        assert keyboard.read(0.0) is None
    with Keyboard(wanted=False) as keyboard:
        assert not keyboard.works


@pytest.mark.parametrize("noise", ["ä".encode("latin1"), b"\xff", b"\x80\xfe"])
def test_a_byte_that_is_no_text_takes_no_key_with_it(
    noise: bytes, keys_of_a_terminal: tuple[int, int]
) -> None:
    with Keyboard() as keyboard:
        os.write(keys_of_a_terminal[0], noise + b"ms\xc3\xa4q")
        keys = []
        while (key := keyboard.read(0.5)) is not None:
            keys.append(key)
        assert [key for key in keys if key != "\ufffd"] == ["m", "s", "ä", "q"]


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


CHILD = """
import os, signal, sys, time
from rtsep.control.terminal.keyboard import Keyboard
with Keyboard() as keyboard:
    sys.stdout.write("\x1b[?25lready")
    sys.stdout.flush()
    while (key := keyboard.read(0.05)) != "q":
        if keyboard.was_away:
            keyboard.was_away = False
            print("back", flush=True)
"""


SHELL = 'set -m; "$PYTHON" -c "$CHILD"; echo stopped; fg; echo stopped; fg; echo left with $?'


def test_a_shell_has_its_cursor_while_we_are_stopped() -> None:
    pty = pytest.importorskip("pty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which an exec leaves behind
        shell, terminal = pty.fork()
    if not shell:
        ours = {
            "TERM": "xterm",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHON": sys.executable,
            "CHILD": CHILD,
        }
        os.execve("/bin/sh", ["sh", "-c", SHELL], {**os.environ, **ours})

    def read_until(text: bytes) -> bytes:
        read = b""
        while text not in read:
            assert select.select([terminal], [], [], PATIENCE_S)[0], read
            read += os.read(terminal, 4096)
        return read

    try:
        read_until(b"ready")
        for _ in ("once", "again"):
            os.write(terminal, CTRL_Z)
            assert SHOW_CURSOR.encode() in read_until(b"stopped")
            read_until(b"back")
        os.write(terminal, b"q")
        read_until(b"left with 0")
    finally:
        os.close(terminal)
        os.waitpid(shell, 0)
