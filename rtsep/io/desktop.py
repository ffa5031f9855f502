"""What other applications play, taken out of their way to the loudspeakers; Linux, PulseAudio or PipeWire.

::

    applications ─▶ sink "rtsep (separated)", the default ─▶ its monitor ─▶ rtsep ─▶ the sink that was the default

While a session runs, its sink is the default, so that what starts later lands there too. All of it is put back at the
end. A process that is killed cannot do that; so what is to be put back stands in a file before anything is changed,
and the next session does it. Only one session of a user can have the desktop; a lock, which ends with its process,
tells a sink that is in use from one that was left behind.

PortAudio reaches the server through ALSA's ``pulse`` plugin, which is told by environment variables what to connect.
It makes its stream anew when it starts and after every underrun, so that no wish could be tied to it: if the real sink
is unplugged, or becomes the default and then ours again, PulseAudio moves rtsep to its own sink, which it listens to.
That is looked for every `WATCH_S`, muted at once, and a lost card.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import platformdirs

from rtsep.errors import CardBusyError, CardLostError, DeviceError, UsageError
from rtsep.io.card_driver import CardDriver, TwoCardsDriver
from rtsep.io.cards import DEFAULT_CARD, Card, find_card
from rtsep.io.pactl import Sink, Stream, default_sink, list_modules, list_sinks, list_streams, pactl
from rtsep.whole import replacing

SINK_NAME = "rtsep_separated"
SINK_TITLE = "rtsep (separated)"
SINK_MODULE = "module-null-sink"
PLUGIN = "pulse, ALSA"
LATENCY_S = 0.035  # asked of the plugin, each way; its own idea, 9 ms, breaks up as soon as a machine is busy
BURST_S = 0.02  # the plugin calls for two periods at once, and up to 11 ms late
WATCH_S = 1.0
FOLLOW_S = 0.3  # PipeWire moves streams to a new default in its own time
FOLLOW_STEP_S = 0.05

#: What takes its place on other systems.
WITHOUT = {
    "darwin": "install BlackHole (existential.audio/blackhole), make it the system's output, and give "
    '--input BlackHole --output "your loudspeakers"',
    "win32": "install VB-CABLE (vb-audio.com/Cable), make CABLE Input the system's output, and give "
    '--input "CABLE Output" --output "your loudspeakers"',
}


@dataclass(frozen=True)
class Former:
    """How the desktop was: its default sink, and the sinks of the streams that were moved by name, by their number."""

    sink: str
    streams: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Former:
        """What a session left; of a file that is missing or damaged, that nothing is known."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(data["sink"]), {str(key): str(name) for key, name in data["streams"].items()})
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return cls("")

    def write(self, path: Path) -> None:
        """Keep it; whole, or not at all."""
        with replacing(path) as file:
            file.write(json.dumps(asdict(self)).encode())


def plugin_card() -> Card:
    """The card by which PortAudio reaches the sound server, for either direction.

    Raises
    ------
    UsageError
        This is no Linux; the message says what to do there.
    DeviceError
        No server answers, or ALSA's plugin is missing.
    """
    if sys.platform != "linux":
        recipe = WITHOUT.get(sys.platform, "name a device that hears what is played: `rtsep devices`")
        raise UsageError(f"--input desktop is for Linux. Here, {recipe}.")
    default_sink()
    try:
        return find_card(PLUGIN, "output")
    except DeviceError as error:
        raise DeviceError(
            "ALSA's plugin for PulseAudio, by which PortAudio reaches the sound server, is missing. Install it: "
            "apt install libasound2-plugins, dnf install alsa-plugins-pulseaudio, or pacman -S alsa-plugins."
        ) from error


