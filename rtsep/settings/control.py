"""The settings of the surfaces: who may turn the knobs, and from where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from rtsep.config import Strict


def _check_place(text: str) -> str:
    read_place(text)
    return text


def read_place(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; an IPv6 address stands in brackets.

    Raises
    ------
    ValueError
        It is none.
    """
    host, _, port = text.rpartition(":")
    if host.strip("[]") and port.isdecimal() and not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no HOST:PORT: ports are 1 to 65535")
    if not host.strip("[]") or not port.isdecimal():
        raise ValueError(f"{text!r} is no HOST:PORT, such as 192.168.1.20:9000")
    return host.strip("[]"), int(port)


#: ``HOST:PORT``.
NetPlace = Annotated[str, AfterValidator(_check_place)]


class OscSettings(Strict):
    """Where OSC is listened for, over UDP; and `clients` that are told of every change without asking for it.

    Whoever reaches the port moves the mix: OSC knows no password.
    """

    listen: NetPlace = "127.0.0.1:9000"
    clients: tuple[NetPlace, ...] = ()


class WebSettings(Strict):
    """Where the web mixer listens. Pages of other machines need a token, which the start shows."""

    listen: NetPlace = "127.0.0.1:8737"


class MidiSettings(Strict):
    """MIDI controllers: each a map (a name, or a file), a port (a part of its name, or a regular expression), or
    ``auto``: all that a map is made for. `virtual` is a port of that name for other programs to connect to.
    """

    use: tuple[str, ...] = ("auto",)
    virtual: str | None = Field(default=None, min_length=1)


class ControlSettings(Strict):
    """Who may turn the knobs, and where the account of the session is left.

    `web` is the mixer in a browser (none: there is none).
    `scenes` is the file of the scenes (none: that of this user), `scene_fade_s` the time that the way to one takes.
    """

    keys: bool = True
    web: WebSettings | None = None
    scenes: Path | None = None
    scene_fade_s: float = Field(default=0.0, ge=0.0, le=60.0)
    osc: OscSettings | None = None
    midi: MidiSettings | None = None
    stats_json: Path | None = None
