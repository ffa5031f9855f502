"""Ports of the system: their names, and controllers that are plugged in; the only room that sees rtmidi.

Messages are taken from its queue, not by its callbacks: with JACK those would hold the audio's thread up until Python
has time for them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from rtsep.control.midi.jack import ServerWatch, load_library
from rtsep.errors import DeviceError

CLIENT = "rtsep"
SEQUENCER = Path("/dev/snd/seq")
# ALSA and Windows end names by numbers, which change when plugged in again.
_NUMBERS = re.compile(r"[\s_]*\d+(:\d+)?$")


class Ports:
    """The ports there are, seen through one of the system's ways to MIDI.

    Raises
    ------
    DeviceError
        There is no way to MIDI here.
    """

    def __init__(self) -> None:
        rtmidi = load()
        api, why = _choose(rtmidi)
        if api is None:
            raise DeviceError(why)
        self._rtmidi, self._api = rtmidi, api
        self._in, self._out = (self._client(kind, f"{CLIENT} ports") for kind in ("MidiIn", "MidiOut"))
        self._own = [CLIENT]
        self._server = ServerWatch(f"{CLIENT} watch") if api == rtmidi.API_UNIX_JACK else None

    @property
    def is_alive(self) -> bool:
        """Whether ports can still come: not from a server that is gone, even if there is another one since."""
        return self._server is None or self._server.is_there

    def has_lost(self, name: str) -> bool:
        """Whether an input that is open is not connected any more, though a port of its name is there.

        Only JACK tells; elsewhere a port that went and came between two looks has another number, if we are lucky.
        """
        return self._server is not None and not self._server.is_heard(name, CLIENT)

    def inputs(self) -> list[str]:
        """Names of what can be listened to."""
        return self._foreign(self._in.get_ports())

    def outputs(self) -> list[str]:
        """Names of what can be sent to."""
        return self._foreign(self._out.get_ports())

    def open_input(self, name: str) -> Input:
        """Listen to a port.

        Raises
        ------
        DeviceError
            It is not there, or refuses.
        """
        return Input(self._opened("MidiIn", name))

    def open_output(self, name: str) -> Output:
        """Send to a port.

        Raises
        ------
        DeviceError
            It is not there, or refuses.
        """
        return Output(self._opened("MidiOut", name))

    def open_virtual(self, name: str) -> tuple[Input, Output]:
        """Be a port that other programs connect to.

        Raises
        ------
        DeviceError
            The system has none: Windows.
        """
        if sys.platform == "win32":
            raise DeviceError("Windows has no virtual ports; loopMIDI makes some, which --midi can name")
        found = []
        self._own += [
            f"{name}:",
            f"{name}-",
            f"{name} in",
            f"{name} out",
        ]  # JACK numbers a client's second name
        for kind, way in (("MidiIn", "in"), ("MidiOut", "out")):
            client = self._client(kind, name)
            client.open_virtual_port(f"{name} {way}" if sys.platform == "darwin" else way)
            found.append(client)
        return Input(found[0]), Output(found[1])

    def close(self) -> None:
        """Look no more."""
        self._in.delete()
        self._out.delete()
        if self._server is not None:
            self._server.close()

    def _opened(self, kind: str, name: str) -> Any:
        client = self._client(kind, CLIENT)
        try:
            client.open_port(client.get_ports().index(name), "in" if kind == "MidiIn" else "out")
        except (ValueError, self._rtmidi.RtMidiError) as error:
            client.delete()
            raise DeviceError(f"the MIDI port {name!r} cannot be opened: {error}") from error
        return client

    def _foreign(self, names: list[str]) -> list[str]:
        """Those that are not of our own making."""
        return [name for name in names if not name.startswith(tuple(self._own))]

    def _client(self, kind: str, name: str) -> Any:
        try:
            return getattr(self._rtmidi, kind)(self._api, name=name)
        except self._rtmidi.RtMidiError as error:
            raise DeviceError(f"MIDI is not to be had: {error}") from error


class Input:
    """A port that is listened to."""

    def __init__(self, client: Any) -> None:
        self._client = client
        client.ignore_types(sysex=True, timing=True, active_sense=True)

    def take(self) -> bytes | None:
        """The next message that came, None if there is none; it never waits."""
        found = self._client.get_message()
        return None if found is None else bytes(found[0])

    def close(self) -> None:
        """Let it go."""
        _end(self._client)


class Output:
    """A port that is sent to."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, messages: Iterable[bytes]) -> None:
        """Send them in order; into a port that is gone they go nowhere."""
        for message in messages:
            with suppress(OSError):  # of which rtmidi's errors are
                self._client.send_message(message)

    def close(self) -> None:
        """Let it go."""
        _end(self._client)


def steady(name: str) -> str:
    """A port's name without the numbers that change when it is plugged in again."""
    return _NUMBERS.sub("", name)


def load() -> ModuleType:
    """The library; where JACK is to be had, with the system's own way to its server.

    The library's wheels bring a libjack of their own, which understands only servers of its own version; what is loaded
    globally before comes first.
    """
    if sys.platform.startswith("linux") and not SEQUENCER.exists():
        with suppress(OSError):
            load_library()
    import rtmidi as library

    found: ModuleType = library
    return found


def _choose(rtmidi: ModuleType) -> tuple[int | None, str]:
    """The system's way to MIDI; without one the reason."""
    if not sys.platform.startswith("linux"):
        return rtmidi.API_UNSPECIFIED, ""
    if SEQUENCER.exists() and os.access(SEQUENCER, os.R_OK | os.W_OK):
        return rtmidi.API_LINUX_ALSA, ""
    try:
        rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=f"{CLIENT} probe").delete()
    except rtmidi.RtMidiError:
        reason = (
            "may not be used (is this user in the group audio?)" if SEQUENCER.exists() else "is not there"
        )
        return None, (
            f"no MIDI here: ALSA's sequencer {SEQUENCER} {reason} (`modprobe snd-seq`), and no JACK server runs"
        )
    return rtmidi.API_UNIX_JACK, ""


def _end(client: Any) -> None:
    client.close_port()
    client.delete()