def choose_sink(name: str, sinks: list[Sink], default: str) -> Sink:
    """The sink that is meant by its name, or by a part of its name or description.

    Raises
    ------
    DeviceError
        None or several fit; the message lists the candidates.
    """
    there = [sink for sink in sinks if sink.name != SINK_NAME]
    wanted = (default if name == DEFAULT_CARD else name).casefold()
    exact = [sink for sink in there if wanted in (sink.name.casefold(), sink.description.casefold())]
    fits = exact or [
        sink for sink in there if wanted in f"{sink.name}\n{sink.description}".casefold() and wanted
    ]
    if len(fits) == 1:
        return fits[0]
    problem = f"{len(fits)} sinks fit {name!r}" if fits else f"no sink of the sound server fits {name!r}"
    candidates = (
        "\n".join(f"  {sink.name}: {sink.description}" for sink in fits or there) or "  (there is none)"
    )
    raise DeviceError(f"{problem}. With --input desktop, --output is one of these:\n{candidates}")


class Desktop:
    """The sink for other applications, and what is to be put back.

    Parameters
    ----------
    output
        Where rtsep will play: `DEFAULT_CARD`, a sink's name or a part of it; None: nowhere.
    sample_rate_hz
        The rate of the session, which the sink takes over, so that nothing is converted on the way in.

    Raises
    ------
    DeviceError
        Another session has the desktop, the server refuses, or no sink is meant.
    """

    def __init__(self, output: str | None, sample_rate_hz: int) -> None:
        self._path = state_path()
        self._lock = _lock(self._path.with_suffix(".lock"))
        try:
            put_back(self._path)  # what a killed session left
            default, sinks = default_sink(), list_sinks()
            self._output = choose_sink(output, sinks, default).name if output is not None else None
            self._former = Former(default)
            self._former.write(self._path)
            _make_sink(sample_rate_hz)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """What is opened inside is connected: its input to the sink's monitor, its output to the real sink."""
        wanted = {"PULSE_SOURCE": f"{SINK_NAME}.monitor", "PULSE_PROP_OVERRIDE": "application.name=rtsep"}
        if self._output is not None:
            wanted["PULSE_SINK"] = self._output
        before = {key: os.environ.get(key) for key in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})

    def take(self) -> None:
        """Make the sink the default and move there what plays at the one that was.

        The server moves what has no wish of its own. Only the others are moved by name, for that is a wish which it
        remembers, and gives up for one that it can only get back by name.
        """
        pactl("set-default-sink", SINK_NAME)
        left = _left_on(self._former.sink)
        self._former = Former(self._former.sink, {str(index): self._former.sink for index in left})
        self._former.write(self._path)
        for index in left:
            _try("move-sink-input", str(index), SINK_NAME)

    def silence_loop(self) -> bool:
        """Mute what this process plays into its own sink, where it would hear itself; whether there is any."""
        there = {sink.index for sink in list_sinks() if sink.name == SINK_NAME}
        looped = [stream.index for stream in list_streams() if stream.sink in there and _is_own(stream)]
        for index in looped:
            _try("set-sink-input-mute", str(index), "1")
        return bool(looped)

    def give(self) -> None:
        """Put the default and the streams back; the sink stays, for its monitor may still be heard."""
        give_back(self._former)

    def close(self) -> None:
        """Put everything back, and take the sink away. May come twice.

        If the server does not answer any more, what is left to do is left to the next session.
        """
        with contextlib.suppress(DeviceError):
            put_back(self._path)
        self._lock.close()


