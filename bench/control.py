"""How long is it from a MIDI byte to the changed coefficient?

A client of a JACK server writes a message into a cycle and notes the time; the session's controllers take it, and the
time is noted when the mixer publishes its coefficients. Both are processes of this machine, by its one clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def measure(server: str, n_messages: int) -> list[float]:
    """Milliseconds, message by message: each turns the mute of a stem over."""
    from session import STEMS, StillSession

    from rtsep.control.midi.controllers import Controllers

    session, changed_s = StillSession(None), list[float]()
    coefficients = session.mix.open(STEMS)
    publish = coefficients.publish

    def timed(matrix: np.ndarray) -> None:
        publish(matrix)
        changed_s.append(time.monotonic())

    coefficients.publish = timed  # type: ignore[method-assign]
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
    assert len(changed_s) == len(said_s), f"{len(said_s)} said, {len(changed_s)} done"
    return [1000 * (done - said) for said, done in zip(said_s, changed_s, strict=True)]


def main() -> None:
    n_messages = 20 if is_quick(__doc__ or "") else 1000
    try:
        import jack  # noqa: F401
        from jack_server import run_server
    except (ImportError, OSError):
        print("nothing to measure: there is no JACK here")
        return
    os.environ["RTSEP_CONFIG"] = tempfile.mkdtemp()
    rows = []
    for period_samples in (64, 256):
        with run_server(period_samples=period_samples) as server:
            os.environ["JACK_DEFAULT_SERVER"] = server
            late_ms = measure(server, n_messages)
        p50, p99 = np.percentile(late_ms, (50, 99))
        rows.append(
            [f"MIDI on JACK, period {period_samples}", *(f"{ms:.2f}" for ms in (p50, p99, max(late_ms)))]
        )
    show("From the byte to the coefficient", ["surface", "p50 ms", "p99 ms", "max ms"], rows)


if __name__ == "__main__":
    main()
