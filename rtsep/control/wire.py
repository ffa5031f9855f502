"""What goes through the pipes between the session and a process of its own: a line of JSON a message, plain ASCII.

A message is a kind and a content. The first one, to the process, is ``open``; which others there are stands where each
process is described: `rtsep.control.web`, `rtsep.control.midi.porter`.

JSON knows no infinity: silence is the text ``-inf``, which the board understands.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

LINE_BYTES = 1 << 20  # the longest that is read: a world of hundreds of parameters takes a tenth


def line(kind: str, content: object) -> bytes:
    """A message as it goes through a pipe."""
    return to_json({kind: content}).encode("ascii") + b"\n"


def read_line(text: bytes) -> tuple[str, Any]:
    """The kind and the content of a message."""
    ((kind, content),) = json.loads(text).items()
    return kind, content


def to_json(content: object) -> str:
    """Plain values as JSON; a number that is none is refused."""
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """A value without infinities."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
