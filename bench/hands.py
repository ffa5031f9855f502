"""How long is it from a hand to the sound, surface by surface?

A session plays a constant on a JACK server without hardware, and a client in a process of its own listens, as a card
would: a move of the master fader is heard as a ramp, and of the first sample that is another one is noted when a card
plays it that is one block behind, which is the least. The ramp takes 10 ms more. Keys are typed into a
pseudo-terminal, MIDI comes from a JACK client, OSC by a datagram and the page by a websocket, all from outside
of the session; Python sets the fader in a session of its own process. `bench/control.py` measures the first part of
this alone.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from parts.jack import has_server, server
from parts.report import is_quick, show
from pythonosc.udp_client import SimpleUDPClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from rtsep.demo.song import SAMPLE_RATE_HZ
from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings

MASTER = "/bus/main/gain_db"
MODEL, BLOCK_SAMPLES, LEVEL = "demo-2stems", 256, 0.5
STEADY_S, HEAR_S, WAIT_S, MOST_UNHEARD = 0.06, 1.0, 10.0, 5
MAP = f"""
name: two buttons
match: hand
bindings:
  - {{note: 60, to: {MASTER}, press: set, value: -1.0}}
  - {{note: 61, to: {MASTER}, press: set, value: 0.0}}
"""

EARS = """
import sys, time, jack
import numpy as np
client = jack.Client("ears", servername=sys.argv[1], no_start_server=True)
ports, last, moving = [client.inports.register(f"in_{i}") for i in range(2)], [0.0], [False]
def listen(n):
    since_s = (client.frame_time - client.last_frame_time) / client.samplerate
    begun_s = time.monotonic() - since_s
    block = np.append(last[0], ports[0].get_array())
    moves = np.flatnonzero(np.abs(np.diff(block)) > 2e-5)
    if len(moves) and not moving[0]:
        print(begun_s + (n + moves[0]) / client.samplerate, flush=True)
    moving[0], last[0] = len(moves) > 0, block[-1]
client.set_process_callback(listen)
client.activate()
print("ready", flush=True)
sys.stdin.read()
client.deactivate()
client.close()
"""

HAND = """
import sys, time, jack
client, asked = jack.Client("hand", servername=sys.argv[1], no_start_server=True), []
port = client.midi_outports.register("knobs")
def process(n):
    port.clear_buffer()
    if asked:
        port.write_midi_event(0, asked.pop())
        said.append(time.monotonic() - (client.frame_time - client.last_frame_time) / client.samplerate)
said = []
client.set_process_callback(process)
client.activate()
print("ready", flush=True)
for line in sys.stdin:
    asked.append(bytes.fromhex(line))
    while not said:
        time.sleep(0.001)
    print(said.pop(), flush=True)
