"""Scenes: named mixes that are saved, and recalled with a fade.

A scene is what the parameters of a mix are set to, by address. Recalled, it puts stems, groups, cross-fader and amount
of separation where it says, and to their defaults where it says nothing; routes, buses and direct inputs it leaves
alone unless it names them (`rtsep.parameters` has it all). The faders are there at once, and the sound takes the fade.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from rtsep.board import NOBODY, Board
from rtsep.config import Strict, read_yaml, write_yaml
from rtsep.errors import ConfigError, UsageError
from rtsep.mixer import Mixer
from rtsep.parameters import row_of
from rtsep.scales import Value
from rtsep.wishes import Ask

SCENES = "scenes.yaml"  # in the folder of this user's settings

Scene = Mapping[str, Value]


class SceneFile(Strict):
    """The file of the scenes: name to a tree of addresses, such as ``karaoke: {stem: {vocals: {mute: true}}}``."""

    scenes: dict[str, dict[str, Any]] = Field(default_factory=dict)


class SceneStore:
    """Scenes that come with rtsep, and those of a person in a file.

    Parameters
    ----------
    path
        The file; it need not be there. None: scenes last as long as the session.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._saved: dict[str, Scene] = {}
        self._saved = self._read()
        self._unwritten: dict[str, Scene | None] = {}  # what hands have done since; None: deleted

    @property
    def unwritten(self) -> tuple[str, ...]:
        """The scenes of which the file does not know yet what became of them."""
        with self._lock:
            return tuple(self._unwritten)

    def _own(self) -> dict[str, Scene]:
        with self._lock:
            return _changed(self._saved, self._unwritten)

    def names(self, stems: Sequence[str]) -> tuple[str, ...]:
        """All scenes: those of rtsep that these stems can play, then a person's own."""
        return tuple(dict.fromkeys((*built_in(stems), *self._own())))

    def find(self, name: str, stems: Sequence[str]) -> Scene:
        """What is in a scene.

        Raises
        ------
        UsageError
            There is none of that name.
        """
        known = {**built_in(stems), **self._own()}
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"there is no scene {name!r}; there are {', '.join(known)}.{hint}")
        return known[name]

    def save(self, name: str, scene: Scene) -> None:
        """Know a scene from now on, in place of one of the same name; `write` keeps it."""
        with self._lock:
            self._unwritten[name] = dict(scene)

    def delete(self, name: str) -> None:
        """Forget a scene; see `save`.

        Raises
        ------
        UsageError
            It is none that was saved.
        """
        if name not in self._own():
            raise UsageError(f"the scene {name!r} was not saved, so it cannot be deleted")
        with self._lock:
            self._unwritten[name] = None

    def write(self) -> None:
        """Put all that was saved and deleted into the file, which may take as long as a disk does.

        Raises
        ------
        UsageError
            The file cannot be written, or holds something else. It is as it was then, and all is known as before.
        """
        with self._writing:
            with self._lock:
                changes = dict(self._unwritten)
            if not changes:
                return
            saved = _changed(self._read(), changes)  # what somebody wrote by hand meanwhile stays
            if self.path is not None:
                _write(self.path, saved)
            with self._lock:
                self._saved = saved
                for name, scene in changes.items():
                    if self._unwritten[name] is scene:  # or it was saved again meanwhile
                        del self._unwritten[name]

    def _read(self) -> dict[str, Scene]:
        if self.path is None:
            return self._saved
        if not self.path.exists():
            return {}
        trees = read_yaml(self.path, SceneFile).scenes
        return {name: _checked(as_scene(tree), f"{self.path}: scenes.{name}") for name, tree in trees.items()}


def _changed(saved: Mapping[str, Scene], changes: Mapping[str, Scene | None]) -> dict[str, Scene]:
    """Scenes with some more, or less."""
    return {name: scene for name, scene in {**saved, **changes}.items() if scene is not None}


