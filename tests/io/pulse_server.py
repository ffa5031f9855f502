"""A PulseAudio server of a test's own, whose cards are null sinks, and clients on it that play and listen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import starmap
from pathlib import Path

import numpy as np
import pytest

from rtsep.io.pactl import records

RATE_HZ = 44100
START_S = 15.0
WAIT_S = 30.0


class Server:
    """A running server, seen from outside of rtsep.

    Parameters
    ----------
    home
        A folder for all that the server, its clients and rtsep keep.
    cards
        The name of each and its channels.
    """

    def __init__(self, home: Path, cards: Sequence[tuple[str, int]]) -> None:
        self.environment = environment(home)
        self._words = ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"]
        # With shared memory PulseAudio 16 aborts now and then when a client goes that is still listened to.
        self._words.append("--disable-shm=yes")
        for module in (*starmap(null_sink, cards), "module-native-protocol-unix auth-anonymous=1"):
            self._words += ["-L", module]
        self.start()

    def start(self) -> None:
        """Also again, when it was killed."""
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            self._words, env=self.environment, stdin=quiet, stdout=quiet, stderr=quiet
        )
        try:
            wait_for(lambda: _answers(self), "PulseAudio to start", START_S)
        except BaseException:
            end(self.process)
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)

    def unplug(self, card: str) -> None:
        """A sink is gone, as that of a card that is unplugged."""
        listed = [row.split("\t") for row in self.pactl("list", "short", "modules").splitlines()]
        self.pactl("unload-module", next(r[0] for r in listed if f"sink_name={card}" in r[2].split()))

    def plug(self, card: str, n_channels: int = 2) -> None:
        self.pactl("load-module", *null_sink(card, n_channels).split())

    def pactl(self, *words: str) -> str:
        done = subprocess.run(
            ["pactl", *words], env=self.environment, capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout

    @property
    def default(self) -> str:
        return self.pactl("get-default-sink").strip()

    @property
    def sinks(self) -> set[str]:
        return {row.split("\t")[1] for row in self.pactl("list", "short", "sinks").splitlines()}

    @property
    def modules(self) -> list[str]:
        return [row.split("\t", 1)[1] for row in self.pactl("list", "short", "modules").splitlines()]

    @property
    def places(self) -> dict[str, str]:
        """Who plays where: the application's name, and the sink's."""
        names = {index: keys["Name"] for index, keys in records(self.pactl("list", "sinks"))}
        return {keys["application.name"]: names[int(keys["Sink"])] for _, keys in self.streams}

    @property
    def streams(self) -> list[tuple[int, dict[str, str]]]:
        """All that plays: its number, keys and properties."""
        return list(records(self.pactl("list", "sink-inputs")))

    @contextmanager
    def playing(
        self, name: str, sound: Path | str = "/dev/zero", *more: str, n_channels: int = 2
    ) -> Iterator[None]:
        """A client that plays a file of float32 samples, channel by channel in turn."""
        words = ["pacat", "-p", f"--client-name={name}", *_format(n_channels), *more, str(sound)]
        with running(words, self.environment):
            wait_for(lambda: name in self.places, f"the client {name} to play")
            yield

    @contextmanager
    def listening(self, sink: str, file: Path, n_channels: int = 2) -> Iterator[None]:
        """What is heard of a sink meanwhile, to a file."""
        words = ["parec", "-d", f"{sink}.monitor", "--latency-msec=200", *_format(n_channels), str(file)]
        with running(words, self.environment):
            wait_for(file.exists, "parec to listen")
            wait_for(lambda: file.stat().st_size > 0, "parec to hear")
            yield


def _format(n_channels: int) -> list[str]:
    words = ["--raw", "--format=float32le", f"--rate={RATE_HZ}", f"--channels={n_channels}"]
    return [*words, f"--channel-map={','.join(channel_map(n_channels))}", "--no-remix"]


def channel_map(n_channels: int) -> list[str]:
    """ALSA's order of channels, by the names of PulseAudio."""
    near = ["front-left", "front-right", "rear-left", "rear-right", "front-center", "lfe"]
    names = [*near, "side-left", "side-right", *(f"aux{i}" for i in range(24))]
    return names[:n_channels]


def environment(home: Path) -> dict[str, str]:
    """That of a client of the server, which sees no other server and keeps nothing elsewhere."""
    runtime = str(home / "run")
    places = {"XDG_RUNTIME_DIR": runtime, "PULSE_RUNTIME_PATH": runtime, "HOME": str(home)}
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("PULSE_", "XDG_", "DBUS_"))
    }
    return {
        **kept,
        **places,
        "PULSE_SERVER": f"unix:{runtime}/native",
        "JACK_NO_START_SERVER": "1",
        "JACK_DEFAULT_SERVER": "no-such-server",
    }


@contextmanager
def run_server(*cards: tuple[str, int]) -> Iterator[Server]:
    """A server with these cards: the name of each and its channels. The first is the default."""
    for command, package in (("pulseaudio", "pulseaudio"), ("pactl", "pulseaudio-utils")):
        if shutil.which(command) is None:
            pytest.skip(f"there is no {command} here: apt install {package}")
    with ExitStack() as opened:
        home = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="rtsep-pulse-")))
        (home / "run").mkdir(mode=0o700)
        server = Server(home, cards or [("card", 2)])
        opened.callback(lambda: end(server.process))
        yield server


def null_sink(name: str, n_channels: int) -> str:
    """The module of a card that nobody hears."""
    words = f"sink_name={name} norewinds=1 format=float32le rate={RATE_HZ} channels={n_channels}"
    return f"module-null-sink {words} channel_map={','.join(channel_map(n_channels))}"


def _answers(server: Server) -> bool:
    assert server.process.poll() is None, f"pulseaudio ended with {server.process.returncode}"
    try:
        return bool(server.sinks)
    except subprocess.CalledProcessError:
        return False


@contextmanager
def running(words: Sequence[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive the test."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, env=env, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def wait_for(is_so: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> None:
    until_s = time.monotonic() + wait_s
    while not is_so():
        if time.monotonic() > until_s:
            pytest.fail(f"waited {wait_s:.0f} s for {what}")
        time.sleep(0.02)


def write_sound(path: Path, sound: np.ndarray) -> Path:
    """``(channels, samples)`` to a file that a client can play."""
    path.write_bytes(np.ascontiguousarray(sound.T, np.float32).tobytes())
    return path


def read_sound(path: Path, n_channels: int = 2) -> np.ndarray:
    """What was heard, ``(channels, samples)``; a file that is still written to may end in half a sample."""
    data = path.read_bytes()
    n_samples = len(data) // (4 * n_channels)
    return np.frombuffer(data, np.float32, n_samples * n_channels).reshape(-1, n_channels).T
