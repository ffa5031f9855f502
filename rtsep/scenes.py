"""Scenes: named mixes that are saved, and recalled with a fade.

A scene is what the parameters of a mix are set to, by address. Recalled, it puts stems, groups, cross-fader and amount
of separation where it says, and to their defaults where it says nothing; routes, buses and direct inputs it leaves
alone unless it names them, as every scene that was saved does (`rtsep.parameters` has it all). The faders are there at
once, and the sound takes the fade.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rtsep.board import NOBODY, Board
from rtsep.errors import ConfigError, UsageError
from rtsep.mixer import Mixer
from rtsep.scales import Value
from rtsep.scene_file import Scene, SceneFile, read_scenes, write_scenes
from rtsep.whole import copy_beside
from rtsep.wishes import Ask

SCENES = "scenes.yaml"  # in the folder of this user's settings


class SceneStore:
    """Scenes that come with rtsep, and those of a person in a file.

    Parameters
    ----------
    path
        The file; it need not be there. None: scenes last as long as the session.

    Attributes
    ----------
    complaint : str
        What a person should know of the file as it was found at first: what of it is left out, and why; empty: nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._file = SceneFile()
        self._unwritten: dict[str, Scene | None] = {}  # what hands have done since; None: deleted
        try:
            self._file = self._read()
            self.complaint = self._told(self._file.faults)
        except ConfigError as error:
            self.complaint = f"no scenes of your own are there: {error}"

    @property
    def unwritten(self) -> tuple[str, ...]:
        """The scenes of which the file does not know yet what became of them."""
        with self._lock:
            return tuple(self._unwritten)

    def _own(self) -> dict[str, Scene]:
        with self._lock:
            changed = {**self._file.scenes, **self._unwritten}
        return {name: scene for name, scene in changed.items() if scene is not None}

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

    def write(self) -> str:
        """Put all that was saved and deleted into the file, which may take as long as a disk does.

        Returns
        -------
        str
            What a person should know of what was found there; empty: nothing.

        Raises
        ------
        UsageError
            The file cannot be written. It is as it was then, and all is known as before.
        """
        with self._writing:
            with self._lock:
                changes = dict(self._unwritten)
            if not changes:
                return ""
            try:
                found, told = self._found()
                file = found.changed(changes)
                if self.path is not None:
                    write_scenes(self.path, file)
            except OSError as error:
                raise UsageError(f"{self.path} cannot be written: {error.strerror or error}") from error
            with self._lock:
                self._file = file
                for name, scene in changes.items():
                    if self._unwritten[name] is scene:  # or it was saved again meanwhile
                        del self._unwritten[name]
            return told

    def _found(self) -> tuple[SceneFile, str]:
        """The file as it is now, for what somebody wrote by hand meanwhile stays, and what is new and wrong in it.

        If it is none of scenes any more, it is the one that it was, after that of now has been put beside.
        """
        try:
            found = self._read()
        except ConfigError as error:
            assert self.path is not None, "there was something to read"
            return self._file, f"{error} What stood there is in {copy_beside(self.path)} now."
        return found, self._told(fault for fault in found.faults if fault not in self._file.faults)

    def _read(self) -> SceneFile:
        return self._file if self.path is None else read_scenes(self.path)

    def _told(self, faults: Iterable[str]) -> str:
        text = "; ".join(faults)
        return f"{self.path}: {text}" if text else ""


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
        self._past: tuple[str, dict[str, Value]] | None = None  # the scene then, and what was moved since

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
        scene = self._store.find(name, tuple(self._stems()))
        with self._board.together():
            table, before = self._board.parameters, self._board.values
            reset = {address: found.default for address, found in table.items() if found.in_scenes == "reset"}
            wanted = self._fitting(f"the scene {name!r}", {**reset, **scene})
            moved = {address: value for address, value in wanted.items() if before[address] != value}
            if moved:
                self._set(moved)
                self._past = self.current, {address: before[address] for address in moved}
            self.current = name

    def stand_at(self, name: str) -> None:
        """It is this scene that the mix came from, if there still is one of that name."""
        self.current = name if name in self.names else ""

    def undo(self) -> None:
        """Put what the last recall moved back to where it stood; once more, and it is as after it.

        What the recall did not move stays, and one that moved nothing is none.

        Raises
        ------
        UsageError
            No scene was recalled.
        """
        if self._past is None:
            raise UsageError("no scene was recalled, so there is nothing to undo")
        name, stood = self._past
        with self._board.together():
            wanted, now = self._fitting("the mix before the last scene", stood), self._board.values
            self._set(wanted)
            self._past = self.current, {address: now[address] for address in wanted}
            self.stand_at(name)

    def save(self, name: str) -> None:
        """Have the mix as a scene: known at once, and written beside.

        What a recall puts to its default anyway is left out where it stands there; a route, a bus or a direct input
        never is, for a recall leaves alone what is not named.
        """
        values = self._board.values
        scene = {
            address: values[address]
            for address, found in self._board.parameters.items()
            if found.in_scenes == "left" or (found.in_scenes == "reset" and values[address] != found.default)
        }
        self._store.save(name, scene)
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
            told = self._store.write()
        except UsageError as error:
            return f"{done}, but only until this session ends: {error}"
        return f"{done}. {told}" if told else done

    def _fitting(self, what: str, values: Mapping[str, Value]) -> dict[str, Value]:
        """Those that there is a parameter for, checked before any is set: they are set whole or not at all."""
        table, fitting = self._board.parameters, {}
        for address in filter(table.__contains__, values):
            try:
                fitting[address] = table[address].scale.check(values[address])
            except UsageError as error:
                raise UsageError(f"{what} does not fit here: {address}: {error}") from None
        return fitting

    def _set(self, values: Mapping[str, Value]) -> None:
        """Set everything at once, with a fade of what is heard."""
        departure = self._mixer.heard
        with self._mixer.keeping_solos():
            for address, value in values.items():
                self._board.set(address, value, NOBODY)
        if self.fade_s > 0:
            self._mixer.fade_from(departure, self.fade_s)
