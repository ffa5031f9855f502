"""A controller on a real board, on the bench."""

from __future__ import annotations

from typing import Any

from session import StillSession

from rtsep.config import parse
from rtsep.control.midi.maps import Map
from rtsep.control.midi.messages import Message, encoded
from rtsep.control.midi.surface import Surface
from rtsep.scales import Value

STEMS = ("vocals", "drums", "bass", "other")
GAIN, MUTE, SOLO, PAN = (f"/stem/vocals/{what}" for what in ("gain_db", "mute", "solo", "pan"))


class Bench:
    """A session, and a controller of these lines."""

    def __init__(self, *lines: dict[str, Any], **more: Any) -> None:
        self.session = StillSession(None, STEMS)
        self.board, self.said = self.session.board, list[str]()
        self.map = parse({"bindings": list(lines), **more}, Map, "test")
        self.surface = Surface(self.session, self.map, "midi:test", self.said.append)  # type: ignore[arg-type]

    def say(self, kind: str, number: int, *values: int, channel: int = 1) -> list[Value]:
        """Send values of a control; the gain of the vocals after each."""
        gains = []
        for value in values:
            for data in encoded(Message(kind, channel, number, value)):  # type: ignore[arg-type]
                self.surface.hear(data)
            gains.append(self.board[GAIN])
        return gains
