"""What PulseAudio is told and asked, through its own ``pactl``; PipeWire's pulse server understands the same.

The command and not a library: it comes with either server, its listings have stood still for a decade, it cannot hang
a session (every call has a time-out), and nothing of it lives in the process that plays.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from rtsep.errors import DeviceError

TIMEOUT_S = 5.0
_HEADS = r"^(?:Sink|Sink Input) #(\d+)$"


@dataclass(frozen=True)
class Sink:
    """A place to play to: `name` for machines, `description` for people."""

    index: int
    name: str
    description: str


@dataclass(frozen=True)
class Stream:
    """Something that plays (a sink input); `client` is None for what the server plays itself, as a loopback does."""

    index: int
    sink: int
    client: int | None
    process: int | None


def pactl(*words: str) -> str:
    """Run one command; what it prints.

    Raises
    ------
    DeviceError
        There is no ``pactl``, no server answers, or it refuses.
    """
    try:
        done = subprocess.run(
            ["pactl", *words],
            env={**os.environ, "LC_ALL": "C"},  # the listings are translated otherwise
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for rtsep, not for what it is just asking
        )
    except FileNotFoundError:
        raise DeviceError(
            "the command pactl, which moves what the desktop plays, is not installed. Install it: "
            "apt install pulseaudio-utils, dnf install pulseaudio-utils, or pacman -S libpulse."
        ) from None
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"the sound server does not answer within {TIMEOUT_S:.0f} s (asked: pactl {' '.join(words)}). "
            f"Start PulseAudio or PipeWire anew."
        ) from None
    if done.returncode != 0:
        problem = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise DeviceError(
            f"the sound server (PulseAudio or PipeWire) cannot be reached, or refuses: {problem} "
            f"(asked: pactl {' '.join(words)}). `pactl info` shows whether it runs."
        )
    return done.stdout


def default_sink() -> str:
    """The name of the sink that applications play to without being told; empty if there is none."""
    found = re.search(r"^Default Sink: (.*)$", pactl("info"), re.MULTILINE)
    return found[1] if found and found[1] != "n/a" else ""


def list_sinks() -> list[Sink]:
    """All sinks."""
    return [
        Sink(index, keys.get("Name", ""), keys.get("Description", ""))
        for index, keys in records(pactl("list", "sinks"))
    ]


def list_streams() -> list[Stream]:
    """All that plays."""
    return [
        Stream(
            index, int(keys["Sink"]), _number(keys.get("Client")), _number(keys.get("application.process.id"))
        )
        for index, keys in records(pactl("list", "sink-inputs"))
        if _number(keys.get("Sink")) is not None
    ]


def list_modules(name: str) -> dict[int, str]:
    """The loaded modules of a name: number to arguments."""
    rows = (line.split("\t") for line in pactl("list", "short", "modules").splitlines())
    return {int(row[0]): row[2] for row in rows if len(row) > 2 and row[1] == name and row[0].isdigit()}


def records(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    r"""The things of a long listing: the number of each, its keys and its properties.

    The first of two equal keys counts: a property, which an application writes, cannot stand in for a key.

    Examples
    --------
    >>> list(records('Sink #3\n\tName: card\n\tProperties:\n\t\tdevice.class = "sound"\n'))
    [(3, {'Name': 'card', 'device.class': 'sound'})]
    """
    parts = re.split(_HEADS, text, flags=re.MULTILINE)[1:]
    for index, body in zip(parts[::2], parts[1::2], strict=True):
        keys: dict[str, str] = {}
        for match in re.finditer(r'^\t(?:([^\t:]+): (.*)|\t(\S+) = "(.*)")$', body, re.MULTILINE):
            key, value = (match[1], match[2]) if match[1] else (match[3], match[4])
            keys.setdefault(key, value)
        yield int(index), keys


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
