"""What does it cost the sound that people look at the web mixer and move things, and how soon does it answer?

The demo song on a JACK server without hardware (without jackd: by the wall's clock), with no page and with five, each a
websocket that reads everything, as a browser does (which would draw on another machine): load, late blocks and the
callback. The last row has all surfaces on: OSC, where a hand moves a fader a hundred times a second and is told of all
that changes, and MIDI, with a port of its own. Then a page moves a fader, now and then: from what it sends to the
coefficients that the callback gets.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from live import write_song
from parts.jack import has_server, server
from parts.report import is_quick, show
from websockets.sync.client import connect

from rtsep.control.midi.controllers import Controllers
from rtsep.control.osc import OscSurface
from rtsep.control.web.link import WebSurface
from rtsep.demo import song
from rtsep.errors import DeviceError
from rtsep.host import Host
from rtsep.settings import LiveSettings

RUNS = ((0, False), (5, False), (5, True))  # pages, and whether all other surfaces are on too
ADDRESS = "/stem/vocals/gain_db"
MODEL, BLOCK_SAMPLES = "demo-2stems", 256
READER = """
import sys, threading
from websockets.sync.client import connect

def read(port):
    with connect(f"ws://127.0.0.1:{port}/session", origin=f"http://127.0.0.1:{port}") as page:
        page.send('{"token": ""}')
        n = 0
        for message in page:
            n += 1
            if n == 1:
                print("reads", flush=True)

threads = [threading.Thread(target=read, args=(sys.argv[1],), daemon=True) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
sys.stdin.read()
"""


HAND = """
import sys, time
from pythonosc.udp_client import SimpleUDPClient

client, k = SimpleUDPClient("127.0.0.1", int(sys.argv[1])), 0
client.send_message("/subscribe", [])
while True:
    client.send_message("/stem/accompaniment/gain_db", -float(k % 20))
    k += 1
    time.sleep(0.01)
"""


def settings(folder: Path) -> LiveSettings:
    tree: dict[str, Any] = {
        "input": {"source": f"file:{folder / 'song.wav'}"},
        "model": {"name": MODEL, "device": "cpu"},
        "output": {"sink": "device:system", "clock": "device"},
    }
    if not has_server():
        sink = f"file:{folder / 'mix.wav'}"
        tree["output"] = {"sink": sink, "clock": "real", "block_samples": BLOCK_SAMPLES}
    return LiveSettings().with_overrides(tree, "bench")


def open_pages(opened: ExitStack, port: int, n_pages: int) -> None:
    """Pages in a process of their own; all have begun to read."""
    command = [sys.executable, "-c", READER, str(port), str(n_pages)]
    readers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert readers.stdin is not None
    assert readers.stdout is not None
    opened.callback(readers.wait)
    opened.callback(readers.stdin.close)
    opened.callback(readers.stdout.close)
    for _ in range(n_pages):
        readers.stdout.readline()


def open_others(opened: ExitStack, host: Host) -> None:
    """OSC under a hand, and MIDI where there is any."""
    surface = opened.enter_context(OscSurface(host, "127.0.0.1", 0))
    hand = subprocess.Popen([sys.executable, "-c", HAND, str(surface.port)])
    opened.callback(hand.wait)
    opened.callback(hand.kill)
    try:
        opened.enter_context(Controllers(host, ["auto"], lambda text: None, "bench"))
    except DeviceError as error:
        print(f"without MIDI: {error}")


def measure(
    folder: Path, n_pages: int, has_all: bool, duration_s: float, n_moves: int
) -> tuple[dict[str, Any], list[float]]:
    """A session: its account, and milliseconds from a page to the coefficients."""
    with ExitStack() as opened:
        host = opened.enter_context(Host(settings(folder)))
        web = opened.enter_context(WebSurface(host, "127.0.0.1", 0))
        if n_pages:
            open_pages(opened, web.port, n_pages)
        if has_all:
            open_others(opened, host)
        host.wait(duration_s)
        stats = host.stats()
        return stats, move(host, web.port, n_moves) if n_pages else []


def move(host: Host, port: int, n_moves: int) -> list[float]:
    """Set a fader, and wait until its coefficient is published; in milliseconds."""
    coefficients = host._rig.separation.chain.coefficients
    took_ms = []
    with connect(f"ws://127.0.0.1:{port}/session", origin=f"http://127.0.0.1:{port}") as page:
        page.send('{"token": ""}')
        page.recv()
        for k in range(n_moves):
            gain_db = -20.0 - k % 2
            wanted, begun_s = np.float32(10 ** (gain_db / 20)), time.perf_counter()
            page.send(json.dumps({"n": k + 1, "set": [[ADDRESS, gain_db]]}))
            while coefficients.newest[0, 0] != wanted:
                time.sleep(0.00005)
            took_ms.append(1000 * (time.perf_counter() - begun_s))
            time.sleep(0.013)
    return took_ms


def main() -> None:
    quick = is_quick(__doc__ or "")
    duration_s, n_moves = (1.0, 5) if quick else (40.0, 300)
    rows, took_ms = [], []
    with ExitStack() as opened:
        place = opened.enter_context(tempfile.TemporaryDirectory())
        if has_server():
            opened.enter_context(server(song.SAMPLE_RATE_HZ, BLOCK_SAMPLES, waits=False))
        write_song(Path(place) / "song.wav", duration_s + 20)
        for n_pages, has_all in RUNS:
            stats, took_ms = measure(Path(place), n_pages, has_all, duration_s, n_moves)
            rows.append(
                [
                    f"{n_pages}{' and OSC, MIDI' if has_all else ''}",
                    *(f"{stats[f'load_{name}']:.1%}" for name in ("p50", "p99", "max")),
                    *(f"{stats[f'callback_{name}_us']:.0f}" for name in ("p50", "p99", "max")),
                    f"{stats['n_late_blocks']} of {stats['n_blocks']}",
                    f"{stats['n_xruns'] - stats['n_xruns_at_start']}",
                ]
            )
    names = ["pages", "load p50", "p99", "max", "callback p50 µs", "p99", "max", "late blocks", "xruns"]
    show(f"{MODEL}, {duration_s:g} s each, blocks of {BLOCK_SAMPLES}", names, rows)
    figures = [f"{np.percentile(took_ms, share):.1f}" for share in (50, 99, 100)]
    show(
        "From a page to the coefficients",
        ["", "p50 ms", "p99 ms", "max ms"],
        [[f"{n_moves} moves", *figures]],
    )


if __name__ == "__main__":
    main()
