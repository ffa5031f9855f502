"""How long is it from a move of a hand to the changed coefficient, surface by surface?

For MIDI a client of a JACK server writes a message into a cycle and notes the time; for OSC a datagram is sent; Python
sets a fader; a terminal of another process types, with pictures of a live session on it. The time is noted again when
the mixer publishes its coefficients. What is heard follows within one block of the card and the ramp. The web mixer is
measured by `bench/web.py`, through a browser's socket.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from parts.report import is_quick, show

from rtsep.succession import SWITCH_S

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "io"), str(ROOT / "tests" / "control")]

LAST_S = 2.0  # for the last message to arrive
HAND = """
import sys, time, jack
client = jack.Client("hand", servername=sys.argv[1], no_start_server=True)
port, n, every = client.midi_outports.register("knobs"), int(sys.argv[2]), int(sys.argv[3])
times, state = [], [0]
def process(n_samples):
    port.clear_buffer()
    state[0] += 1
    if state[0] % every == 0 and len(times) < n and go:
        times.append(time.monotonic())
        port.write_midi_event(0, bytes((0x90, 0x24, 0x40)))
go = []
client.set_process_callback(process)
client.activate()
print("ready", flush=True)
sys.stdin.readline()
go.append(1)
while len(times) < n:
    time.sleep(0.01)
time.sleep(0.2)
print(*times, flush=True)
sys.stdin.readline()
client.deactivate()
client.close()
"""

TYPIST = """
import os, random, select, sys, time
terminal, n_keys = int(sys.argv[1]), int(sys.argv[2])
def watch_for(time_s):
    until_s, n_bytes = time.monotonic() + time_s, 0
    while (left_s := until_s - time.monotonic()) > 0:
        if select.select([terminal], [], [], left_s)[0]:
            n_bytes += len(os.read(terminal, 1 << 16))
    return n_bytes
while watch_for(0.2) < 1000:  # until there are pictures
    pass
times = []
for k in range(n_keys):
    times.append(time.monotonic())
    os.write(terminal, b"-+"[k % 2 : k % 2 + 1])
    watch_for(random.uniform(0.001, 0.1))
os.write(terminal, b"q")
print(*times, flush=True)
try:
    while True:
        watch_for(1)
except OSError:  # nobody has the other end any more
    pass