def _write(path: Path, scenes: Mapping[str, Scene]) -> None:
    trees = {name: as_tree(scene) for name, scene in scenes.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_yaml(path, SceneFile(scenes=trees))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def built_in(stems: Sequence[str]) -> dict[str, Scene]:
    """The scenes of rtsep: those for the stems that there are."""
    scenes: dict[str, Scene] = {"everything": {}}
    if "vocals" in stems:
        scenes["karaoke"] = {"/stem/vocals/mute": True}
        scenes["acapella"] = {"/stem/vocals/solo": True}
    if "drums" in stems:
        scenes["drumless"] = {"/stem/drums/mute": True}
        scenes["drums only"] = {"/stem/drums/solo": True}
    if "bass" in stems:
        scenes["bassless"] = {"/stem/bass/mute": True}
    return scenes


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


def as_scene(tree: Mapping[str, Any], under: str = "") -> dict[str, Value]:
    """The inverse of `as_tree`."""
    scene: dict[str, Value] = {}
    for key, value in tree.items():
        address = f"{under}/{key}"
        scene |= as_scene(value, address) if isinstance(value, Mapping) else {address: value}
    return scene


def _checked(scene: Scene, where: str) -> dict[str, Value]:
    """A scene whose addresses and values can be, though perhaps not with the model that plays."""
    try:
        return {address: row_of(address).scale.check(value) for address, value in scene.items()}
    except UsageError as error:
        raise ConfigError(f"{where}: {error}") from None


class Scenes:
    """Recalls scenes on a board.

    Parameters
    ----------
    board
        The parameters that a scene sets.
    mixer
        What plays them.
    store
        Where scenes are kept.
    stems
        Gives the stems that play.
    ask
        Has something done beside.
    fade_s
        How long the way to a scene takes, at first.

    Attributes
    ----------
    current : str
        The scene that was recalled or saved last, or that an undo led back to; empty before.
    fade_s : float
        See `fade_s`.
    """

    def __init__(
        self,
        board: Board,
        mixer: Mixer,
        store: SceneStore,
        stems: Callable[[], Iterable[str]],
        ask: Ask,
        fade_s: float = 0.0,
    ) -> None:
        self._board, self._mixer, self._store, self._stems, self._ask = board, mixer, store, stems, ask
        self.fade_s, self.current = fade_s, ""
        self._before: tuple[str, dict[str, Value]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All scenes."""
        return self._store.names(tuple(self._stems()))

    def recall(self, name: str) -> None:
        """Go to a scene.

        Raises
        ------
        UsageError
            There is none of that name.
        """
        self._go(name, self._store.find(name, tuple(self._stems())))

    def stand_at(self, name: str) -> None:
        """It is this scene that the mix came from, in an earlier session, if there still is one of that name."""
        self.current = name if name in self.names else ""

    def undo(self) -> None:
        """Go back to where everything stood before the last recall; once more, and it is as after it.

        Raises
        ------
        UsageError
            No scene was recalled.
        """
        if self._before is None:
            raise UsageError("no scene was recalled, so there is nothing to undo")
        self._go(*self._before)

    def save(self, name: str) -> None:
        """Have the mix as a scene, all that does not stand at its default: known at once, and written beside."""
        defaults = {address: found.default for address, found in self._board.parameters.items()}
        self._store.save(name, {a: value for a, value in self._now().items() if value != defaults[a]})
        self.current = name
        self._keep(f"the scene {name} is kept")

    def delete(self, name: str) -> None:
        """Forget a scene, in the same way."""
        self._store.delete(name)
        if self.current == name:
            self.current = ""
        self._keep(f"the scene {name} is deleted")

    def _keep(self, done: str) -> None:
        self._ask("scenes", "writing the scenes ...", lambda: self._write(done))

    def keep_rest(self) -> None:
        """Try once more to write what could not be written, before it is too late."""
        if self._store.unwritten:
            self._ask("scenes", "", lambda: self._write("the scenes are kept"))

    def _write(self, done: str) -> str:
        try:
            self._store.write()
        except UsageError as error:
            return f"{done}, but only until this session ends: {error}"
        return done

    def _now(self) -> dict[str, Value]:
        parameters = self._board.parameters
        return {a: v for a, v in self._board.values.items() if parameters[a].in_scenes != "never"}

    def _go(self, name: str, scene: Scene) -> None:
        """Set everything at once, with a fade of what is heard. What there is no parameter for is left out."""
        wanted = self._wanted(name, scene)
        with self._board.together():
            before, departure = self._now(), self._mixer.heard
            for address, value in wanted.items():
                if before.get(address) != value:
                    self._board.set(address, value, NOBODY)
            if self.fade_s > 0:
                self._mixer.fade_from(departure, self.fade_s)
            self._before, self.current = (self.current, before), name

    def _wanted(self, name: str, scene: Scene) -> dict[str, Value]:
        """All that a scene sets, checked before any of it is: it is set whole or not at all."""
        wanted = {}
        for address, found in self._board.parameters.items():
            if address in scene or found.in_scenes == "reset":
                try:
                    wanted[address] = found.scale.check(scene.get(address, found.default))
                except UsageError as error:
                    raise UsageError(f"the scene {name!r} does not fit here: {address}: {error}") from None
        return wanted
