"""The mix of a session with a settings file, from one run to the next.

What is kept is the mix as hands have left it, and the settings as they were written then. Next time those that are
written now go before it where they say something else than they did: an edited file, or an option, wins.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from rtsep.changing import mixed
from rtsep.config import Strict, read_yaml, user_folder, write_yaml
from rtsep.errors import ConfigError
from rtsep.mix import Mix, Strip
from rtsep.resume import Standing
from rtsep.rig import make_mix, make_mixer
from rtsep.settings import LiveSettings
from rtsep.standing import mix_now

FOLDER = "sessions"


class Remembered(Strict):
    """Settings as they were written, and with the mix as it was left."""

    written: LiveSettings
    settings: LiveSettings


class Memory:
    """What is known of one settings file's last session.

    Parameters
    ----------
    config
        The file.
    written
        What it says, with the options over it. What a hand has chosen since, such as a model, is not in it.

    Attributes
    ----------
    path : Path
        Where that is kept.
    """

    def __init__(self, config: Path, written: LiveSettings) -> None:
        self._written = written
        whole = config.resolve()
        number = hashlib.sha256(str(whole).encode()).hexdigest()[:8]
        self.path = user_folder() / FOLDER / f"{whole.stem}-{number}.yaml"
        self._kept: Remembered | None = None

    def recall(self) -> LiveSettings:
        """The settings with the mix as it was left; as they are, if nothing is known, or nothing that still fits."""
        settings = self._written
        try:
            known = read_yaml(self.path, Remembered)
        except ConfigError:  # there is none, or it is of another version
            return settings
        if known.written.model.name != settings.model.name:  # whose stems are others
            return settings
        mixer = mixed(make_mixer(known.settings), known.written, settings)
        if _touched(mixer.mix) == _touched(make_mix(settings)):
            return settings
        now = settings.mixer.model_copy(update=mix_now(mixer, tuple(mixer.mix.strips), settings.mixer))
        return settings.model_copy(update={"mixer": now})

    def keep(self, standing: Standing) -> None:
        """Note how it stands now, if that is news.

        Raises
        ------
        OSError
            It cannot be written; what was known stays.
        """
        now = Remembered(written=self._written, settings=standing.settings)
        if now != self._kept:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_yaml(self.path, now)
            self._kept = now

    def forget(self) -> None:
        """Begin with what is written."""
        self.path.unlink(missing_ok=True)


def _touched(mix: Mix) -> Mix:
    """A mix without the stems that nobody has touched."""
    return replace(mix, strips={name: strip for name, strip in mix.strips.items() if strip != Strip()})
