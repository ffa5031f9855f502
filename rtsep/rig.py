"""Puts all parts of a session together from its settings: the one builder.

::

    card or file ─▶ callback ─▶ input tape ─▶ engine ─▶ stem tape ─▶ callback ─▶ card, sink tape ─▶ recording ─▶ files
         (transport)    ▲                  └─ separation ─┘            ▲
                      driver                                         mixer
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Literal, Protocol

from rtsep.callback import CHUNK_SAMPLES
from rtsep.chain import MEMORY_S
from rtsep.desk import Cable, Desk, Limit
from rtsep.ends import Ends, open_ends
from rtsep.follower import Follower
from rtsep.io.card_driver import CardDriver, TwoCardsDriver
from rtsep.io.clocked import ClockedDriver
from rtsep.io.desktop import DesktopDriver
from rtsep.mixer import MAIN, Bus, Mixer, Strip, gain_of
from rtsep.recording import Recording
from rtsep.separation import Separation, most_offset_samples, parts_beside
from rtsep.separator import Separator
from rtsep.session_files import check_files, recover_earlier
from rtsep.settings import LiveSettings, StripSettings
from rtsep.stream import N_CHANNELS, Latency
from rtsep.tape import Tape
from rtsep.transport import Transport
from rtsep.tuning import Way, open_separator


class Driver(Protocol):
    """What calls the callback: a card, or a clock."""

    @property
    def latency_parts(self) -> dict[str, int]:
        """What it adds to the offset, in samples."""

    @property
    def error(self) -> Exception | None:
        """Why it does not call any more."""

    def start(self) -> None:
        """Begin to call."""

    def stop(self) -> None:
        """Return when no call is under way any more. May come before `start`, and twice."""


class Rig:
    """The parts of a session.

    Parameters
    ----------
    settings
        Everything that a person decides.
    ends
        What it is connected to.
    mixer
        The faders.
    separation
        What plays first.
    desk
        What the callback works on.
    earlier
        Lines that tell what was left of earlier sessions.
    """

    def __init__(
        self,
        settings: LiveSettings,
        ends: Ends,
        mixer: Mixer,
        separation: Separation,
        desk: Desk,
        earlier: list[str],
    ) -> None:
        told = [*earlier, *([separation.notice] if separation.notice is not None else [])]
        self.notice = "\n".join(told) or None
        self.ends, self.mixer, self.separation, self.desk = ends, mixer, separation, desk
        self._ended: Counter[str] = Counter()  # of separations that do not play any more
        self.transport: Transport | None = None
        if ends.reader is not None and desk.source_tape is not None:
            self.transport = Transport(ends.reader, desk.source_tape, ends.sample_rate_hz, lambda: self.heard)
        self.recording = Recording(settings, separation.separator.stems, desk, lambda: self.end)

    def replace_separation(self, following: Separation) -> Separation:
        """Another one plays; the one before, for the caller to close."""
        played, self.separation = self.separation, following
        self._ended.update(played.count())
        return played

    def count_engines(self) -> dict[str, int]:
        """`Separation.count` of all that have played, together."""
        return {name: n + self._ended[name] for name, n in self.separation.count().items()}

    @property
    def separator(self) -> Separator:
        """What separates now."""
        return self.separation.separator

    @property
    def latency(self) -> Latency:
        """From the card's position back to what is heard then, by parts."""
        offset = self.separation.latency
        own = {"limiter": self.desk.lookahead_samples, "two clocks": self.desk.following_samples}
        return Latency(offset.sample_rate_hz, {**offset.parts, **own})

    @property
    def heard(self) -> int:
        """The stem position that is played next; below 0 before the first."""
        return self.desk.position - self.desk.offset_samples

    @property
    def end(self) -> int | None:
        """Where the input ends, once that is known."""
        return self.transport.end if self.transport is not None else None

    @property
    def n_heard_samples(self) -> int:
        """How much of the input was played by now, which is how long all files are."""
        heard = max(0, self.heard)
        return heard if self.end is None else min(heard, self.end)

    @property
    def has_ended(self) -> bool:
        """Whether the last sample of the input was played."""
        return self.end is not None and self.heard >= self.end

    def feed(self, n_samples: int) -> None:
        """Have the file's next samples on the source tape."""
        if self.transport is not None:
            self.transport.fill(self.desk.position + n_samples)

    def work(self, n_samples: int) -> None:
        """Without a clock: everything that threads do otherwise, before each block."""
        self.feed(n_samples)
        while self.separation.engine.step():
            pass
        self.recording.step()

    def rests(self) -> bool:
        """Without a clock: whether the input stands still or has ended, and silence is all that would be made."""
        return self.has_ended or (self.transport is not None and self.transport.paused)


