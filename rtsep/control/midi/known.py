"""The maps that there are, by name, and which of them a controller gets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from rtsep.config import user_folder
from rtsep.control.midi.maps import FOLDER, Map, expression, read_map
from rtsep.control.midi.ports import steady
from rtsep.errors import ConfigError

AUTO, GENERIC = "auto", "generic"
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Chosen:
    """The map that a port gets.

    Attributes
    ----------
    map
        The map.
    name
        The name, or the file, of what is learnt on it.
    wish
        What asks for that again.
    is_for_any
        Whether no map is made for the port: what is learnt becomes one.
    """

    map: Map
    name: str
    wish: str
    is_for_any: bool = False


@dataclass(frozen=True)
class Maps:
    """All maps.

    Attributes
    ----------
    by_name
        A person's own first, then those that come with rtsep.
    broken
        Of a person's own those that are none, and why.
    """

    by_name: Mapping[str, Map]
    broken: Mapping[str, ConfigError]

    def with_map(self, name: str, map_: Map) -> Maps:
        """The same with one of them exchanged, or one more."""
        broken = {other: error for other, error in self.broken.items() if other != name}
        return Maps({**self.by_name, name: map_}, broken)

    def tell_broken(self, say: Callable[[str], None]) -> None:
        """Say what is left out."""
        for name, error in self.broken.items():
            say(f"the map {name} is left out: {error}")

    def named(self, text: str) -> Map:
        """The map of this name, or in this file.

        Raises
        ------
        ConfigError
            There is none, or it is no map.
        """
        if text in self.broken:
            raise self.broken[text]
        if text in self.by_name:
            return self.by_name[text]
        if not _is_file(text) and not Path(text).is_file():
            near = get_close_matches(text, self.by_name, n=1)
            there = f"there are: {', '.join(self.by_name)}, or the path of a file"
            raise ConfigError(f"there is no map {text!r}; {f'did you mean {near[0]!r}?' if near else there}")
        return read_map(Path(text))

    def chosen(self, text: str, port: str) -> Chosen | None:
        """The map that a wish gives to a port; None: the wish is not about it.

        Raises
        ------
        UsageError
            The wish names a map that is not there, or is no name of a port.
        """
        if text == AUTO:
            return self._made_for(port)
        if text in self.by_name or text in self.broken or _is_file(text):
            map_ = self.named(text)
            return Chosen(map_, text, text) if map_.match is None or map_.fits(port) else None
        is_meant = expression(text).search(port) is not None
        return self.of(port) if port and is_meant else None

    def of(self, port: str) -> Chosen:
        """The map of a port that is wanted: the first that is made for it, else the one for any."""
        return self._made_for(port) or Chosen(
            self.by_name[GENERIC], self.free_name(port), AUTO, is_for_any=True
        )

    def free_name(self, port: str) -> str:
        """A name for the map of what a port has learnt, which no other map has: not even where case does not count."""
        taken = {name.casefold() for name in (*self.by_name, *self.broken)}
        name = re.sub(r"\W+", "_", steady(port).casefold()).strip("_") or "port"
        numbered = (f"{name}_{n}" for n in itertools.count(2))
        return next(free for free in itertools.chain([name], numbered) if free not in taken)

    def _made_for(self, port: str) -> Chosen | None:
        fitting = (Chosen(map_, name, AUTO) for name, map_ in self.by_name.items() if map_.fits(port))
        return next(fitting, None)


def known_maps() -> Maps:
    """All maps that there are."""
    own: dict[str, Map] = {}
    broken: dict[str, ConfigError] = {}
    for name, path in _files(user_folder() / FOLDER).items():
        try:
            own[name] = read_map(path)
        except ConfigError as error:
            broken[name] = error
    shipped = {name: read_map(path) for name, path in _files(shipped_folder()).items()}
    return Maps(own | {name: map_ for name, map_ in shipped.items() if name not in own}, broken)


def _files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("[!.]*.yaml"))}


def shipped_folder() -> Path:
    """Where the maps are that come with rtsep: in the package, or in the repository beside it."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "configs" / FOLDER
    return inside if inside.is_dir() else package.parent / "configs" / FOLDER


def own_file(name: str) -> Path:
    """The file of a person's own map: the one that is named, or that goes before one that ships."""
    return Path(name).absolute() if _is_file(name) else user_folder() / FOLDER / f"{name}.yaml"


def _is_file(text: str) -> bool:
    return text.lower().endswith(SUFFIXES)