client.deactivate()
client.close()
"""

Move = Callable[[bool], float]  # the fader down, or up again; gives the time of the hand


class Ears:
    """Notes when the sound changes."""

    def __init__(self, name: str) -> None:
        self._process = child(EARS, name)
        self._times: list[float] = []
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._times.append(float(line))

    def change_after(self, said_s: float) -> float | None:
        """When the sound changed next; None: it did not."""
        until_s = time.monotonic() + HEAR_S
        while time.monotonic() < until_s:
            for heard_s in self._times:
                if heard_s > said_s:
                    return heard_s
            time.sleep(0.002)
        return None

    def wait_for_session(self) -> None:
        """Until the sound of one has begun, and stays."""
        n_before = n = len(self._times)
        while n == n_before or n < len(self._times):
            n = len(self._times)
            time.sleep(1.0)

    def close(self) -> None:
        """Listen no more."""
        end(self._process)


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A JACK client that is ready."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(WAIT_S)
    assert process.stdout is not None
    process.stdout.close()


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Until somebody listens there."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.1)


def measure(ears: Ears, surface: str, move: Move, n_moves: int) -> tuple[list[float], int]:
    """Milliseconds from the hand to the first sample that is another one; and how many moves were not heard.

    Where the machine is so busy that a move and the next one fall into the same block, there is nothing to hear.
    """
    took_ms: list[float] = []
    n_unheard = 0
    for is_down in itertools.cycle((True, False)):
        said_s = move(is_down)
        heard_s = ears.change_after(said_s)
        time.sleep(STEADY_S + random.random() * BLOCK_SAMPLES / SAMPLE_RATE_HZ)
        if heard_s is None:
            n_unheard += 1
        else:
            took_ms.append(1000 * (heard_s - said_s))
        if len(took_ms) == n_moves:
            return took_ms, n_unheard
        if n_unheard > MOST_UNHEARD:
            break
    raise SystemExit(f"{surface}: {n_unheard} moves were not heard")


def write_constant(folder: Path, duration_s: float) -> Path:
    path = folder / "constant.wav"
    with AudioWriter(path, SAMPLE_RATE_HZ, 2, subtype="FLOAT") as writer:
        for _ in range(round(duration_s)):
            writer.write(np.full((2, SAMPLE_RATE_HZ), LEVEL, np.float32))
    return path


def measure_python(song: Path, ears: Ears, n_moves: int) -> tuple[list[float], int]:
    tree = {
        "input": {"source": f"file:{song}"},
        "model": {"name": MODEL, "device": "cpu"},
        "output": {"sink": "device:ears", "clock": "device"},
    }
    with Host(LiveSettings().with_overrides(tree, "bench")) as host:

        def move(is_down: bool) -> float:
            said_s = time.monotonic()
            host.board[MASTER] = -1.0 if is_down else 0.0
            return said_s

        ears.wait_for_session()
        return measure(ears, "Python", move, n_moves)


@contextmanager
def session(song: Path, folder: Path, osc: int, web: int) -> Iterator[int]:
    """``rtsep live`` with all surfaces, under a terminal; gives what types into it."""
    import pty

    (folder / "hand.yaml").write_text(MAP)
    ours, theirs = pty.openpty()
    options = ["-m", MODEL, "--output", "device:ears", "--midi", str(folder / "hand.yaml")]
    places = ["--osc", f"127.0.0.1:{osc}", "--web", f"127.0.0.1:{web}"]
    command = [sys.executable, "-m", "rtsep", "live", str(song), *options, *places]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm-256color"}
    )
    os.close(theirs)
    threading.Thread(target=drain, args=(ours,), daemon=True).start()
    try:
        yield ours
    finally:
        process.terminate()  # killed, it would leave the server waiting
        process.wait(60)


def read_all(page: Iterable[object]) -> None:
    with contextlib.suppress(OSError, ConnectionClosed):
        for _ in page:
            pass


def drain(terminal: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass


def by_key(terminal: int) -> Move:
    os.write(terminal, b"\x1b[B" * 2)  # the master is the third row

    def move(is_down: bool) -> float:
        said_s = time.monotonic()
        os.write(terminal, b"-" if is_down else b"+")
        return said_s

    return move


def by_midi(opened: ExitStack, name: str) -> Move:
    hand = child(HAND, name)
    opened.callback(end, hand)
    time.sleep(3)  # until it is found
    assert hand.stdin is not None
    assert hand.stdout is not None
    buttons, answers = hand.stdin, hand.stdout

    def move(is_down: bool) -> float:
        buttons.write("903c40\n" if is_down else "903d40\n")
        buttons.flush()
        return float(answers.readline())

    return move


def by_osc(opened: ExitStack, port: int) -> Move:
    client = opened.enter_context(SimpleUDPClient("127.0.0.1", port))

    def move(is_down: bool) -> float:
        said_s = time.monotonic()
        client.send_message(MASTER, -1.0 if is_down else 0.0)
        return said_s

    return move


def by_page(opened: ExitStack, port: int) -> Move:
    wait_for_port(port)
    page = opened.enter_context(connect(f"ws://127.0.0.1:{port}/session", origin=f"http://127.0.0.1:{port}"))
    page.send('{"token": ""}')
    threading.Thread(target=read_all, args=(page,), daemon=True).start()
    numbers = itertools.count(1)

    def move(is_down: bool) -> float:
        said_s = time.monotonic()
        page.send(json.dumps({"n": next(numbers), "set": [[MASTER, -1.0 if is_down else 0.0]]}))
        return said_s

    return move


def main() -> None:
    n_moves = 4 if is_quick(__doc__ or "") else 300
    if not has_server():
        raise SystemExit("this bench needs a JACK server to listen at: apt install jackd2")
    rows = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        os.environ["RTSEP_CONFIG"] = str(folder / "config")
        name = opened.enter_context(server(SAMPLE_RATE_HZ, BLOCK_SAMPLES, waits=False))
        ears = Ears(name)
        opened.callback(ears.close)
        song = write_constant(folder, 60 + 0.5 * n_moves)
        found = {"Python": measure_python(song, ears, n_moves)}
        osc, web = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        with ExitStack() as session_opened:
            terminal = session_opened.enter_context(session(song, folder, osc, web))
            ears.wait_for_session()
            surfaces = {
                "keys": by_key(terminal),
                "MIDI": by_midi(session_opened, name),
                "OSC": by_osc(session_opened, osc),
                "web": by_page(session_opened, web),
            }
            for surface, move in surfaces.items():
                found[surface] = measure(ears, surface, move, n_moves)
        for surface, (took_ms, n_unheard) in found.items():
            p50, p99 = np.percentile(took_ms, (50, 99))
            figures = (f"{ms:.1f}" for ms in (min(took_ms), p50, p99, max(took_ms)))
            rows.append([surface, *figures, str(n_unheard)])
    names = ["surface", "least ms", "p50 ms", "p99 ms", "max ms", "unheard"]
    show(f"From the hand to the sound, {n_moves} moves, blocks of {BLOCK_SAMPLES} (5.8 ms)", names, rows)


if __name__ == "__main__":
    main()
