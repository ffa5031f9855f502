"""A separator at work in a session: its stream, its engine, and the chain that plays what they make.

Made in one place for the start and for every change while running; `rtsep.rig` plugs it in.
"""

from __future__ import annotations

import math
import threading
from contextlib import ExitStack, closing
from typing import NamedTuple

from rtsep import realtime
from rtsep.callback import FADE_SAMPLES
from rtsep.chain import Chain
from rtsep.ends import Ends, choose_clock
from rtsep.engine import Engine
from rtsep.errors import UsageError
from rtsep.follower import least_offset_samples
from rtsep.mixer import Mixer
from rtsep.offset import measure_compute_s, offset
from rtsep.pace import Pace, Steady
from rtsep.separator import Separator
from rtsep.settings import REACHES, LiveSettings, ModelSettings, Reach
from rtsep.stream import Latency, StemStream
from rtsep.tape import Tape
from rtsep.tuning import Way, open_separator, open_stream, time_updates, tune, untimed

MOST_LOOKAHEAD_FRAMES = 32  # more makes nothing better
MOST_UPDATE_S = 1.5  # 64 hops, the most that settings allow, of 1024 samples at 44.1 kHz
MOST_STREAM_S = 8.0  # those, 256 frames of lookahead, the longest window, and a converter


class Model(NamedTuple):
    """A model that is loaded and tuned, before it is known what it is going to be connected to.

    Attributes
    ----------
    separator
        It.
    way
        How it is run on this machine.
    notice
        What a person should know before it plays.
    """

    separator: Separator
    way: Way
    notice: str | None


def load_model(settings: LiveSettings) -> Separator:
    """The model of a session, before it is known how to run it.

    Raises
    ------
    RtsepError
        It is not to be had, or makes other stems than the settings name.
    """
    separator = open_separator(settings.model, Way())
    settings.mixer.check_stems(separator.name, separator.stems)
    return separator


def tune_model(settings: LiveSettings, separator: Separator) -> Model:
    """Find out how to run a loaded model; of what `auto` leaves open, by measuring for a second."""
    # Without a clock nothing is ever short of time, and the output shall not depend on how busy a machine is.
    choose = untimed if choose_clock(settings) == "free" else tune
    way, notice = choose(settings.model, separator)
    return Model(open_separator(settings.model, way), way, notice)


def warm_up(settings: LiveSettings, model: Model) -> None:
    """Have done once what is slow only once: compiled code is read, threads are there."""
    separator, hops = model.separator, model.way.update_hops
    with closing(open_stream(separator, settings.model, hops, separator.sample_rate_hz)) as stream:
        measure_compute_s(stream, separator.sample_rate_hz)


