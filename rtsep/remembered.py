"""What hands have left: the last session of every settings file, and the last one of all.

What is kept is where the session stood, and what its file and options asked for. Next time what they ask for now goes
before it where that is something else than it was then: an edited file, or an option, wins, key by key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtsep.changing import mixed
from rtsep.config import Strict, read_yaml, user_folder, write_yaml
from rtsep.errors import ConfigError
from rtsep.mix import Mix, Strip
from rtsep.resume import Standing
from rtsep.rig import make_mix, make_mixer
from rtsep.settings import LiveSettings
from rtsep.standing import mix_now

FOLDER = "sessions"

#: What a hand can choose while it plays, beside the mix and the fade of scenes.
CHOICES = (("input", "source"), ("model", "name"), ("model", "latency"))


class Remembered(Strict):
    """A session as it was left.

    Attributes
    ----------
    asked
        What its file and options asked for.
    standing
        Where it stood.
    folder
        Where it was started, from where its paths count.
    config, options
        See `rtsep.resume.Session`.
    """

    asked: LiveSettings
    standing: Standing
    folder: Path
    config: Path | None
    options: dict[str, Any]

    def over(self, asked: LiveSettings) -> Standing:
        """Where a session begins that is asked for now.

        It is not where it stood in the song, and never bypassed: who starts a session wants to hear it separated, and
        a mixture would sound as if nothing worked.
        """
        written = self._chosen(asked)
        settings = self._mixed(asked, written)
        if self.asked.control.scene_fade_s == asked.control.scene_fade_s != self._fade_s:
            settings = settings.fading_scenes_in(self._fade_s)
        scene = self.standing.scene if self._is_whole(settings, written) else ""
        return Standing(settings=settings, written=written, scene=scene)

    def _is_whole(self, settings: LiveSettings, written: LiveSettings) -> bool:
        """Whether these settings have the mix as it was left, and nothing else."""
        then = self.standing
        is_same_model = written.model.name == then.written.model.name
        return is_same_model and _touched(make_mix(settings)) == _touched(make_mix(then.settings))

    @property
    def _fade_s(self) -> float:
        return self.standing.settings.control.scene_fade_s

    def _chosen(self, asked: LiveSettings) -> LiveSettings:
        """With the choices of hands."""
        tree: dict[str, dict[str, Any]] = {}
        for group, key in CHOICES:
            then, now, left = (
                getattr(getattr(settings, group), key)
                for settings in (self.asked, asked, self.standing.written)
            )
            if then == now != left:
                tree.setdefault(group, {})[key] = left
        return asked.with_overrides(tree, "the last session") if tree else asked

    def _mixed(self, asked: LiveSettings, written: LiveSettings) -> LiveSettings:
        """With the mix as it was left, if it is of the same model: another one's stems are others."""
        if written.model.name != self.standing.written.model.name:
            return written
        mixer = mixed(make_mixer(self.standing.settings), self.asked, asked)
        if _touched(mixer.mix) == _touched(make_mix(asked)):
            return written
        now = asked.mixer.model_copy(update=mix_now(mixer, tuple(mixer.mix.strips), asked.mixer))
        return written.model_copy(update={"mixer": now})


class Memory:
    """A file that holds a session as it was left.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: Remembered | None = None

    def read(self) -> Remembered:
        """What it holds.

        Raises
        ------
        ConfigError
            Nothing, or something of another version.
        """
        return read_yaml(self.path, Remembered)

    def recall(self, asked: LiveSettings, tell: Callable[[str], None] = lambda text: None) -> Standing:
        """Where a session begins that is asked for now; with that alone, if nothing is known.

        What cannot be read is told, and put beside.
        """
        try:
            return self.read().over(asked)
        except ConfigError as error:
            if self.path.exists():
                beside = self.path.with_name(f"{self.path.name}.before")
                with suppress(OSError):
                    self.path.replace(beside)
                tell(f"The last session cannot be remembered: {error} That file is {beside} now.")
            return Standing(settings=asked, written=asked)

    def keep(self, now: Remembered) -> None:
        """Note how it stands now, if that is news.

        Raises
        ------
        OSError
            It cannot be written; what was known stays.
        """
        if now != self._kept:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_yaml(self.path, now)
            self._kept = now

    def forget(self) -> None:
        """Know nothing."""
        self.path.unlink(missing_ok=True)


def memory_of(config: Path) -> Memory:
    """The memory of a settings file."""
    whole = config.resolve()
    number = hashlib.sha256(str(whole).encode()).hexdigest()[:8]
    return Memory(user_folder() / FOLDER / f"{whole.stem}-{number}.yaml")


def last_memory() -> Memory:
    """The memory of the last session of all."""
    return Memory(user_folder() / FOLDER / "last.yaml")


def _touched(mix: Mix) -> Mix:
    """A mix without the stems that nobody has touched."""
    return replace(mix, strips={name: strip for name, strip in mix.strips.items() if strip != Strip()})
