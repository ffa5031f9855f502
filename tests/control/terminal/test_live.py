"""`rtsep live` in a terminal of its own: what is typed there is heard, and what is drawn there fits."""

from __future__ import annotations

import json
import os
import re
import select
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rtsep.io.files import AudioWriter, read_audio

pty = pytest.importorskip("pty")

OUTSIDE = Path(__file__).resolve().parents[2] / "outside"
PATIENCE_S = 120.0  # the first start compiles
RATE_HZ = 44100
TAB, ENTER, DOWN, RIGHT = b"\t", b"\r", b"\x1b[B", b"\x1b[C"


CLEAR = "\x1b[2J"


def plain(text: str) -> str:
    """Without colours and moves of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")


class Terminal:
    """A terminal in which a program runs, and what was written to it since the last look."""

    def __init__(self, *command: str, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which an exec leaves behind
            self.process, self.number = pty.fork()
        if not self.process:
            paths = os.pathsep.join([str(OUTSIDE), *sys.path])
            for fixed in ("COLUMNS", "LINES"):  # of whoever runs the tests: pytest-xdist sets one
                os.environ.pop(fixed, None)
            os.chdir(folder)
            os.execve(
                sys.executable,
                [sys.executable, *command],
                {**os.environ, "TERM": "xterm", "PYTHONPATH": paths},
            )
        self.seen = ""
        self.resize(80, 24)

    def resize(self, width: int, height: int) -> None:
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.number, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))

    def hang_up(self) -> None:
        """As ssh does that loses its connection; again it does nothing."""
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    def type(self, *keys: bytes) -> None:
        for key in keys:
            os.write(self.number, key)
            time.sleep(0.05)  # as a hand does, so that no two are taken for one

    def wait_for(self, is_so: Callable[[str], object]) -> str:
        """Read on until what came since the last time is so."""
        until_s, self.seen = time.monotonic() + PATIENCE_S, ""
        while not is_so(self.seen):
            assert time.monotonic() < until_s, self.seen[-3000:]
            if select.select([self.number], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.number, 1 << 16).decode(errors="replace")
                except OSError:  # Linux says the end of the program by an error
                    pytest.fail(f"the program ended: {self.seen[-3000:]}")
        return self.seen


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Terminal]:
    """A session that plays noise, transparently in two stems, and writes what is heard."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 60 * RATE_HZ)).astype(np.float32)
    with AudioWriter(tmp_path / "song.wav", RATE_HZ, 2) as writer:
        writer.write(noise)
    options = ["-m", "midside", "--clock", "real", "-o", "mix.wav", "--stats-json", "stats.json"]
    terminal = Terminal("-m", "rtsep", "live", "song.wav", *options, folder=tmp_path)
    try:
        yield terminal
    finally:
        terminal.hang_up()


def test_what_is_typed_is_heard_and_what_is_drawn_fits(live: Terminal, tmp_path: Path) -> None:
    live.wait_for(lambda seen: "q quit" in plain(seen))
    live.type(b"2", TAB, DOWN, RIGHT)
    assert "silences a stem" in plain(live.wait_for(lambda seen: "/stem/side/mute on" in seen))
    live.resize(40, 12)
    picture = live.wait_for(lambda seen: "xruns" in seen.partition(CLEAR)[2]).partition(CLEAR)[2]
    assert max(map(len, plain(picture).splitlines())) <= 40
    live.type(TAB, b":", *(bytes([byte]) for byte in b"/stem/mid/m"), TAB, b" ", b"o", b"n", ENTER)
    live.wait_for(lambda seen: "/stem/mid/mute on" in seen)
    time.sleep(0.5)  # which is to be heard
    live.type(b"q")
    assert os.waitstatus_to_exitcode(_left(live)) == 0
    mix, _ = read_audio(tmp_path / "mix.wav")
    stereo, mono = np.abs(mix[0] - mix[1]), np.abs(mix[0])
    assert stereo[: RATE_HZ // 4].any(), "at first the song is what it is"
    assert not mono[-RATE_HZ // 10 :].any(), "at last neither stem is heard"
    between = (stereo < 1e-4) & (mono > 1e-3)
    assert between.mean() > 0.01, "and in between mid without side, which is the same left and right"


def test_a_terminal_that_hangs_up_is_a_good_end(live: Terminal, tmp_path: Path) -> None:
    live.wait_for(lambda seen: "q quit" in plain(seen))
    time.sleep(0.3)
    live.hang_up()
    os.waitpid(live.process, 0)
    mix, _ = read_audio(tmp_path / "mix.wav")
    assert mix.any()
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["n_late_samples"] >= 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix.wav", "song.wav", "stats.json"]


def _left(live: Terminal) -> int:
    """How the program ended; what it says meanwhile is read, or it could not."""
    while True:
        if select.select([live.number], [], [], 0.05)[0]:
            try:
                os.read(live.number, 1 << 16)
            except OSError:  # nobody has the other end any more
                return os.waitpid(live.process, 0)[1]
        found, status = os.waitpid(live.process, os.WNOHANG)
        if found:
            return status
