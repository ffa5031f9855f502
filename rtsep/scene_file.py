"""The file of a person's scenes, which is made to be read and written by hand.

A slip of the hand costs nothing but the scene that it is in: that one is told and left out, and stays in the file as it
was written. What is no file of scenes at all is never written over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtsep.config import read_tree, to_yaml
from rtsep.errors import ConfigError, UsageError
from rtsep.parameters import ROWS, row_of
from rtsep.scales import Value
from rtsep.whole import replacing

Scene = Mapping[str, Value]

LIKE = "scenes: {karaoke: {stem: {vocals: {mute: true}}}}"


@dataclass(frozen=True)
class SceneFile:
    """What is in a file of scenes. Made by `read_scenes`, or of nothing.

    Attributes
    ----------
    tree
        All of it, as it was written.
    scenes
        The scenes, by their names.
    faults
        What of it is no scene, and why.
    """

    tree: Mapping[str, Any] = field(default_factory=dict)
    scenes: Mapping[str, Scene] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def changed(self, changes: Mapping[str, Scene | None]) -> SceneFile:
        """The same with other scenes of these names; None: without one."""
        trees = dict(self.tree.get("scenes") or {})
        for name, scene in changes.items():
            if scene is None:
                trees.pop(name, None)
            else:
                trees[name] = as_tree(scene)
        return _made_of({**self.tree, "scenes": trees})


def read_scenes(path: Path) -> SceneFile:
    """Read a file of scenes; one that is not there holds none.

    Raises
    ------
    ConfigError
        It cannot be read, or is no file of scenes.
    """
    if not path.exists():
        return SceneFile()
    tree = read_tree(path) or {}
    if not isinstance(tree, Mapping) or not isinstance(tree.get("scenes") or {}, Mapping):
        raise ConfigError(f"{path} is no file of scenes, which looks like `{LIKE}`")
    return _made_of(tree)


def write_scenes(path: Path, file: SceneFile) -> None:
    """Write a file of scenes, whole or not at all.

    Raises
    ------
    OSError
        It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as written:
        written.write(to_yaml(file.tree).encode())


def as_tree(scene: Scene) -> dict[str, Any]:
    """Addresses as people read them: ``/stem/vocals/mute`` is ``stem: {vocals: {mute: ...}}``."""
    tree: dict[str, Any] = {}
    for address, value in scene.items():
        *folders, leaf = address.strip("/").split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = value
    return tree


def as_scene(tree: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    """The inverse of `as_tree`; what is left empty is as if it did not stand there."""
    scene: dict[str, Any] = {}
    for key, value in tree.items():
        address = f"{under}/{key}"
        if isinstance(value, Mapping):
            scene |= as_scene(value, address)
        elif value is not None:
            scene[address] = value
    return scene


def _made_of(tree: Mapping[str, Any]) -> SceneFile:
    scenes: dict[str, Scene] = {}
    faults = [f"{key!r} means nothing; scenes stand under 'scenes'" for key in tree if key != "scenes"]
    for name, found in (tree.get("scenes") or {}).items():
        try:
            scenes[name] = _checked(name, {} if found is None else found)
        except UsageError as error:
            faults.append(f"the scene {name!r} is left out: {error}")
    return SceneFile(tree, scenes, tuple(faults))


def _checked(name: str, tree: object) -> Scene:
    """A scene whose addresses and values can be, though perhaps not with the model that plays."""
    ROWS["/scene/recall"].scale.check(name)
    if not isinstance(tree, Mapping):
        raise UsageError(f"{tree!r} is no group of keys; a scene looks like `{LIKE}`")
    return {address: _value(address, value) for address, value in as_scene(tree).items()}


def _value(address: str, value: object) -> Value:
    row = row_of(address)
    if row.in_scenes == "never":
        raise UsageError(f"{address} is no part of the mix, which is all that a scene sets")
    try:
        return row.scale.check(value)
    except UsageError as error:
        raise UsageError(f"{address}: {error}") from None
