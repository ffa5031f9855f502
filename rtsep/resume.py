"""What a session needs to go on in another process: settings, place, and the account so far.

PortAudio cannot be used again after a card is lost, so it is another process that goes on; this is what it is told. Of
the same is made what a person comes back to: see `rtsep.remembered`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from rtsep.config import Strict, read_yaml, write_yaml
from rtsep.errors import CardLostError, ConfigError, DeviceError
from rtsep.settings import LiveSettings

QUICK_S = 1.0  # a session that is lost sooner did not really come back
MOST_PAUSE_S = 10.0


class Place(Strict):
    """Where a tape machine stands: what is heard, whether it is paused, and its loop."""

    position_s: float
    paused: bool
    loop_s: tuple[float, float] | None


class Standing(Strict):
    """Where a session stands.

    Attributes
    ----------
    settings
        With the mix and the fade of scenes as they are, and cards by names that last.
    written
        As a person has written them, which is what they are compared with when they are read anew; with the model, the
        latency and the input that a hand has chosen since.
    place
        Of the file; None: there is none, or it was not begun.
    bypass
        Whether the mixture was heard as it is.
    scene
        The current one's name; empty: none.
    """

    settings: LiveSettings
    written: LiveSettings
    place: Place | None = None
    bypass: bool = False
    scene: str = ""


class Session(Strict):
    """A session across its parts, each of which ended with the loss of the card.

    Attributes
    ----------
    standing
        Where the next part begins.
    config, options
        The file of the settings, and what the command line laid over it.
    asked
        What these two ask for, without anything that a hand has chosen.
    n_losses
        Times that the card was lost.
    lost_s
        Time without sound before the last part.
    since_s
        When the last part had sound last, by `time.monotonic`, which all processes of a machine share.
    n_quick
        Attempts in a row, up to now, that came to nothing.
    parts
        The accounts of all parts.
    """

    standing: Standing
    config: Path | None
    options: dict[str, Any]
    asked: LiveSettings
    n_losses: int = 0
    lost_s: float = 0.0
    since_s: float | None = None
    n_quick: int = 0
    parts: tuple[dict[str, Any], ...] = ()

    @classmethod
    def begin(
        cls,
        asked: LiveSettings,
        config: Path | None = None,
        options: Mapping[str, Any] | None = None,
        standing: Standing | None = None,
    ) -> Session:
        """A new session by settings that are asked for; `standing` says where it begins, if not with these."""
        standing = standing or Standing(settings=asked, written=asked)
        return cls(standing=standing, config=config, options=dict(options or {}), asked=asked)

    @property
    def settings(self) -> LiveSettings:
        """Those that the next part begins with."""
        return self.standing.settings

    @property
    def pause_s(self) -> float:
        """How long to wait before the next attempt: 1, 2, 4 .. 10 s when attempts came to nothing."""
        return min(MOST_PAUSE_S, 2.0 ** (self.n_quick - 1)) if self.n_quick else 0.0

    def lost_until_s(self, now_s: float | None) -> float:
        """All time without sound if there is some again from `now_s` on; None: there never was."""
        if now_s is None or self.since_s is None:
            return self.lost_s
        return self.lost_s + now_s - self.since_s

    def account(self, stats: Mapping[str, Any], started_s: float | None) -> dict[str, Any]:
        """The account of this part, which started then, and of all before it, for `--stats-json`."""
        restarts = {"n_restarts": self.n_losses, "lost_s": self.lost_until_s(started_s)}
        return {**stats, **restarts, "earlier_parts": list(self.parts)}

    def last_account(self, now_s: float) -> dict[str, Any]:
        """The same, if it ends without another part: the last one lost its card for good."""
        before = self.model_copy(update={"n_losses": self.n_losses - 1, "parts": self.parts[:-1]})
        return before.account(self.parts[-1], now_s)

    def after_loss(
        self, error: CardLostError, standing: Standing, stats: Mapping[str, Any], started_s: float | None
    ) -> Session:
        """What goes on when a part has lost its card.

        Parameters
        ----------
        error
            That it has.
        standing
            Where it stood then.
        stats
            Its account.
        started_s
            When it had started.
        """
        parts = (*self.parts, dict(stats))
        standing = into_another_file(standing, {file for part in parts for file in part["files"]})
        changes: dict[str, Any] = {
            "standing": standing,
            "n_losses": self.n_losses + 1,
            "lost_s": self.lost_until_s(started_s),
            "since_s": error.since_s,
            "n_quick": self.n_quick + 1 if self.parts and stats["duration_s"] < QUICK_S else 0,
            "parts": parts,
        }
        return self.model_copy(update=changes)

    def after_refusal(self) -> Session:
        """What goes on when the card is there but cannot be opened."""
        return self.model_copy(update={"n_quick": self.n_quick + 1})


def into_another_file(standing: Standing, written: set[str]) -> Standing:
    """The same, with a sink file that is none of those that were written; see `next_name`."""
    sink = standing.written.output.endpoint
    if not sink.is_file:
        return standing
    following = next_name(sink.path, written)
    settings = standing.settings.with_overrides({"output": {"sink": f"file:{following}"}})
    return standing.model_copy(update={"settings": settings})


def next_name(first: Path, written: set[str]) -> Path:
    """Where an output file goes on: ``out-2.wav`` after ``out.wav``, and nothing that is there is replaced.

    If no part has written the first, it is still to be written; what is `written` need not be there by its name yet.
    """
    if str(first) not in written:
        return first
    numbered = (first.with_stem(f"{first.stem}-{number}") for number in itertools.count(2))
    return next(path for path in numbered if not os.path.lexists(path) and str(path) not in written)


def session_path() -> Path:
    """Where the session of this process is kept while it starts again: in ``$RTSEP_STATE``, or the system's folder."""
    folder = os.environ.get("RTSEP_STATE")
    found = Path(folder) if folder else platformdirs.user_state_path("rtsep", appauthor=False)
    return found / f"session-{os.getpid()}.yaml"


def save_session(session: Session) -> Path:
    """Keep a session in a file, for this user's eyes only.

    Raises
    ------
    DeviceError
        The file cannot be written: the session ends with its card.
    """
    path = session_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_yaml(path, session)
        path.chmod(0o600)
    except OSError as error:
        raise DeviceError(
            f"the sound card is lost, and the session cannot go on: {path}: {error.strerror or error}"
        ) from error
    return path


def take_session(path: Path) -> Session:
    """Read a session from its file, which goes.

    Raises
    ------
    ConfigError
        There is none, or it is none.
    """
    session = read_yaml(path, Session)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    return session
