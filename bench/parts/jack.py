"""A JACK server without hardware for a bench, and two clients of it: one plays, one listens."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

START_S = 15.0


def has_server() -> bool:
    """Whether there is a jackd to start."""
    return shutil.which("jackd") is not None


@contextmanager
def server(rate_hz: int, period_samples: int, *, waits: bool) -> Iterator[str]:
    """A server that sessions of this process find; its cycles wait for all clients, or for none.

    PortAudio looks for a server once a process, when the first session begins: so one server is all that a bench has.
    """
    name = f"rtsep-bench-{secrets.token_hex(4)}"
    driver = ["-d", "dummy", "-r", str(rate_hz), "-p", str(period_samples), "-C", "2", "-P", "4"]
    process = subprocess.Popen(
        ["jackd", "-r", *(["-S"] if waits else []), "-n", name, *driver],
        env={**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ["JACK_DEFAULT_SERVER"] = name
    try:
        _client(name, "probe", START_S).close()
        yield name
    finally:
        if "sounddevice" in sys.modules:  # it must not outlive the server
            sys.modules["sounddevice"]._terminate()
        process.terminate()
        process.wait()


def _client(name: str, label: str, wait_s: float = 0.0) -> Any:
    import jack

    jack.set_error_function(lambda message: None)
    jack.set_info_function(lambda message: None)
    until_s = time.monotonic() + wait_s
    while True:
        try:
            return jack.Client(label, servername=name, no_start_server=True)
        except jack.JackError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)


def through(name: str, played: np.ndarray, n_samples: int, wait_s: float = 60.0) -> np.ndarray:
    """Play ``(samples,)`` into both inputs of the session on a server; what its first output plays, ``(n_samples,)``.

    Sample 0 of what is heard is of the same cycle as sample 0 of what is played. The two clients are two, so that JACK
    closes no loop and adds no delay.
    """
    player, listener = _client(name, "player"), _client(name, "listener")
    outs = [player.outports.register(f"out_{i}") for i in range(2)]
    ear = listener.inports.register("in")
    go, at, heard = threading.Event(), [0], []
    began: list[int] = []

    def play(n: int) -> None:
        part = played[at[0] : at[0] + n] if go.is_set() else played[:0]
        if go.is_set():
            began.append(player.last_frame_time)
            at[0] += n
        for port in outs:
            port.get_array()[:] = np.pad(part, (0, n - len(part)))

    def listen(n: int) -> None:
        heard.append((listener.last_frame_time, ear.get_array().copy()))

    player.set_process_callback(play)
    listener.set_process_callback(listen)
    player.activate()
    listener.activate()
    try:
        _patch(player, listener, outs, ear)
        time.sleep(0.2)
        go.set()
        until_s = time.monotonic() + wait_s
        while at[0] < n_samples and time.monotonic() < until_s:
            time.sleep(0.02)
    finally:
        for client in (player, listener):
            client.deactivate()
            client.close()
    return np.concatenate([block for frame, block in heard if frame >= began[0]])[:n_samples]


def _patch(player: Any, listener: Any, outs: list[Any], ear: Any) -> None:
    """Put the session between the two, and pull its other cables."""
    ins = player.get_ports("^PortAudio:", is_audio=True, is_input=True)
    mains = player.get_ports("^PortAudio:", is_audio=True, is_output=True)
    for port in ins:
        for other in player.get_all_connections(port):
            player.disconnect(other, port)
    for out, port in zip(outs, ins, strict=False):
        player.connect(out, port)
    listener.connect(mains[0], ear)