def build(settings: LiveSettings, opened: ExitStack) -> tuple[Rig, Driver]:
    """Open everything.

    Parameters
    ----------
    settings
        Everything that a person decides.
    opened
        Gets what must be closed if this, or the start, fails.

    Raises
    ------
    RtsepError
        A model, a file or a card is not to be had, or does not fit.
    """
    check_files(settings)
    separator = open_separator(settings.model, Way())
    settings.mixer.check_stems(separator.name, separator.stems)
    ends = open_ends(settings, separator.sample_rate_hz)
    if ends.reader is not None:
        opened.callback(ends.reader.close)
    mixer = make_mixer(settings)
    memory = most_offset_samples(settings, ends) + round(MEMORY_S * ends.sample_rate_hz)
    input_tape = Tape(N_CHANNELS * (1 + len(mixer.directs)), memory)
    separation = Separation(settings, separator, ends, mixer, input_tape)
    with ExitStack() as unplugged:
        unplugged.callback(separation.close)
        desk = _make_desk(settings, ends, separation, input_tape)
        earlier = recover_earlier(settings)  # now that hardly anything can keep its lines from being shown
        rig = Rig(settings, ends, mixer, separation, desk, earlier)
        unplugged.pop_all()
    opened.callback(lambda: rig.separation.close())  # the one that plays then; none before it is kept
    opened.callback(rig.recording.abort)
    driver = _make_driver(settings, rig)
    opened.callback(driver.stop)
    return rig, driver


def make_mixer(settings: LiveSettings) -> Mixer:
    """The mixer as the settings leave it; people count channels from 1."""
    mixer = settings.mixer
    strips = {name: _strip(found) for name, found in mixer.stems.items()}
    directs = {name: _strip(found) for name, found in mixer.direct.items()}
    buses = {name: Bus(_from_zero(bus.channels), bus.gain_db) for name, bus in mixer.buses.items()}
    buses[MAIN] = Bus(_from_zero(settings.output.channels), mixer.gain_db)
    routes = [strip.route or () for strip in (*strips.values(), *directs.values())]
    used = [channel for outputs in (*routes, *(bus.outputs for bus in buses.values())) for channel in outputs]
    is_exclusive = mixer.solo == "exclusive"
    return Mixer(strips, buses, max(used) + 1, directs=directs, solo_is_exclusive=is_exclusive)


