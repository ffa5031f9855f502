"""The runs of a session, one after another: the start, changes while it plays, and the end.

What breaks is of two kinds. If the clock or the input breaks, the session is over (`fatal`). If the engine or the
recording breaks, the music goes on, without an engine as the mixture (`error`).
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from rtsep import realtime
from rtsep.changing import (
    change_mix,
    change_separation,
    check_over,
    mixed,
    moves_takes,
    needs_rig,
    with_own_takes,
)
from rtsep.errors import CardLostError, UsageError
from rtsep.handover import check_clock, hand_over, is_same_input, raise_mix
from rtsep.mixer import Mixer
from rtsep.resume import Standing, next_name
from rtsep.rig import Preparation, Rig
from rtsep.running import Run
from rtsep.separation import Model
from rtsep.session_files import check_files, recover_earlier
from rtsep.settings import LiveSettings

TAKES = "takes"  # the folder of a recording that nobody gave another
SWITCH_S = 0.0005  # the longest that a busy Python thread keeps the engine from the interpreter; Python's own is 5 ms


class Succession:
    """One run after another; the same faders for all of them.

    Parameters
    ----------
    settings
        Everything that a person decides.
    model
        The one that they name, if it is loaded already.

    Attributes
    ----------
    run : Run
        The one that plays.
    is_over : bool
        Whether nothing is to be started any more.

    Raises
    ------
    RtsepError
        A model, a file or a card is not to be had, or does not fit. Nothing is left open then.
    """

    def __init__(self, settings: LiveSettings, model: Model | None) -> None:
        self.run = _plug_in(Preparation(settings, model))
        self._opened = ExitStack()
        self._is_started = self.is_over = False
        self._alone = threading.Lock()  # to touch what plays
        self._lost: CardLostError | None = None  # by a change that could not be taken back
        self._broken: Exception | None = None  # what ended the files of a run that does not play any more
        self._news: list[str] = []
        self._sinks = {str(settings.output.endpoint.path)}

    @property
    def rig(self) -> Rig:
        """The one that plays."""
        return self.run.rig

    @property
    def settings(self) -> LiveSettings:
        """Those that it plays by, as a person has written them."""
        return self.run.written

    @property
    def mixer(self) -> Mixer:
        """The faders."""
        return self.rig.mixer

    def start(self) -> None:
        """Start the threads, then the clock.

        Raises
        ------
        DeviceError
            The card does not start. Nothing is left open then, and no file.
        """
        self._is_started = True
        self._opened.enter_context(_in_time(is_timed=not self.run.is_free))
        try:
            self.run.start()
        except BaseException:
            self.is_over = True
            self.run.close()
            self._opened.close()
            raise

    def halt(self) -> None:
        """Stop the clock; nothing is begun any more."""
        self.is_over = True
        self.run.driver.stop()

    def close(self) -> None:
        """End the threads, and finish the files."""
        with self._alone:  # what is being handed over or faded gives up by now, and leaves nothing open
            self.run.close()
            self._opened.close()

    def abort(self) -> None:
        """Let go of everything before the start."""
        self.run.close()

    def record(self, on: bool) -> None:
        """Begin a take, in the folder of the settings or else in ``takes``, or end the one that is written.

        Raises
        ------
        UsageError
            The sink file is one of the take, or the session is over.
        AudioFileError
            The folder cannot be made or a file not be written.
        """
        with self._alone:
            if self.is_over:
                raise UsageError("the session is over, so no take can begin or end any more")
            recording, folder = self.rig.recording, self.settings.output.record or Path(TAKES)
            if on:
                recording.record_into(folder, self.settings, self.rig.separator.stems)
            else:
                recording.stop_takes()

    def change(self, settings: LiveSettings) -> int:
        """See `Host.change`; one at a time."""
        if self.is_over or not self._is_started:
            raise UsageError("the session does not play, so nothing in it can change")
        n_repeated = self._change(settings)
        self.run.written = settings
        return n_repeated

    def _change(self, settings: LiveSettings) -> int:
        before, after = (self.rig.ends.with_channels(one) for one in (self.settings, settings))
        if needs_rig(self.mixer, before, after):
            self._change_rig(settings)
            return 0
        if moves_takes(before, after):
            check_files(after)
            self._news += recover_earlier(after)
        if after.model != before.model:
            check_clock(self.run, after)
            return change_separation(self.rig, before, after, lambda: self.is_silent, self._alone)
        after.mixer.check_stems(self.rig.separator.name, self.rig.separator.stems)
        if moves_takes(before, after):
            self._turn_takes(before, after)
        change_mix(self.mixer, before, after)
        return 0

    def _turn_takes(self, before: LiveSettings, settings: LiveSettings) -> None:
        recording, separator = self.rig.recording, self.rig.separator
        with self._alone:
            check_over(self._has_stopped, separator.name)
            recording.turn(with_own_takes(recording, before, settings), separator.stems)

    def _change_rig(self, settings: LiveSettings) -> None:
        run, own = self.run, self._with_own_files(settings)
        check_clock(run, settings)
        model = self.rig.separation.model if settings.model == self.settings.model else None
        preparation = Preparation(own, model, self.mixer)
        with ExitStack() as unused:
            unused.callback(preparation.close)
            with self._alone:
                check_over(self._has_stopped, preparation.separation.separator.name)
                try:
                    following = hand_over(run, preparation, self._has_stopped)
                except CardLostError as error:
                    self._lost = error
                    raise
                unused.pop_all()
                self._sinks.add(str(own.output.endpoint.path))
                self._take_turns(run, following, settings)

    def _take_turns(self, run: Run, following: Run, settings: LiveSettings) -> None:
        """Another run is the one that plays; the files of the one before get their names."""
        following.before, following.written = run.stats, settings
        if following.rig.notice is not None:
            self._news.append(following.rig.notice)
        try:
            before, after = (one.rig.ends.with_channels(one.written) for one in (run, following))
            self.mixer.become(lambda now: mixed(now, before, after))
            self.mixer.add(following.rig.separator.stems)
            self.run = following  # whoever looks finds all its strips
            is_begun = following.rig.transport is None or is_same_input(run, following)
            raise_mix(following, is_begun=is_begun, is_over=self._has_stopped)
        finally:
            self.run = following
            run.close()
            self._broken = self._broken or run.rig.recording.error
            account = run.stats()
            following.before = lambda: account

    def _with_own_files(self, settings: LiveSettings) -> LiveSettings:
        """The settings with takes if there are some now, and a name for the mix that no other part of it has."""
        sink = settings.output.endpoint
        settings = with_own_takes(self.rig.recording, self.settings, settings)
        if not sink.is_file:
            return settings
        following = next_name(sink.path, self._sinks)
        return settings.with_overrides({"output": {"sink": f"file:{following}"}})

    def _has_stopped(self) -> bool:
        return self.is_over

    @property
    def error(self) -> Exception | None:
        """What broke first, if anything did; the music may go on."""
        return self._lost or self.run.error or self._broken

    @property
    def fatal(self) -> Exception | None:
        """What leaves nothing to listen to."""
        return self._lost or self.run.fatal

    @property
    def is_silent(self) -> bool:
        """Whether nothing plays any more; behind the end of a file silence does."""
        return self.is_over or self.fatal is not None

    def news(self) -> list[str]:
        """What has come up that a person should know, each once."""
        told, self._news = self._news, []
        return [*told, *self.run.news()]

    def take_over(self, standing: Standing) -> None:
        """See `Host.take_over`."""
        self.run.written, place, transport = standing.written, standing.place, self.rig.transport
        self.mixer.turn(bypass=standing.bypass)
        self._sinks.add(str(standing.written.output.endpoint.path))
        if place is not None and transport is not None:
            transport.begin_at(place.position_s, paused=place.paused, loop_s=place.loop_s)


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
