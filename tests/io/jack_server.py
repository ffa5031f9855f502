"""A JACK server of a test's own, and two clients on it: one that plays, one that listens."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import pytest

RATE_HZ = 44100
PERIOD_SAMPLES = 256
START_S = 15.0
END_S = 2.0  # one that lost its clients while it was stopped hangs


def jack_module() -> ModuleType:
    """The client library, or a skip with the reason."""
    if shutil.which("jackd") is None:
        pytest.skip("there is no jackd here: apt install jackd2")
    try:
        import jack
    except (ImportError, OSError) as error:
        pytest.skip(f"no JACK client library: {error}")
    jack.set_error_function(lambda message: None)
    jack.set_info_function(lambda message: None)
    return jack


def new_name() -> str:
    """A server's name that no other test has."""
    return f"rtsep-{secrets.token_hex(4)}"


def start_server(
    name: str,
    n_inputs: int = 2,
    n_outputs: int = 10,
    period_samples: int = PERIOD_SAMPLES,
    *,
    rate_hz: int = RATE_HZ,
    waits: bool = True,
) -> subprocess.Popen[bytes]:
    """A server without hardware, which answers; every cycle waits for all clients (-S), or for none."""
    jack_module()
    driver = ["-d", "dummy", "-r", str(rate_hz), "-p", str(period_samples)]
    ports = ["-C", str(n_inputs), "-P", str(n_outputs)]
    process = subprocess.Popen(
        ["jackd", "-r", *(["-S"] if waits else []), "-n", name, *driver, *ports],
        env={**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_server(name, process)
    except BaseException:
        process.kill()
        process.wait(5)
        raise
    return process


@contextmanager
def run_server(
    n_inputs: int = 2,
    n_outputs: int = 10,
    period_samples: int = PERIOD_SAMPLES,
    *,
    rate_hz: int = RATE_HZ,
    waits: bool = True,
) -> Iterator[str]:
    """A server under a name of its own."""
    name = new_name()
    process = start_server(name, n_inputs, n_outputs, period_samples, rate_hz=rate_hz, waits=waits)
    try:
        yield name
    finally:
        end_server(name, process)


def end_server(name: str, process: subprocess.Popen[bytes]) -> None:
    """Have a server sign off, also one that hangs or was killed.

    JACK keeps a list of at most eight servers in memory that all processes share. One that was killed stays on it until
    another one of its name comes; when it is full, no server starts on the machine any more.
    """
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        is_killed = process.wait(END_S) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
        is_killed = True
    if is_killed:
        another = start_server(name)
        another.terminate()
        another.wait(10)


def wait_for_server(name: str, process: subprocess.Popen[bytes]) -> None:
    jack = jack_module()
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            pytest.fail(f"jackd ended with {process.returncode}")
        try:
            jack.Client("probe", servername=name, no_start_server=True).close()
        except jack.JackError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("jackd did not start")


class Desk:
    """Two clients, so that JACK closes no loop and adds no delay: what they share is the number of the cycle.

    Parameters
    ----------
    server
        The server's name.
    music
        ``(channels, samples)`` that `play_for` begins to play, 2 channels or more.
    n_heard
        Channels to listen to.
    """

    def __init__(self, server: str, music: np.ndarray, n_heard: int) -> None:
        jack = jack_module()
        self._music = music
        self._at: int | None = None
        self.started_frame: int | None = None
        self.heard: list[tuple[int, np.ndarray]] = []  # (frame time of the cycle, block)
        self._player = jack.Client("player", servername=server, no_start_server=True)
        self._listener = jack.Client("listener", servername=server, no_start_server=True)
        self.rate_hz, self.period_samples = self._player.samplerate, self._player.blocksize
        self._outs = [self._player.outports.register(f"out_{i}") for i in range(len(music))]
        self._ins = [self._listener.inports.register(f"in_{i}") for i in range(n_heard)]
        self._clients = [self._player, self._listener]
        self._go = threading.Event()
        self._player.set_process_callback(self._play)
        self._listener.set_process_callback(self._listen)
        self._player.activate()
        self._listener.activate()

    def _play(self, n: int) -> None:
        if self._at is None and self._go.is_set():
            self._at, self.started_frame = 0, self._player.last_frame_time
        at = self._at
        block = np.zeros((len(self._outs), n), np.float32)
        if at is not None:
            part = self._music[:, at : at + n]
            block[:, : part.shape[1]] = part
            self._at = at + n
        for port, row in zip(self._outs, block, strict=True):
            port.get_array()[:] = row

    def _listen(self, n: int) -> None:
        block = np.array([port.get_array() for port in self._ins])
        self.heard.append((self._listener.last_frame_time, block))

    def patch(self, client: str = "PortAudio", wait_s: float = 60.0) -> None:
        """Put a client between the two, and pull all of its other cables."""
        until_s = time.monotonic() + wait_s
        n_inputs = len(self._outs) if self._music.shape[1] else 0  # a file needs no input
        while len(self._ports(client, True)) < len(self._ins) or len(self._ports(client, False)) < n_inputs:
            if time.monotonic() > until_s:
                pytest.fail(f"no client {client!r} appeared on the JACK server")
            time.sleep(0.05)
        time.sleep(0.2)  # PortAudio connects itself to the card at first
        for port in [*self._ports(client, True), *self._ports(client, False)]:
            for other in self._player.get_all_connections(port):
                pair = (port, other) if port.is_output else (other, port)
                self._player.disconnect(*pair)
        for own, port in zip(self._outs, self._ports(client, False), strict=False):
            self._player.connect(own, port)
        for port, own in zip(self._ports(client, True), self._ins, strict=False):
            self._listener.connect(port, own)

    def _ports(self, client: str, outputs: bool) -> list:
        return self._player.get_ports(f"^{client}:", is_audio=True, is_output=outputs, is_input=not outputs)

    def play_for(self, duration_s: float, wait_s: float = 60.0) -> None:
        """Begin, and return when so much in all was played; the server's clock may be slow on a busy machine."""
        self._go.set()
        until_s = time.monotonic() + wait_s
        while (self._at or 0) < duration_s * self.rate_hz and time.monotonic() < until_s:
            time.sleep(0.05)

    def recording(self) -> np.ndarray:
        """What was heard from the cycle on in which the music began, ``(channels, samples)``, without a gap."""
        started = self.started_frame or 0
        blocks = [(frame, block) for frame, block in self.heard if frame >= started]
        frames = [frame for frame, _ in blocks]
        self.n_gaps = sum(b - a != self.period_samples for a, b in itertools.pairwise(frames))
        return np.concatenate([block for _, block in blocks], axis=1)

    def close(self) -> None:
        """End both clients; again it does nothing. A client that is left to the collector takes the process along."""
        for client in self._clients:
            client.deactivate()
            client.close()
        self._clients.clear()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
