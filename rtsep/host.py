"""A live session: owns the threads and the clock, and is what every surface moves.

>>> with Host(settings) as host:                              # doctest: +SKIP
...     host.mix.set_gain_db("vocals", -12)
...     host.wait()

What breaks is of two kinds. If the clock or the input breaks, the session is over: `wait` raises. If the engine or
the recording breaks, the music goes on (without an engine as the mixture), and `check` raises at the end.
"""

from __future__ import annotations

import gc
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from rtsep import realtime
from rtsep.account import Status, take_stats, take_status, tell
from rtsep.board import Board, Control
from rtsep.changing import change_mix, change_separation, check_change, check_mix
from rtsep.config import user_folder
from rtsep.errors import RtsepError, UsageError
from rtsep.io.cards import Card
from rtsep.io.clocked import BLOCK_SAMPLES
from rtsep.io.microphone import LISTEN_S, hear
from rtsep.knobs import mix_controls, scene_controls, transport_controls
from rtsep.mixer import Mixer
from rtsep.resume import Standing
from rtsep.rig import build
from rtsep.scenes import SCENES, Scenes, SceneStore
from rtsep.settings import LiveSettings
from rtsep.showing import Level, read_heard, take_levels
from rtsep.standing import stand
from rtsep.stream import Audio, Latency
from rtsep.transport import Transport

WATCH_S = 0.02
SWITCH_S = 0.0005  # the longest that a busy Python thread keeps the engine from the interpreter; Python's own is 5 ms


