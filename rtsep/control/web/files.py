"""The files of the page: a fixed table, read once. Nothing else can be asked for, whatever the path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

_HTML, _CSS = "text/html; charset=utf-8", "text/css; charset=utf-8"
_JS, _SVG = "text/javascript; charset=utf-8", "image/svg+xml"

#: Path to name in the folder ``page``, and type.
TABLE = {
    "/": ("index.html", _HTML),
    "/mixer.css": ("mixer.css", _CSS),
    "/icon.svg": ("icon.svg", _SVG),
    "/mixer.js": ("mixer.js", _JS),
    "/store.js": ("store.js", _JS),
    "/scales.js": ("scales.js", _JS),
    "/controls.js": ("controls.js", _JS),
    "/strips.js": ("strips.js", _JS),
    "/pictures.js": ("pictures.js", _JS),
    "/transport.js": ("transport.js", _JS),
    "/panels.js": ("panels.js", _JS),
    "/keys.js": ("keys.js", _JS),
}


@dataclass(frozen=True)
class File:
    """What is sent, and what it is."""

    kind: str
    content: bytes


def read_files() -> Mapping[str, File]:
    """Path to file."""
    folder = files(__package__) / "page"
    return {path: File(kind, (folder / name).read_bytes()) for path, (name, kind) in TABLE.items()}
