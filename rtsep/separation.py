"""A separator at work in a session: its stream, its engine, and the chain that plays what they make.

Made in one place for the start and for every change while running; `rtsep.rig` plugs it in.
"""

from __future__ import annotations

import math
import threading
from contextlib import ExitStack, closing

from rtsep.callback import FADE_SAMPLES
from rtsep.chain import Chain
from rtsep.ends import Ends
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
from rtsep.tuning import open_separator, open_stream, tune, untimed

MOST_LOOKAHEAD_FRAMES = 32  # more makes nothing better
MOST_UPDATE_S = 1.5  # 64 hops, the most that settings allow, of 1024 samples at 44.1 kHz
MOST_STREAM_S = 8.0  # those, 256 frames of lookahead, the longest window, and a converter


class Separation:
    """From the input tape to a chain.

    Parameters
    ----------
    settings
        Everything that a person decides.
    separator
        The model that they name, opened in any way.
    ends
        What the session is connected to.
    mixer
        Whose mix is played.
    input_tape
        What is separated, from where it stands now.

    Attributes
    ----------
    separator, stream, pace, engine, chain
        The parts.
    latency
        From the card's position back to the stem position that is played then, by parts.
    notice
        What a person should know before it plays.

    Raises
    ------
    RtsepError
        The model is not to be had, or does not fit the settings. Nothing is left open then.
    """

    def __init__(
        self, settings: LiveSettings, separator: Separator, ends: Ends, mixer: Mixer, input_tape: Tape
    ) -> None:
        # Without a clock nothing is ever short of time, and the output shall not depend on how busy a machine is.
        is_timed, rate_hz = ends.clock != "free", ends.sample_rate_hz
        choose = tune if is_timed else untimed
        way, self.notice = choose(settings.model, separator)
        self.separator = open_separator(settings.model, way)
        self.pace = Pace() if is_timed else Steady()
        with ExitStack() as opened:
            reach = choose_reach(settings, self.separator, way.update_hops, ends)
            self.stream = open_stream(
                self.separator, settings.model, way.update_hops, rate_hz, self.pace, reach
            )
            opened.callback(self.stream.close)
            compute_s = _compute_s(settings, self.stream, ends)
            self.latency = offset(self.stream, rate_hz, compute_s, _block_samples(ends))
            self.pace.forget()
            self._mixer, self._stop = mixer, threading.Event()
            self._thread = threading.Thread(
                target=lambda: self.engine.run(self._stop), name="rtsep-engine", daemon=True
            )
            n_stems, n_offset = len(self.separator.stems), self.latency.total_samples
            coefficients = mixer.open(self.separator.stems)
            opened.callback(mixer.close, coefficients)
            ramp_samples = round(settings.mixer.ramp_ms / 1000 * rate_hz)
            start = input_tape.written
            self.chain = Chain(coefficients, n_stems, n_offset, rate_hz, ramp_samples, start)
            self.engine = Engine(
                self.stream, input_tape, self.chain.stem_tape, rate_hz, n_offset, may_skip=is_timed
            )
            self._opened = opened.pop_all()

    def start(self) -> None:
        """Separate on a thread of its own, from now on."""
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
    latency = settings.model.latency
    if not isinstance(latency, float):
        return REACHES["quality" if ends.reader is not None else "balanced"]
    least = ModelSettings(**{**settings.model.model_dump(), "latency": "low"})
    rate_hz = ends.sample_rate_hz
    with closing(open_stream(separator, least, update_hops, rate_hz)) as stream:
        parts = offset(stream, rate_hz, _compute_s(settings, stream, ends), _block_samples(ends))
        parts = Latency(rate_hz, {**parts.parts, **parts_beside(settings, ends)})
        hop_samples = stream.update_samples / update_hops
    spare_samples = latency / 1000 * rate_hz - parts.total_samples - ends.card_latency_s * rate_hz
    if spare_samples < 0:
        raise UsageError(
            f"latency {latency:g} ms cannot be had with {separator.name} here: the least is {parts}, and the "
            f"card's own {1000 * ends.card_latency_s:.1f} ms. Give more, or `low`; a smaller model has less."
        )
    return spend(int(spare_samples / hop_samples))


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
    """The time that the latency allows for an update: as set, or measured; none is needed without a clock."""
    if settings.output.compute_ms is not None:
        return settings.output.compute_ms / 1000
    return 0.0 if ends.clock == "free" else measure_compute_s(stream, ends.sample_rate_hz)
