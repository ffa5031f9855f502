"""A live session: owns the threads and the clock, and is what every surface moves.

>>> with Host(settings) as host:                              # doctest: +SKIP
...     host.stems["vocals"].gain_db = -12
...     host.wait()

What breaks is of two kinds. If the clock or the input breaks, the session is over: `wait` raises. If the engine or
the recording breaks, the music goes on (without an engine as the mixture), and `check` raises at the end.
"""

from __future__ import annotations

import gc
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from rtsep import realtime
from rtsep.account import Status, take_status, tell
from rtsep.board import Board
from rtsep.changing import change_mix, change_separation, check_over, mixed, needs_rig
from rtsep.config import read_yaml, user_folder
from rtsep.errors import CardLostError, RtsepError, UsageError
from rtsep.faders import Rack
from rtsep.handover import check_clock, hand_over, is_same_input, raise_mix
from rtsep.io.cards import Card
from rtsep.mixer import Mixer
from rtsep.podium import Podium
from rtsep.resume import Standing, next_name
from rtsep.rig import Preparation, Rig
from rtsep.running import Run
from rtsep.scenes import SCENES, SceneStore
from rtsep.separation import Model
from rtsep.settings import LiveSettings
from rtsep.showing import Level, read_heard, take_levels
from rtsep.standing import stand
from rtsep.stream import Audio, Latency
from rtsep.transport import Transport

