"""The shape of the house, read from the imports: they go down only, and every foreign library has one home."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rtsep"

# From the ground up. A room (a folder or a file) sees itself and what lies below it.
FLOORS = (
    {"digest", "early", "errors", "pace", "realtime", "rest", "whole"},
    {"stream", "config", "atomics", "monotonic", "wishes"},
    {"scales"},
    {"parameters"},
    {"board"},
    {"settings", "dsp", "nets", "io", "control", "demo", "clocks"},
    {"zoo", "tape", "mix", "resampled", "follower", "output_names", "card_latency", "notes", "resume"},
    {"arithmetic", "ends", "mixer", "scene_file"},
    {"spectral", "engine", "callback", "reels", "track", "recover", "offline"},
    {"recorder", "scenes"},
    {"separator", "chain", "transport", "train"},
    {"deck", "faders"},
    {"knobs"},
    {"desk"},
    {"tuning"},
    {"offset"},
    {"session_files", "separation"},
    {"recording"},
    {"rig"},
    {"account", "changing", "loopback", "showing", "standing"},
    {"podium", "remembered", "running"},
    {"handover"},
    {"succession"},
    {"host"},
    {"cli"},
    {"__init__", "__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Limbs do not see one another, except as said here.
EVERYBODY_SEES = {"errors", "pace", "realtime", "whole", "stream", "config"}
LIMBS: dict[str, set[str]] = {
    "dsp": {"atomics", "digest"},
    "nets": {"atomics", "digest"},
    "io": set(),
    "control": {"board", "parameters", "scales"},
    "zoo": {"nets"},
}

# Who may use a room that is none of the path's.
VISITORS = {"train": {"cli"}, "demo": {"cli", "train"}, "control": {"cli"}}

# A foreign library, and the rooms, folders or files that may see it.
HOMES = {
    "av": {"io"},
    "blessed": {"control/terminal/keyboard.py"},
    "google_crc32c": {"zoo"},
    "httpx": {"zoo/pull.py"},
    "jeepney": {"realtime/rtkit.py"},
    "llvmlite": {"atomics.py", "callback", "monotonic.py", "nets"},
    "numba": {
        "atomics.py",
        "callback",
        "clocks.py",
        "dsp",
        "follower.py",
        "monotonic.py",
        "nets",
        "realtime/linux.py",
    },
    "pythonosc": {"control/osc/surface.py"},
    "rtmidi": {"control/midi/ports.py"},
    "platformdirs": {"io/desktop.py", "config.py", "resume.py", "zoo"},
    "pydantic": {
        "card_latency.py",
        "config.py",
        "control/midi/maps.py",
        "settings",
        "train",
        "tuning.py",
        "zoo",
    },
    "rich": {"cli", "control/terminal", "train"},
    "safetensors": {"train", "zoo"},
    "segno": {"control/web/invitation.py"},
    "sounddevice": {"io/cards.py"},
    "soundfile": {"io"},
    "soxr": {"dsp", "io"},
    "torch": {"nets", "train", "zoo"},
    "typer": {"cli"},
    "websockets": {"control/web/server.py"},
    "yaml": {"config.py"},
}
EVERYWHERE = {"numpy"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imports_of(source: str) -> Iterator[str]:
    """Dotted names of all that is imported, wherever it stands in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            yield from (f"rtsep.{alias.name}" for alias in node.names) if module == "rtsep" else (module,)


def complaints(path: Path, source: str) -> Iterator[str]:
    """What is wrong with the imports of a file."""
    room, name = room_of(path), path.relative_to(PACKAGE).as_posix()
    if room not in FLOOR:
        yield f"{name}: the room {room!r} has no floor yet; give it one in FLOORS"
        return
    for imported in imports_of(source):
        top, *rest = imported.split(".")
        if top == "rtsep":
            yield from inner_complaints(name, room, rest[0] if rest else "__init__")
        elif top not in sys.stdlib_module_names and top not in EVERYWHERE:
            homes = HOMES.get(top, set())
            if not {room, name, name.rpartition("/")[0]} & homes:
                yield f"{name} imports {top}, whose home is {', '.join(sorted(homes)) or 'nowhere yet'}"


def inner_complaints(name: str, room: str, seen: str) -> Iterator[str]:
    if seen == room or (room == "cli" and seen.startswith("__")):
        return
    if seen not in FLOOR or FLOOR[seen] >= FLOOR[room]:
        yield f"{name} imports rtsep.{seen}, which is not below {room}"
    elif room in LIMBS and seen not in EVERYBODY_SEES | LIMBS[room]:
        yield f"{name} imports rtsep.{seen}: limbs do not see one another"
    elif room not in VISITORS.get(seen, {room}) | {"__init__"}:
        yield f"{name} imports rtsep.{seen}, which is for {', '.join(sorted(VISITORS[seen]))}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down_and_foreigners_stay_at_home(path: Path) -> None:
    assert list(complaints(path, path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("engine.py", "from rtsep.host import Host", "not below"),
        ("io/files.py", "def f():\n    from rtsep.dsp.stft import stft", "not below"),
        ("zoo/find.py", "import rtsep.io.files", "do not see one another"),
        ("host.py", "from rtsep import control", "which is for cli"),
        ("host.py", "import rtsep.train.loop", "which is for cli"),
        ("host.py", "import sounddevice as sd", "whose home is io/cards.py"),
        ("dsp/masks.py", "import torch.nn", "whose home is nets"),
        ("cli/live.py", "import yaml", "whose home is config.py"),
        ("io/files.py", "import pandas", "nowhere yet"),
        ("utils.py", "", "has no floor yet"),
    ],
)
def test_what_the_rules_forbid_is_found(name: str, source: str, complaint: str) -> None:
    assert [text for text in complaints(PACKAGE / name, source) if complaint in text]