"""


def watched() -> tuple[Any, list[float]]:
    """A session that stands still, and when its coefficients were published."""
    from session import STEMS, StillSession

    session, changed_s = StillSession(None), list[float]()
    coefficients = session.mix.open(STEMS)
    publish = coefficients.publish

    def timed(matrix: np.ndarray) -> None:
        publish(matrix)
        changed_s.append(time.monotonic())

    coefficients.publish = timed
    sys.setswitchinterval(SWITCH_S)  # as a session does it, which also keeps the collector from what is there
    gc.collect()
    gc.freeze()
    return session, changed_s


def measure_python(n_moves: int) -> list[float]:
    """Milliseconds of a fader that is set."""
    session, changed_s = watched()
    said_s = []
    for k in range(n_moves):
        said_s.append(time.monotonic())
        session.board["/stem/vocals/gain_db"] = -(k % 60)
    return milliseconds(said_s, changed_s)


def measure_osc(n_messages: int) -> list[float]:
    """Milliseconds from a datagram on."""
    from pythonosc.udp_client import SimpleUDPClient

    from rtsep.control.osc import OscSurface

    session, changed_s = watched()
    said_s = []
    with (
        OscSurface(session, "127.0.0.1", 0) as surface,
        SimpleUDPClient("127.0.0.1", surface.port) as client,
    ):
        for k in range(n_messages):
            time.sleep(0.005)
            said_s.append(time.monotonic())
            client.send_message("/stem/vocals/gain_db", -float(k % 60))
        until_s = time.monotonic() + 5
        while len(changed_s) < n_messages and time.monotonic() < until_s:
            time.sleep(0.01)
    return milliseconds(said_s, changed_s)


def measure_keys(n_keys: int) -> list[float]:
    """Milliseconds from a key that is typed at a terminal on: each moves a fader by a step."""
    session, changed_s = watched()
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", TYPIST, str(ours), str(n_keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[ours]) as typist:
        assert typist.stdout is not None
        with on_terminal(theirs):
            perform(session)
        said_s = [float(text) for text in typist.stdout.readline().split()]
    os.close(ours)
    return milliseconds(said_s, changed_s)


@contextmanager
def on_terminal(number: int) -> Iterator[None]:
    """Have a terminal of usual size for input and output."""
    import fcntl
    import struct
    import termios

    fcntl.ioctl(number, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    names = ("stdin", "__stdin__", "stdout", "__stdout__")
    before = {name: getattr(sys, name) for name in names}
    with os.fdopen(os.dup(number), "r") as written, os.fdopen(number, "w") as shown:
        os.environ["TERM"] = "xterm-256color"
        try:
            for name in names:
                setattr(sys, name, written if "in" in name else shown)
            yield
        finally:
            for name, stream in before.items():
                setattr(sys, name, stream)


def perform(session: Any) -> None:
    """Pictures and keys of `rtsep live` for a session that stands still, until q."""
    from rtsep.cli.console import aside
    from rtsep.cli.pictures import Pictures
    from rtsep.cli.play import Keeper, follow
    from rtsep.control.terminal.fingers import Fingers
    from rtsep.control.terminal.hands import Hands
    from rtsep.control.terminal.keyboard import Keyboard
    from rtsep.control.terminal.screen import Screen

    hands = Hands()
    session.message, session.error = "", None
    session.news, session.wait, session.now = list, lambda timeout_s: False, lambda: None
    session.done = False
    with (
        Keyboard() as keyboard,
        aside() as (teller, out),
        Pictures(teller, Screen(out, session, hands), holds_words=False) as pictures,
        Fingers(keyboard, hands, session) as fingers,
    ):
        follow(session, hands, None, keyboard, fingers, pictures, lambda hands: None, Keeper(session, None))


def milliseconds(said_s: list[float], changed_s: list[float]) -> list[float]:
    """Of moves that each publish once."""
    assert len(changed_s) == len(said_s), f"{len(said_s)} said, {len(changed_s)} done"
    return [1000 * (done - said) for said, done in zip(said_s, changed_s, strict=True)]


def measure_midi(server: str, n_messages: int) -> list[float]:
    """Milliseconds, message by message: each turns the mute of a stem over."""
    from rtsep.control.midi.controllers import Controllers

    session, changed_s = watched()
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HAND, server, str(n_messages), "3"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as hand:
        assert hand.stdin is not None
        assert hand.stdout is not None
        hand.stdout.readline()
        with Controllers(session, ["hand"], lambda text: None):
            hand.stdin.write("go\n")
            hand.stdin.flush()
            said_s = [float(text) for text in hand.stdout.readline().split()]
            until_s = time.monotonic() + LAST_S
            while len(changed_s) < len(said_s) and time.monotonic() < until_s:
                time.sleep(0.01)
        hand.stdin.write("end\n")
        hand.stdin.flush()
    return milliseconds(said_s, changed_s)


def measure_all(n_moves: int) -> Iterator[tuple[str, list[float]]]:
    """Surfaces and their milliseconds; without JACK those that need none."""
    yield "Python", measure_python(n_moves)
    yield "OSC", measure_osc(n_moves)
    if sys.platform != "win32":
        yield "keys on a terminal of 80 x 24", measure_keys(n_moves)
    try:
        import jack  # noqa: F401
        from jack_server import run_server
    except (ImportError, OSError):
        print("MIDI is not measured: there is no JACK here")
        return
    for period_samples in (64, 256):
        with run_server(period_samples=period_samples) as server:
            os.environ["JACK_DEFAULT_SERVER"] = server
            yield f"MIDI on JACK, period {period_samples}", measure_midi(server, n_moves)


def main() -> None:
    n_moves = 20 if is_quick(__doc__ or "") else 1000
    os.environ["RTSEP_CONFIG"] = tempfile.mkdtemp()
    rows = []
    for surface, late_ms in measure_all(n_moves):
        p50, p99 = np.percentile(late_ms, (50, 99))
        rows.append([surface, *(f"{ms:.2f}" for ms in (p50, p99, max(late_ms)))])
    show("From the hand to the coefficient", ["surface", "p50 ms", "p99 ms", "max ms"], rows)


if __name__ == "__main__":
    main()
