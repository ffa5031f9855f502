"""What is said while a session plays: it stays readable, and nobody waits until a terminal has taken it."""

from __future__ import annotations

import codecs
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from glass import Glass
from test_live import PATIENCE_S, RATE_HZ, Terminal, plain

from rtsep.io.files import AudioWriter

WORDS = "MIDI: nanoKONTROL2 is gone; it is waited for"
N_LOUD = 2000  # lines: many more than a terminal holds that is not read
END_S = 60.0  # for a session that has nothing to wait for: it takes two or three

#: A session whose controllers have something to say as soon as `go` is there; as for `/midi/learn`, one of them says it
#: in the middle of a change of the board.
CHILD = """
import sys, threading, time
from pathlib import Path
from rtsep.board import Control
from rtsep.cli.console import say
from rtsep.cli.play import play
from rtsep.host import Host
from rtsep.parameters import ROWS
from rtsep.settings import LiveSettings

words, n_words, redirected = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if redirected:
    import os
    os.dup2(os.open(redirected, os.O_WRONLY | os.O_CREAT), 2)
host = Host(LiveSettings().with_overrides({
    "input": {"source": "file:song.wav"}, "model": {"name": "midside"},
    "output": {"sink": "file:mix.wav", "clock": "real"},
}))

def arm(value):
    for _ in range(n_words):
        say(words)

def surface():
    while not Path("go").exists():
        time.sleep(0.01)
    host.board.set("/midi/learn", "off", origin="python")
    Path("set").touch()

host.board.keep([Control(ROWS["/midi/learn"], lambda: "", arm)])
threading.Thread(target=surface, daemon=True).start()
play(host, keys=True)
Path("muted").write_text(str(host.board["/stem/mid/mute"]))
"""


class Session(Terminal):
    """A session in a terminal, and what is seen there."""

    def __init__(self, folder: Path, n_words: int, redirected: str) -> None:
        super().__init__("-c", CHILD, WORDS, str(n_words), redirected, folder=folder)
        self.folder, self.glass = folder, Glass(80, 24)
        self.has_ended = False
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def look(self, is_so: Callable[[str], object]) -> None:
        """Look on until what comes is so."""
        until_s, text = time.monotonic() + PATIENCE_S, ""
        while not is_so(plain(text)):
            assert time.monotonic() < until_s, self.glass.seen()
            if select.select([self.number], [], [], 0.1)[0]:
                new = self._decoder.decode(os.read(self.number, 1 << 16))
                self.glass.feed(new)
                text += new

    def pictures(self, n_pictures: int) -> None:
        """Look on for so many pictures."""
        self.look(lambda text: text.count("q quit") >= n_pictures)

    def go(self) -> None:
        (self.folder / "go").touch()
        wait_until((self.folder / "set").exists, PATIENCE_S)


def wait_until(is_so: Callable[[], bool], patience_s: float) -> None:
    until_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.01)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_song(tmp_path, 60.0)


def write_song(folder: Path, duration_s: float) -> Path:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, round(duration_s * RATE_HZ)))
    with AudioWriter(folder / "song.wav", RATE_HZ, 2) as writer:
        writer.write(noise.astype(np.float32))
    return folder


@pytest.fixture
def begun() -> Iterator[Callable[..., Session]]:
    """Begins a session, which is ended at last."""
    sessions: list[Session] = []

    def begin(folder: Path, *, n_words: int = 1, redirected: str = "") -> Session:
        sessions.append(Session(folder, n_words, redirected))
        sessions[-1].pictures(1)
        return sessions[-1]

    yield begin
    for session in sessions:
        session.hang_up()
        if not session.has_ended:
            os.kill(session.process, signal.SIGKILL)
            os.waitpid(session.process, 0)


def test_what_is_said_stays_above_the_picture_and_leaves_nothing_in_it(
    song: Path, begun: Callable[..., Session]
) -> None:
    session = begun(song)
    before = len([line for line in session.glass.seen() if line])
    session.go()
    session.pictures(30)
    seen = session.glass.seen()
    above, below = [number for number, line in enumerate(seen) if line == WORDS]
    picture = seen[above + 1 : below]
    assert ["mid" in picture[0], "xruns" in "".join(picture)] == [True, True]
    for part in ("xruns", "latency", "q quit"):
        assert sum(part in line for line in seen) == 1, seen
    assert len([line for line in seen if line]) == before + 2, "the words above, and as the last answer"
    session.type(b"m")
    session.pictures(5)
    assert session.glass.seen().count(WORDS) == 1, "the next answer is another one"


def test_what_is_said_elsewhere_is_said_there_alone(song: Path, begun: Callable[..., Session]) -> None:
    session = begun(song, redirected="said.txt")
    before = len([line for line in session.glass.seen() if line])
    session.go()
    session.pictures(10)
    assert (song / "said.txt").read_text().splitlines().count(WORDS) == 1
    assert WORDS not in session.glass.seen()
    assert len([line for line in session.glass.seen() if line]) == before


@pytest.mark.parametrize("end", ["key", "signal", "song"])
def test_a_terminal_that_takes_nothing_holds_up_nobody(
    end: str, tmp_path: Path, begun: Callable[..., Session]
) -> None:
    session = begun(write_song(tmp_path, 8.0 if end == "song" else 60.0), n_words=N_LOUD)
    session.go()  # nobody reads from here on
    session.type(b"m")
    time.sleep(0.5)  # for another picture, which nobody takes either
    if end == "key":
        session.type(b"q")
    elif end == "signal":
        os.kill(session.process, signal.SIGTERM)
    assert ended(session, END_S) == 0
    assert (tmp_path / "muted").read_text() == "True"


def test_what_could_not_be_said_is_counted(song: Path, begun: Callable[..., Session]) -> None:
    session = begun(song, n_words=N_LOUD)
    session.go()
    time.sleep(0.5)
    session.look(lambda text: "lines before this one are lost" in text)
    session.pictures(5)
    assert WORDS in session.glass.seen()


def ended(session: Session, patience_s: float) -> int:
    """How the program ended, of whose output nothing is read."""
    until_s = time.monotonic() + patience_s
    while not (found := os.waitpid(session.process, os.WNOHANG))[0]:
        if time.monotonic() > until_s:
            pytest.fail("the session did not end")
        time.sleep(0.05)
    session.has_ended = True
    return os.waitstatus_to_exitcode(found[1])
