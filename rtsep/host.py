"""A live session as Python and every surface see it: a thin face of the runs that play, and of what moves them.

>>> with Host(settings) as host:                              # doctest: +SKIP
...     host.stems["vocals"].gain_db = -12
...     host.wait()

If the clock or the input breaks, the session is over: `wait` raises. If the engine or the recording breaks, the music
goes on, and `check` raises at the end; see `rtsep.succession`.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from rtsep.account import Counting, Status, take_status, tell
from rtsep.board import Board
from rtsep.config import read_yaml, user_folder
from rtsep.errors import RtsepError, UsageError
from rtsep.faders import Rack
from rtsep.io.cards import Card
from rtsep.mixer import Mixer
from rtsep.podium import Podium
from rtsep.resume import Standing
from rtsep.rig import Rig
from rtsep.running import Run
from rtsep.scenes import SCENES, SceneStore
from rtsep.separation import Model
from rtsep.settings import LiveSettings
from rtsep.showing import Level, read_heard, take_levels
from rtsep.standing import stand
from rtsep.stream import Audio, Latency
from rtsep.succession import Succession
from rtsep.transport import Transport

WATCH_S = 0.02
LEAVE_S = 2.0  # to wait for a model that is being loaded for nothing; then the process takes it along


class Host:
    """A live session.

    Parameters
    ----------
    settings
        Everything that a person decides.

    model
        The one that they name, if it is loaded already; see `rtsep.separation.tune_model`.

    Raises
    ------
    RtsepError
        A model, a file or a card is not to be had, or does not fit. Nothing is left open then.

    Attributes
    ----------
    started_s : float or None
        When the clock was started, by `time.monotonic`.
    surfaces : dict
        What else moves the board, by name; whoever opens one puts it here, and the account has what went wrong there.
    """

    def __init__(self, settings: LiveSettings | str | os.PathLike[str], model: Model | None = None) -> None:
        if not isinstance(settings, LiveSettings):
            settings = settings_of(Path(settings))
        scenes = SceneStore(settings.control.scenes or user_folder() / SCENES)
        self._runs = Succession(settings, model)
        self.started_s: float | None = None
        self.surfaces: dict[str, Counting] = {}
        self._changing = threading.Lock()
        try:
            self._podium = Podium(self, lambda: self._rig.separator.stems, scenes)
        except BaseException:
            self._runs.abort()
            raise

    @property
    def _run(self) -> Run:
        """The one that plays."""
        return self._runs.run

    @property
    def _rig(self) -> Rig:
        """What it is made of."""
        return self._runs.rig

    @property
    def settings(self) -> LiveSettings:
        """Those that it plays by, as a person has written them."""
        return self._runs.settings

    @property
    def stems(self) -> Rack:
        """The faders of the stems, by their names, in the model's order."""
        return Rack(self.board, "stem", lambda: self._rig.separator.stems)

    @property
    def board(self) -> Board:
        """Everything that can be moved, by its address."""
        return self._podium.board

    @property
    def buses(self) -> Rack:
        """The faders of the buses; that of ``main`` is the master."""
        return Rack(self.board, "bus", lambda: tuple(self.mix.buses))

    @property
    def groups(self) -> Rack:
        """The faders of the groups of stems."""
        return Rack(self.board, "group", lambda: tuple(self.mix.mix.groups))

    @property
    def directs(self) -> Rack:
        """The faders of the direct inputs."""
        return Rack(self.board, "direct", lambda: self.mix.directs)

    @property
    def message(self) -> str:
        """What became of the last change that took time."""
        return self._podium.message

    @property
    def model_name(self) -> str:
        """The model that makes them."""
        return self._rig.separator.name

    @property
    def notice(self) -> str | None:
        """What a person should know before it starts: what was left to recover, a slow model, scenes that are none."""
        return "\n".join(filter(None, (self._rig.notice, self._podium.notice))) or None

    @property
    def is_late(self) -> bool:
        """Whether the mixture is heard in place of stems now."""
        return self._rig.separation.chain.is_late

    def plays(self, stem: str) -> bool:
        """Whether a stem is heard, with all that might silence it."""
        return self.mix.mix.plays(stem, self._rig.separator.stems)

    @property
    def cards(self) -> tuple[Card | None, Card | None]:
        """The cards at the input and the output, where there are any."""
        return self._rig.ends.inputs, self._rig.ends.outputs

    @property
    def mix(self) -> Mixer:
        """The faders."""
        return self._rig.mixer

    @property
    def sides(self) -> tuple[str, str] | None:
        """The groups at both ends of the cross-fader."""
        return self.mix.mix.sides

    @property
    def transport(self) -> Transport | None:
        """The tape machine, if the input is a file."""
        return self._rig.transport

    @property
    def latency(self) -> Latency:
        """From input to output: the offset's parts and the card's own."""
        return self._run.latency

    def ask(
        self, what: str, doing: str, settings: Callable[[], LiveSettings], done: Callable[[], str] = str
    ) -> None:
        """Have the session play by other settings soon; `message` tells what became of it.

        Parameters
        ----------
        what
            What changes, so that a later wish for the same replaces one that is not under way yet.
        doing
            The message meanwhile.
        settings
            Gives the settings, when it is their turn.
        done
            Is called when it plays by them; what the message begins with.
        """
        self._podium.ask(what, doing, settings, done)

    @property
    def is_recording(self) -> bool:
        """Whether a take is written now."""
        return self._rig.recording.has_take

    def record(self, on: bool) -> None:
        """Begin a take, in the folder of the settings or else in ``takes``, or end the one that is written.

        Raises
        ------
        UsageError
            The sink file is one of the take, or the session is over.
        AudioFileError
            The folder cannot be made or a file not be written.
        """
        self._runs.record(on)

    def start(self) -> None:
        """Start the threads, then the clock.

        Raises
        ------
        UsageError
            It plays already, or has; a session is played once.
        DeviceError
            The card does not start. Nothing is left open then, and no file.
        """
        if self._runs.is_over or self.started_s is not None:
            now = "is over" if self._runs.is_over else "plays already"
            raise UsageError(f"the session {now}; make another rtsep.Host of its settings to play again")
        try:
            self._runs.start()
        except BaseException:
            self._podium.close()
            raise
        self.started_s = time.monotonic()
        self._podium.open()

    def stop(self) -> None:
        """Stop the clock, then the threads; finish the files. Again it does nothing.

        It does not wait long for a model that is being loaded for a change; that is given up when it is there.
        """
        if self._runs.is_over:
            return
        self._runs.halt()
        self._podium.close()
        self._runs.close()
        self._podium.join(LEAVE_S)

    def change(self, settings: LiveSettings) -> int:
        """Play on with other settings. A mix, a model, a latency and where takes go change without a gap.

        Other cards, files and channels, and whatever else belongs to them, take the time of a start without sound; the
        same file goes on where it was, another one begins, and what is recorded goes on in a new take.

        It returns when the change is heard. Faders stay, but for those that the new settings name otherwise
        than the old ones.

        Parameters
        ----------
        settings
            What the session shall play by.

        Returns
        -------
        int
            Samples of the input that are heard again for the latency has grown; below 0: so many are left out.

        Raises
        ------
        RtsepError
            A model, a file or a card is not to be had, or does not fit. What plays goes on as before.
        CardLostError
            What had to stop for the new card is not to be had any more either; `wait` raises it too.
        """
        with self._changing:
            n_repeated = self._runs.change(settings)
            self._podium.put_controls()
            return n_repeated

    def __enter__(self) -> Host:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:
            self.check()

    @property
    def done(self) -> bool:
        """Whether the input has ended and its last sample was played, or the session is over for another reason."""
        return self._runs.is_silent or self._rig.has_ended

    @property
    def error(self) -> Exception | None:
        """What broke first, if anything did; the music may go on."""
        return self._runs.error

    def wait(self, timeout_s: float = math.inf) -> bool:
        """Sleep until `done`, for at most so long; whether it is done.

        Raises
        ------
        CardLostError
            The card does not play any more.
        RtsepError
            The clock or the input broke, or the file that is the only output.
        """
        until_s = time.monotonic() + timeout_s
        while not self.done and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(WATCH_S, left_s))
        _raise(self._runs.fatal)
        return self.done

    def news(self) -> list[str]:
        """What has come up that a person should know, each once."""
        return self._runs.news()

    def check(self) -> None:
        """Tell what broke while the music went on.

        Raises
        ------
        RtsepError
            Something did.
        """
        _raise(self.error)

    def now(self) -> Standing:
        """What a session needs to go on from here."""
        return stand(self._rig, self.settings, self._podium.scenes)

    def take_over(self, standing: Standing) -> None:
        """Go on where another session stood, before the start; this one was made with its settings as they stood."""
        self._runs.take_over(standing)
        self._podium.scenes.stand_at(standing.scene)

    def status(self) -> Status:
        """What there is to see now."""
        return take_status(self._rig)

    def levels(self) -> dict[str, Level]:
        """Peak and RMS of all that has a fader; see `take_levels`."""
        return take_levels(self._rig)

    def heard_stems(self, n_samples: int) -> Audio | None:
        """The stems as they were heard last; see `read_heard`."""
        return read_heard(self._rig, n_samples)

    def stats(self) -> dict[str, Any]:
        """The account of the session, for `--stats-json`."""
        counts = {name: dict(surface.counts) for name, surface in self.surfaces.items()}
        return {**self._run.stats(), "surfaces": counts}

    def summary(self) -> list[str]:
        """The account in lines."""
        lines = tell(self.stats())
        if self._rig.recording.is_wanted and not self._rig.n_heard_samples:
            lines.append("Nothing was heard yet, so no file was written.")
        if self._podium.unwritten:
            lines.append(self._podium.unwritten)
        return lines


def settings_of(path: Path) -> LiveSettings:
    """The settings in a file, or those that play a song.

    Raises
    ------
    ConfigError
        The file cannot be read, or says something that is no setting.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        return read_yaml(path, LiveSettings)
    return LiveSettings().with_overrides({"input": {"source": f"file:{path}"}})


def _raise(error: Exception | None) -> None:
    if isinstance(error, RtsepError):
        raise error
    if error is not None:
        raise RtsepError(f"a part of the session broke, which is an error in rtsep: {error!r}") from error
