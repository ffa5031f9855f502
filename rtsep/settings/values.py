"""Values that people write in settings: dB, channels counted from 1, and where sound comes from or goes to."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from rtsep.scales import MOST_GAIN_DB

#: Names that can be part of an address, as OSC has it.
NAME = re.compile(r"[\w.+-]{1,32}")

#: Endings by which a path that does not exist yet is known to be a file and not a device.
AUDIO_SUFFIXES = frozenset(
    {".aac", ".aif", ".aiff", ".caf", ".flac", ".m4a", ".m4v", ".mkv", ".mov", ".mp3", ".mp4"}
    | {".oga", ".ogg", ".opus", ".w64", ".wav", ".webm", ".wma"}
)


def _check_gain_db(value: float) -> float:
    if math.isnan(value):
        raise ValueError("a gain must be a number of dB, or -inf for silence")
    return value


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number of dB; to silence a stem write `mute: true`")
    return value


def _index_to_text(value: object) -> object:
    return str(value) if type(value) is int else value


def _check_distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError("a channel must not be named twice")
    return value


GainDb = Annotated[
    float, BeforeValidator(_refuse_bool), AfterValidator(_check_gain_db), Field(le=MOST_GAIN_DB)
]
Channel = Annotated[int, Field(ge=1, le=256)]
#: One or two channels of a card, counted from 1.
Channels = Annotated[tuple[Channel, ...], Field(min_length=1, max_length=2), AfterValidator(_check_distinct)]

#: Channels of a card's input, counted from 1; of more than two the odd ones go left, the even right.
InputChannels = Annotated[
    tuple[Channel, ...], Field(min_length=1, max_length=32), AfterValidator(_check_distinct)
]

#: Those of a card that are meant where none are named, if it has as many.
FIRST_CHANNELS = (1, 2)

#: A file or a device; a device's bare index is taken for its name.
Source = Annotated[str, BeforeValidator(_index_to_text), Field(min_length=1)]


#: The input that is whatever other applications play.
DESKTOP = "desktop"


@dataclass(frozen=True)
class Endpoint:
    """Where sound comes from or goes to: a file's path, the name or index of a device, or the desktop."""

    kind: Literal["file", "device", "desktop"]
    name: str

    @property
    def is_file(self) -> bool:
        """Whether this is a file."""
        return self.kind == "file"

    @property
    def is_desktop(self) -> bool:
        """Whether this is what other applications play."""
        return self.kind == "desktop"

    @property
    def path(self) -> Path:
        """The name as a path."""
        return Path(self.name)

    @classmethod
    def read(cls, text: str) -> Endpoint:
        """Tell a file, a device and the desktop apart.

        ``file:`` and ``device:`` decide; ``desktop`` is the desktop; an existing path and a name with the ending
        of an audio file are files; everything else is a device.
        """
        kind, colon, name = text.partition(":")
        if colon and kind in ("file", "device"):
            return cls("file" if kind == "file" else "device", name)
        if text == DESKTOP:
            return cls("desktop", text)
        path = Path(text)
        is_file = path.is_file() or path.suffix.lower() in AUDIO_SUFFIXES
        return cls("file" if is_file else "device", text)