def _from_zero(channels: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(channel - 1 for channel in channels)


def _strip(found: StripSettings) -> Strip:
    return Strip(
        gain_db=found.gain_db,
        mute=found.mute,
        solo=found.solo,
        route=None if found.route is None else _from_zero(found.route),
        pan=found.pan,
        invert=found.invert,
        cue=found.cue,
        sends=dict(found.sends),
    )


def _make_desk(settings: LiveSettings, ends: Ends, separation: Separation, input_tape: Tape) -> Desk:
    cables = tuple(_cables(settings)) if ends.inputs else ()
    limiter, rate_hz = settings.mixer.limiter, ends.sample_rate_hz
    limit, beside = None, parts_beside(settings, ends)
    if limiter is not None:
        limit = Limit(gain_of(limiter.ceiling_dbfs), beside["limiter"], limiter.release_ms / 1000)
    return Desk(
        separation.chain,
        input_tape,
        rate_hz,
        _from_zero(settings.output.channels),
        cables=cables,
        n_card_inputs=1 + max((cable.channel for cable in cables), default=-1),
        n_card_outputs=separation.chain.n_outputs if ends.outputs else 0,
        has_source=ends.reader is not None,
        limit=limit,
        follower=_make_follower(ends, separation.chain.n_outputs, input_tape, beside["two clocks"]),
    )


def _make_follower(ends: Ends, n_outputs: int, input_tape: Tape, offset_samples: int) -> Follower | None:
    """What leads the output to the input's tape, if they have two clocks."""
    if not ends.has_two_clocks:
        return None
    rates_hz, written = (ends.sample_rate_hz, ends.output_rate_hz), input_tape.written_address
    return Follower(n_outputs, *rates_hz, offset_samples, written, CHUNK_SAMPLES, ends.jitter_s)


def _cables(settings: LiveSettings) -> list[Cable]:
    """From the card's inputs to the input tape: the mixture, if it is the card's, and the direct inputs."""
    pairs = [] if settings.input.endpoint.is_file else [settings.input.channels]
    first_row = 0 if pairs else N_CHANNELS
    pairs += [direct.channels for direct in settings.mixer.direct.values()]
    cables = []
    for i, channels in enumerate(pairs):
        for side in range(N_CHANNELS):
            found = _from_zero(channels)[side::N_CHANNELS] or _from_zero(
                channels
            )  # a single channel is doubled
            row = first_row + N_CHANNELS * i + side
            cables += [Cable(channel, row, 1 / len(found)) for channel in found]
    return cables


def _make_driver(settings: LiveSettings, rig: Rig) -> Driver:
    ends, desk, block_samples = rig.ends, rig.desk, settings.output.block_samples
    if ends.clock != "device":
        rate_hz = ends.sample_rate_hz
        if ends.clock == "real":
            return ClockedDriver(desk.call, rate_hz, block_samples, rig.feed, is_paced=True)
        return ClockedDriver(desk.call, rate_hz, block_samples, rig.work, is_paced=False, rests=rig.rests)
    if settings.input.endpoint.is_desktop:
        sink = settings.output.endpoint

        def open_again(latency_s: float) -> CardDriver | TwoCardsDriver:
            if ends.has_two_clocks:
                return _open_two_cards(settings, rig, latency_s)
            return open_card(ends, desk, block_samples, latency_s)

        return DesktopDriver(None if sink.is_file else sink.name, ends.sample_rate_hz, open_again)
    if ends.has_two_clocks:
        return _open_two_cards(settings, rig)
    driver = open_card(ends, desk, block_samples)
    if ends.round_trip is not None:
        driver.latency_parts = {"card measured": ends.round_trip.samples}
    return driver


def open_card(
    ends: Ends, desk: Desk, block_samples: int, latency_s: float | Literal["low"] = "low"
) -> CardDriver:
    """The one stream, with one end or both, that runs a desk.

    Raises
    ------
    DeviceError
        A card has not as many channels as the desk needs, or refuses.
    """
    n_inputs, n_outputs = int(desk.state["n_card_inputs"]), int(desk.state["n_card_outputs"])
    return CardDriver(
        ends.inputs,
        ends.outputs,
        n_inputs,
        n_outputs,
        ends.sample_rate_hz,
        block_samples,
        desk.function_address,
        desk.state_address,
        lambda: desk.position,
        ends.largest_block_samples,
        latency_s,
    )


def _open_two_cards(
    settings: LiveSettings, rig: Rig, latency_s: float | Literal["low"] = "low"
) -> TwoCardsDriver:
    """A stream for each end, on clocks of their own."""
    ends, desk, block = rig.ends, rig.desk, settings.output.block_samples
    n_inputs, n_outputs = int(desk.state["n_card_inputs"]), int(desk.state["n_card_outputs"])
    (capture, playback), state = desk.half_addresses, desk.state_address
    longest, rates_hz = ends.largest_block_samples, (ends.sample_rate_hz, ends.output_rate_hz)

    def n_captured() -> int:
        return desk.input_tape.written

    def n_played() -> int:  # also while the output waits for the input, and delivers silence
        return int(desk.state["n_blocks"])

    source = CardDriver(
        ends.inputs, None, n_inputs, 0, rates_hz[0], block, capture, state, n_captured, longest, latency_s
    )
    sink = CardDriver(
        None, ends.outputs, 0, n_outputs, rates_hz[1], block, playback, state, n_played, longest, latency_s
    )
    return TwoCardsDriver(source, sink)