class Separation:
    """From the input tape to a chain.

    Parameters
    ----------
    settings
        Everything that a person decides.
    model
        The one that they name.
    ends
        What the session is connected to.
    mixer
        Whose mix is played.
    input_tape
        What is separated, from where it stands now.
    like
        The chain is silent, and has the shape of this mixer; see `Mixer.open_silent`. None: it plays the mix.

    Attributes
    ----------
    model, separator, stream, pace, engine, chain
        The parts.
    latency
        From the card's position back to the stem position that is played then, by parts.
    notice
        What a person should know before it plays.

    Raises
    ------
    RtsepError
        The model does not fit the settings. Nothing is left open then.
    """

    def __init__(
        self,
        settings: LiveSettings,
        model: Model,
        ends: Ends,
        mixer: Mixer,
        input_tape: Tape,
        like: Mixer | None = None,
    ) -> None:
        self.model = model
        self.separator, _, self.notice = model
        self._rate_hz, self._is_timed = ends.sample_rate_hz, ends.clock != "free"
        self.pace = Pace() if self._is_timed else Steady()
        self._stop, self._thread = threading.Event(), threading.Thread()
        with ExitStack() as opened:
            with realtime.new_helpers() as self._helpers:
                self.stream = self._open_stream(settings, model.way, ends)
            opened.callback(self.stream.close)
            compute_s = _compute_s(settings, self.stream, ends)
            self.latency = offset(self.stream, self._rate_hz, compute_s, _block_samples(ends))
            self.pace.forget()
            self.chain = self._make_chain(settings, mixer, input_tape.written, like)
            opened.callback(mixer.close, self.chain.coefficients)
            self.engine = self._make_engine(input_tape)
            self._opened = opened.pop_all()

    def _open_stream(self, settings: LiveSettings, way: Way, ends: Ends) -> StemStream:
        hops = way.update_hops
        reach = choose_reach(settings, self.separator, hops, ends)
        return open_stream(self.separator, settings.model, hops, self._rate_hz, self.pace, reach)

    def _make_chain(self, settings: LiveSettings, mixer: Mixer, start: int, like: Mixer | None) -> Chain:
        stems = self.separator.stems
        coefficients = mixer.open(stems) if like is None else mixer.open_silent(stems, like)
        ramp_samples = round(settings.mixer.ramp_ms / 1000 * self._rate_hz)
        n_offset = self.latency.total_samples
        return Chain(coefficients, len(stems), n_offset, self._rate_hz, ramp_samples, start)

    def _make_engine(self, input_tape: Tape) -> Engine:
        tapes, n_offset = (input_tape, self.chain.stem_tape), self.latency.total_samples
        return Engine(
            self.stream, *tapes, self._rate_hz, n_offset, may_skip=self._is_timed, helpers=self._helpers
        )

    def start(self) -> None:
        """Separate on a thread of its own, from now on; also after `stop`."""
        self._stop = stop = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self.engine.run(stop), name="rtsep-engine", daemon=True
        )
        self._thread.start()

    def is_ahead_of(self, position: int) -> bool:
        """Whether there are stems for the next block that is played at a card position.

        Not before the instant at which it began is heard: until then the chain would play the mixture.
        """
        parts, first = self.latency.parts, position - self.latency.total_samples
        is_made = self.chain.stem_tape.written >= first + parts["block"] + parts["fade"]
        return first >= self.chain.start and is_made

    def count(self) -> dict[str, int]:
        """What its engine had to do without, and how often its updates changed."""
        engine = self.engine
        return {
            "n_update_moves": self.pace.n_moves,
            "n_skips": engine.n_skips + engine.n_restarts,
            "n_skipped_samples": engine.n_skipped_samples,
        }

    def stop(self) -> None:
        """End the thread. Again it does nothing."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        """End the thread and let go of the networks, when the chain is not played any more. Again it does nothing."""
        self.stop()
        self._opened.close()


def choose_reach(settings: LiveSettings, separator: Separator, update_hops: int, ends: Ends) -> Reach:
    """What the latency that is wanted leaves for the synthesis window and lookahead.

    Raises
    ------
    UsageError
        It cannot be had, at milliseconds; the message says what can.
    """
    latency_ms = settings.model.latency
    if not isinstance(latency_ms, float):
        return REACHES["quality" if ends.reader is not None else "balanced"]
    least, hop_samples = _least_latency(settings, separator, update_hops, ends)
    rate_hz = ends.sample_rate_hz
    spare_samples = latency_ms / 1000 * rate_hz - least.total_samples - ends.card_latency_s * rate_hz
    if spare_samples < 0:
        raise UsageError(
            f"latency {latency_ms:g} ms cannot be had with {separator.name} here: the least is {least}, and the "
            f"card's own {1000 * ends.card_latency_s:.1f} ms. Give more, or `low`; a smaller model has less."
        )
    return spend(int(spare_samples / hop_samples))


def _least_latency(
    settings: LiveSettings, separator: Separator, update_hops: int, ends: Ends
) -> tuple[Latency, float]:
    """All parts but the card's own at `low`, and the samples of a hop."""
    least, rate_hz = ModelSettings(**{**settings.model.model_dump(), "latency": "low"}), ends.sample_rate_hz
    with closing(open_stream(separator, least, update_hops, rate_hz)) as stream:
        parts = offset(stream, rate_hz, _compute_s(settings, stream, ends), _block_samples(ends)).parts
        return Latency(
            rate_hz, {**parts, **parts_beside(settings, ends)}
        ), stream.update_samples / update_hops


def parts_beside(settings: LiveSettings, ends: Ends) -> dict[str, int]:
    """What delays the outputs besides the separation, in samples of the session."""
    limiter, rate_hz, block = settings.mixer.limiter, ends.sample_rate_hz, ends.largest_block_samples
    following = least_offset_samples(rate_hz, ends.output_rate_hz, 0, block, ends.jitter_s)
    return {
        "limiter": round(limiter.lookahead_ms / 1000 * rate_hz) if limiter is not None else 0,
        "two clocks": sum(following.values()) if ends.has_two_clocks else 0,
    }


def most_offset_samples(settings: LiveSettings, ends: Ends) -> int:
    """More than any model that a session may change to is played behind the present: what its input tape must reach.

    The models' own part is the longest that settings can ask for; an update takes no longer than what it covers, or as
    long as the settings allow.
    """
    compute_ms = settings.output.compute_ms
    compute_s = MOST_UPDATE_S if compute_ms is None else compute_ms / 1000
    beside = sum(parts_beside(settings, ends).values()) + FADE_SAMPLES + ends.largest_block_samples
    return math.ceil((MOST_STREAM_S + compute_s) * ends.sample_rate_hz) + beside


def _block_samples(ends: Ends) -> int:
    """The most that a call of the callback plays ahead; of two clocks the follower sees to that."""
    return 0 if ends.has_two_clocks else ends.largest_block_samples


def spend(n_hops: int) -> Reach:
    """Use so many hops more than the least: for lookahead, and for the long window when that has all that helps."""
    low, quality = REACHES["low"], REACHES["quality"]
    n_longer = quality.synthesis_hops - low.synthesis_hops
    if n_hops < quality.lookahead_frames + n_longer:
        return Reach(low.synthesis_hops, min(n_hops, quality.lookahead_frames))
    return Reach(quality.synthesis_hops, min(n_hops - n_longer, MOST_LOOKAHEAD_FRAMES))


def _compute_s(settings: LiveSettings, stream: StemStream, ends: Ends) -> float:
    """The time that the latency allows for an update: as set, or measured; none is needed without a clock.

    In any case the stream has made its first updates then, which pay for what is made once.
    """
    given_ms = settings.output.compute_ms
    if given_ms is None and ends.clock != "free":
        return measure_compute_s(stream, ends.sample_rate_hz)
    time_updates(stream, ends.sample_rate_hz, 0, is_paced=False)
    return (given_ms or 0.0) / 1000
