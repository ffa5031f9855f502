"""The maps that there are, by name, and which of them a controller gets."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from rtsep.config import user_folder
from rtsep.control.midi.maps import FOLDER, Map, expression, read_map
from rtsep.errors import ConfigError

AUTO, GENERIC = "auto", "generic"
SUFFIXES = (".yaml", ".yml")


def known_maps() -> dict[str, Map]:
    """Name to map: a person's own first, then those that come with rtsep.

    Raises
    ------
    ConfigError
        One of them is no map.
    """
    folders = (user_folder() / FOLDER, shipped_folder())
    files = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    maps: dict[str, Map] = {}
    for path in files:
        maps.setdefault(path.stem, read_map(path))
    return maps


def shipped_folder() -> Path:
    """Where the maps are that come with rtsep: in the package, or in the repository beside it."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "configs" / FOLDER
    return inside if inside.is_dir() else package.parent / "configs" / FOLDER


def named(text: str, maps: Mapping[str, Map]) -> Map:
    """The map of this name, or in this file.

    Raises
    ------
    ConfigError
        There is none, or it is no map.
    """
    if text in maps:
        return maps[text]
    if not text.lower().endswith(SUFFIXES) and not Path(text).is_file():
        near = get_close_matches(text, maps, n=1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(maps)}, or the path of a file"
        )
        raise ConfigError(f"there is no map {text!r}; {hint}")
    return read_map(Path(text))


def chosen(text: str, port: str, maps: Mapping[str, Map]) -> Map | None:
    """The map that a wish gives to a port; None: the wish is not about it.

    Raises
    ------
    UsageError
        The wish names a map that is not there, or is no name of a port.
    """
    fitting = (map_ for map_ in maps.values() if map_.fits(port))
    if text == AUTO:
        return next(fitting, None)
    if text in maps or text.lower().endswith(SUFFIXES):
        map_ = named(text, maps)
        return map_ if map_.match is None or map_.fits(port) else None
    if not port or expression(text).search(port) is None:
        expression(text)
        return None
    return next(fitting, maps[GENERIC])
