"""How long is it from a move of a hand to the changed coefficient, surface by surface?

For MIDI a client of a JACK server writes a message into a cycle and notes the time; for OSC a datagram is sent; Python
sets a fader. The time is noted again when the mixer publishes its coefficients. What is heard follows within one block
of the card and the ramp. The web mixer is measured by `bench/web.py`, through a browser's socket.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from parts.report import is_quick, show

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "io"), str(ROOT / "tests" / "control")]

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
    with OscSurface(session, "127.0.0.1", 0) as surface:
        client = SimpleUDPClient("127.0.0.1", surface.port)
        for k in range(n_messages):
            time.sleep(0.005)
            said_s.append(time.monotonic())
            client.send_message("/stem/vocals/gain_db", -float(k % 60))
        until_s = time.monotonic() + 5
        while len(changed_s) < n_messages and time.monotonic() < until_s:
            time.sleep(0.01)
    return milliseconds(said_s, changed_s)


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
        hand.stdin.write("end\n")
        hand.stdin.flush()
    return milliseconds(said_s, changed_s)


def measure_all(n_moves: int) -> Iterator[tuple[str, list[float]]]:
    """Surfaces and their milliseconds; without JACK those that need none."""
    yield "Python", measure_python(n_moves)
    yield "OSC", measure_osc(n_moves)
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