class Host:
    """A live session.

    Parameters
    ----------
    settings
        Everything that a person decides.

    Raises
    ------
    RtsepError
        A model, a file or a card is not to be had, or does not fit. Nothing is left open then.

    Attributes
    ----------
    started_s : float or None
        When the clock was started, by `time.monotonic`.
    board : Board
        Everything that a performer can move, by address.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self.settings = settings
        with ExitStack() as opened:
            self._rig, self._driver = build(settings, opened)
            self._opened = opened.pop_all()
        self._rig.recording.account = self.stats
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._is_started = self._is_over = False
        self._has_listened = self._rig.ends.inputs is None
        self.started_s: float | None = None
        self._switch_s = sys.getswitchinterval()
        self._changing = threading.Lock()
        self.board = Board(together=self.mix.together)
        self._scenes = Scenes(
            self.board,
            self.mix,
            SceneStore(settings.control.scenes or user_folder() / SCENES),
            lambda: self.stems,
        )
        self.board.replace(self._controls())

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems, in the model's order."""
        return self._rig.separator.stems

    @property
    def model_name(self) -> str:
        """The model that makes them."""
        return self._rig.separator.name

    @property
    def notice(self) -> str | None:
        """What a person should know before it starts: what was left to recover, and if the model is too slow."""
        return self._rig.notice

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
        offset = self._rig.latency
        return Latency(offset.sample_rate_hz, {**offset.parts, **self._driver.latency_parts})

    def _controls(self) -> Iterator[Control]:
        """All that can be moved, with the model that plays now."""
        yield from mix_controls(self.mix, self.stems)
        yield from transport_controls(self.transport)
        yield from scene_controls(self._scenes)

    def start(self) -> None:
        """Start the threads, then the clock.

        Raises
        ------
        DeviceError
            The card does not start. Nothing is left open then, and no file.
        """
        gc.collect()
        gc.freeze()  # what is made by now stays: the collector need not hold the engine up to look at it
        sys.setswitchinterval(SWITCH_S)
        self._is_started = True
        if self._rig.ends.clock != "free":
            self._opened.enter_context(realtime.prepared())
        try:
            for name, run in self._workers().items():
                thread = threading.Thread(target=run, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
            if self._rig.ends.clock != "free":
                self._rig.separation.start()
            self._driver.start()
            self.started_s = time.monotonic()
        except BaseException:
            self._end_threads()
            self._is_over = True
            self._opened.close()
            raise

    def _workers(self) -> dict[str, Callable[[], None]]:
        """What runs beside the clock; without a clock everything runs in line."""
        rig, stop = self._rig, self._stop
        workers: dict[str, Callable[[], None]] = {}
        if rig.ends.clock == "free":
            return workers
        if rig.recording.is_wanted:
            workers["rtsep-recorder"] = lambda: rig.recording.run(stop)
        if rig.ends.clock == "device" and (transport := rig.transport) is not None:
            rig.feed(2 * BLOCK_SAMPLES)
            workers["rtsep-transport"] = lambda: transport.run(stop, lambda: rig.desk.position)
        return workers

    def stop(self) -> None:
        """Stop the clock, then the threads; finish the files. Again it does nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._driver.stop()
        with self._changing:  # a change that is under way gives up by now, and leaves nothing open
            self._end_threads()
            if self._is_started:
                self._rig.recording.close()
            self._opened.close()

    def _end_threads(self) -> None:
        self._driver.stop()
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._rig.separation.stop()
        gc.unfreeze()
        sys.setswitchinterval(self._switch_s)

    def change(self, settings: LiveSettings) -> None:
        """Play on with other settings: another model, latency or mix, without a gap.

        It returns when the change is heard, after the latency of a new model. Faders stay, but for those that
        the new settings name otherwise than the old ones. If the latency changes, so much is repeated or left out.

        Parameters
        ----------
        settings
            Those of the session, with `model` and `mixer` changed.

        Raises
        ------
        RtsepError
            The model is not to be had, or something would change that cannot. What plays goes on as before.
        """
        with self._changing:
            if self._is_over or not self._is_started:
                raise UsageError("the session does not play, so nothing in it can change")
            check_change(self.settings, settings)
            check_mix(self._rig.mixer, self.settings, settings)
            if settings.model == self.settings.model:
                settings.mixer.check_stems(self.model_name, self.stems)
                change_mix(self._rig.mixer, self.settings, settings)
            elif self._rig.ends.clock == "free":
                raise UsageError("without a clock the model cannot change; give --clock real")
            else:
                change_separation(self._rig, self.settings, settings, lambda: self._is_silent)
            self.settings = settings
            self.board.replace(self._controls())

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
        return self._fatal or self._rig.separation.engine.error or self._rig.recording.error

    @property
    def _is_silent(self) -> bool:
        """Whether nothing plays any more; behind the end of a file silence does."""
        return self._is_over or self._fatal is not None

    @property
    def _fatal(self) -> Exception | None:
        """What leaves nothing to listen to."""
        transport, recording = self._rig.transport, self._rig.recording
        broken = self._driver.error or (transport.error if transport is not None else None)
        if broken is None and recording.is_wanted and recording.is_over and self._rig.ends.outputs is None:
            return recording.error  # the file was all there was
        return broken

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
        tape, n_samples = self._rig.desk.input_tape, round(LISTEN_S * self._rig.ends.sample_rate_hz)
        if self._has_listened or tape.written < n_samples:
            return []
        self._has_listened = True
        first = tape.read(0, n_samples)
        told = hear(sys.platform, first) if first is not None else None
        return [told] if told is not None else []

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
        return stand(self._rig, self.settings)

    def take_over(self, standing: Standing) -> None:
        """Go on where another session stood, before the start; this one was made with its settings as they stood."""
        self.settings, place = standing.written, standing.place
        if place is not None and self.transport is not None:
            self.transport.begin_at(place.position_s, paused=place.paused, loop_s=place.loop_s)

    def status(self) -> Status:
        """What there is to see now."""
        return take_status(self._rig, tuple(channel - 1 for channel in self.settings.output.channels))

    def levels(self) -> dict[str, Level]:
        """Peak and RMS of all that has a fader; see `take_levels`."""
        return take_levels(self._rig)

    def heard_stems(self, n_samples: int) -> Audio | None:
        """The stems as they were heard last; see `read_heard`."""
        return read_heard(self._rig, n_samples)

    def stats(self) -> dict[str, Any]:
        """The account of the session, for `--stats-json`."""
        return take_stats(self._rig, self.settings, self.latency)

    def summary(self) -> list[str]:
        """The account in lines."""
        lines = tell(self.stats())
        if self._rig.recording.is_wanted and not self._rig.n_heard_samples:
            lines.append("Nothing was heard yet, so no file was written.")
        return lines


def _raise(error: Exception | None) -> None:
    if isinstance(error, RtsepError):
        raise error
    if error is not None:
        raise RtsepError(f"a part of the session broke, which is an error in rtsep: {error!r}") from error