WATCH_S = 0.02
LEAVE_S = 2.0  # to wait for a model that is being loaded for nothing; then the process takes it along
TAKES = "takes"  # the folder of a recording that nobody gave another
SWITCH_S = 0.0005  # the longest that a busy Python thread keeps the engine from the interpreter; Python's own is 5 ms


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
    """

    def __init__(self, settings: LiveSettings | str | os.PathLike[str], model: Model | None = None) -> None:
        if not isinstance(settings, LiveSettings):
            settings = settings_of(Path(settings))
        scenes = SceneStore(settings.control.scenes or user_folder() / SCENES)
        self._run = _plug_in(Preparation(settings, model))
        self._opened = ExitStack()
        self._is_started = self._is_over = False
        self.started_s: float | None = None
        self._changing, self._playing = threading.Lock(), threading.Lock()  # to change; to touch what plays
        self._lost: CardLostError | None = None  # by a change that could not be taken back
        self._broken: Exception | None = None  # what ended the files of a run that does not play any more
        self._news: list[str] = []
        self._sinks = {settings.output.endpoint.name}
        try:
            self._podium = Podium(self, lambda: self._rig.separator.stems, scenes)
        except BaseException:
            self._run.close()
            raise

    @property
    def _rig(self) -> Rig:
        """The one that plays."""
        return self._run.rig

    @property
    def settings(self) -> LiveSettings:
        """Those that it plays by, as a person has written them."""
        return self._run.written

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
        """What a person should know before it starts: what was left to recover, and if the model is too slow."""
        return self._rig.notice

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

    def ask(self, what: str, doing: str, settings: Callable[[], LiveSettings], done: str = "") -> None:
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
            What the message begins with afterwards.
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
            The sink file is one of the take.
        AudioFileError
            The folder cannot be made or a file not be written.
        """
        with self._playing:
            if self._is_over:
                return
            recording, folder = self._rig.recording, self.settings.output.record or Path(TAKES)
            if on:
                recording.record_into(folder, self.settings, self._rig.separator.stems)
            else:
                recording.stop_takes()

    def start(self) -> None:
        """Start the threads, then the clock.

        Raises
        ------
        DeviceError
            The card does not start. Nothing is left open then, and no file.
        """
        self._is_started = True
        self._opened.enter_context(_in_time(is_timed=not self._run.is_free))
        try:
            self._run.start()
        except BaseException:
            self._is_over = True
            self._run.close()
            self._opened.close()
            raise
        self.started_s = time.monotonic()
        self._podium.open()

    def stop(self) -> None:
        """Stop the clock, then the threads; finish the files. Again it does nothing.

        It does not wait long for a model that is being loaded for a change; that is given up when it is there.
        """
        if self._is_over:
            return
        self._is_over = True
        self._run.driver.stop()
        self._podium.close()
        with self._playing:  # what is being handed over or faded gives up by now, and leaves nothing open
            self._run.close()
            self._opened.close()
        self._podium.join(LEAVE_S)

    def change(self, settings: LiveSettings) -> int:
        """Play on with other settings. A mix, a model or a latency changes without a gap.

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
            if self._is_over or not self._is_started:
                raise UsageError("the session does not play, so nothing in it can change")
            n_repeated = self._change(settings)
            self._run.written = settings
            self._podium.put_controls()
            return n_repeated

    def _change(self, settings: LiveSettings) -> int:
        before = self.settings
        if needs_rig(self.mix, before, settings):
            self._change_rig(settings)
        elif settings.model != before.model:
            check_clock(self._run, settings)
            return change_separation(self._rig, before, settings, lambda: self._is_silent, self._playing)
        else:
            settings.mixer.check_stems(self.model_name, self._rig.separator.stems)
            change_mix(self.mix, before, settings)
        return 0

    def _change_rig(self, settings: LiveSettings) -> None:
        run, own = self._run, self._with_own_files(settings)
        check_clock(run, settings)
        preparation = Preparation(own, mixer=self.mix)
        with ExitStack() as unused:
            unused.callback(preparation.close)
            with self._playing:
                check_over(self._has_stopped, preparation.separation.separator.name)
                try:
                    following = hand_over(run, preparation, self._has_stopped)
                except CardLostError as error:
                    self._lost = error
                    raise
                unused.pop_all()
                self._sinks.add(own.output.endpoint.name)
                self._take_turns(run, following, settings)

    def _take_turns(self, run: Run, following: Run, settings: LiveSettings) -> None:
        """Another run is the one that plays; the files of the one before get their names."""
        following.before, following.written = run.stats, settings
        if following.rig.notice is not None:
            self._news.append(following.rig.notice)
        try:
            self.mix.become(lambda now: mixed(now, run.written, settings))
            self.mix.add(following.rig.separator.stems)
            self._run = following  # whoever looks finds all its strips
            is_begun = following.rig.transport is None or is_same_input(run, following)
            raise_mix(following, is_begun=is_begun, is_over=self._has_stopped)
        finally:
            self._run = following
            run.close()
            self._broken = self._broken or run.rig.recording.error
            account = run.stats()
            following.before = lambda: account

    def _with_own_files(self, settings: LiveSettings) -> LiveSettings:
        """The settings with takes if there are some now, and a name for the mix that no other part of it has."""
        sink = settings.output.endpoint
        if settings.output.record == self.settings.output.record:
            settings = settings.recorded_into(self._rig.recording.folder)
        if not sink.is_file:
            return settings
        following = next_name(sink.path, self._sinks)
        return settings.with_overrides({"output": {"sink": f"file:{following}"}})

    def _has_stopped(self) -> bool:
        return self._is_over

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
        return self._is_silent or self._rig.has_ended

    @property
    def error(self) -> Exception | None:
        """What broke first, if anything did; the music may go on."""
        return self._lost or self._run.error or self._broken

    @property
    def _is_silent(self) -> bool:
        """Whether nothing plays any more; behind the end of a file silence does."""
        return self._is_over or self._fatal is not None

    @property
    def _fatal(self) -> Exception | None:
        """What leaves nothing to listen to."""
        return self._lost or self._run.fatal

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
        _raise(self._fatal)
        return self.done

    def news(self) -> list[str]:
        """What has come up that a person should know, each once."""
        told, self._news = self._news, []
        heard = self._run.hear()
        return told if heard is None else [*told, heard]

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
        self._run.written, place = standing.written, standing.place
        self.mix.turn(bypass=standing.bypass)
        self._podium.scenes.stand_at(standing.scene)
        self._sinks.add(standing.written.output.endpoint.name)
        if place is not None and self.transport is not None:
            self.transport.begin_at(place.position_s, paused=place.paused, loop_s=place.loop_s)

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
        return self._run.stats()

    def summary(self) -> list[str]:
        """The account in lines."""
        lines = tell(self.stats())
        if self._rig.recording.is_wanted and not self._rig.n_heard_samples:
            lines.append("Nothing was heard yet, so no file was written.")
        if self._podium.unwritten:
            lines.append(self._podium.unwritten)
        return lines


def _plug_in(preparation: Preparation) -> Run:
    """Make it run, or let go of it."""
    with ExitStack() as unused:
        unused.callback(preparation.close)
        run = Run(preparation)
        unused.pop_all()
    return run


@contextmanager
def _in_time(*, is_timed: bool) -> Iterator[None]:
    """Keep the interpreter and the system from holding the engine up."""
    gc.collect()
    gc.freeze()  # what is made by now stays: the collector need not hold the engine up to look at it
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with realtime.prepared() if is_timed else nullcontext():
            yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(switch_s)


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