class DesktopDriver:
    """A card between the desktop and its loudspeakers, for as long as it plays.

    Parameters
    ----------
    output, sample_rate_hz
        As in `Desktop`.
    open_card
        Opens the plugin's card, with a latency: as two streams, for the two sinks have a clock each, or as one.
    """

    def __init__(
        self,
        output: str | None,
        sample_rate_hz: int,
        open_card: Callable[[float], CardDriver | TwoCardsDriver],
    ) -> None:
        self._lost: CardLostError | None = None
        self._is_over = threading.Event()
        self._desktop = Desktop(output, sample_rate_hz)
        try:
            with self._desktop.connected():
                self._card = open_card(LATENCY_S)
        except BaseException:
            self._desktop.close()
            raise

    @property
    def latency_parts(self) -> dict[str, int]:
        """As the card says."""
        return self._card.latency_parts

    @property
    def error(self) -> Exception | None:
        """Why the card does not play any more, or plays where it must not."""
        return self._lost or self._card.error

    def start(self) -> None:
        """Take the desktop, and play: in this order, or the server would move the stream that plays as well."""
        self._desktop.take()
        self._card.start()
        threading.Thread(target=self._watch, name="rtsep-desktop", daemon=True).start()

    def _watch(self) -> None:
        """If the real sink goes, the server moves what played there to the default: into what rtsep listens to."""
        while not self._is_over.wait(WATCH_S):
            with contextlib.suppress(DeviceError):  # a server that is gone is the card's own error
                if self._desktop.silence_loop():
                    self._lost = CardLostError(
                        "the sink that rtsep played on is gone. Plug it in again, or name another: --output NAME",
                        time.monotonic(),
                    )
                    return

    def stop(self) -> None:
        """Give the desktop back, first of all, and stop."""
        self._is_over.set()
        try:
            with contextlib.suppress(DeviceError):  # a server that is gone has nothing to put back
                self._desktop.give()
            self._card.stop()
        finally:
            self._desktop.close()


def state_path() -> Path:
    """Where it stands what is to be put back."""
    return platformdirs.user_state_path("rtsep", appauthor=False) / "desktop.json"


def put_back(path: Path) -> None:
    """Put back what stands in the file, take the sink away, remove the file; nothing is there: nothing is done.

    Raises
    ------
    DeviceError
        The server does not answer; the file stays.
    """
    loaded = list_modules(SINK_MODULE).items()
    ours = [number for number, words in loaded if f"sink_name={SINK_NAME}" in words.split()]
    if ours:
        give_back(Former.read(path))
    for number in ours:
        _try("unload-module", str(number))
    path.unlink(missing_ok=True)


def give_back(former: Former) -> None:
    """Put the default sink and the streams back, as far as nobody else has changed them since."""
    numbers = {sink.name: sink.index for sink in list_sinks()}
    ours = {str(stream.index) for stream in list_streams() if stream.sink == numbers.get(SINK_NAME)}
    for index, sink in former.streams.items():
        if index in ours and sink in numbers:
            _try("move-sink-input", index, sink)  # before it is the default: then it would be no wish
    if default_sink() == SINK_NAME and former.sink in numbers:
        pactl("set-default-sink", former.sink)
    for number in _left_on(SINK_NAME):
        _try("move-sink-input", str(number), "@DEFAULT_SINK@")


def _make_sink(sample_rate_hz: int) -> None:
    """Make it. Without ``norewinds`` duplex streams stall on PulseAudio; PipeWire does not know it, nor mind it."""
    words = [
        f"sink_name={SINK_NAME}",
        "norewinds=1",
        "format=float32le",
        f"rate={sample_rate_hz}",
        "channels=2",
        "channel_map=front-left,front-right",
        f"sink_properties='device.description=\"{SINK_TITLE}\"'",
    ]
    pactl("load-module", SINK_MODULE, *words)
    pactl("set-sink-volume", SINK_NAME, "100%")  # the server remembers what it was in another session
    pactl("set-sink-mute", SINK_NAME, "0")


def _left_on(sink_name: str) -> list[int]:
    """The applications that are still on a sink after the server had time to move them; rtsep is none of them."""
    until_s = time.monotonic() + FOLLOW_S
    while True:
        there = {sink.index for sink in list_sinks() if sink.name == sink_name}
        left = [
            s.index for s in list_streams() if s.sink in there and s.client is not None and not _is_own(s)
        ]
        if not left or time.monotonic() >= until_s:
            return left
        time.sleep(FOLLOW_STEP_S)


def _is_own(stream: Stream) -> bool:
    return stream.process == os.getpid()


def _try(*words: str) -> None:
    """What may have ended by itself in the meantime need not be moved or removed."""
    with contextlib.suppress(DeviceError):
        pactl(*words)


def _lock(path: Path) -> IO[bytes]:
    """Take the desktop; the lock ends with the file that is returned, or with the process."""
    import fcntl  # there is none on Windows

    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise CardBusyError(
            "another `rtsep live --input desktop` is running, and the desktop has one sound. End that one first."
        ) from None
    return file
