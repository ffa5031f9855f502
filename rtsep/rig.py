"""Puts all parts of a session together from its settings: the one builder, for the start and for every change.

It builds in two steps. What takes long is made first, and touches nothing (`Preparation`): a session that plays goes on
beside it. Then cards and files are opened (`plug_in`).

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
from rtsep.mix import MAIN, Bus, Group, Mix, Strip, gain_of
from rtsep.mixer import Mixer
from rtsep.recording import Recording
from rtsep.separation import Model, Separation, load_model, most_offset_samples, parts_beside, tune_model
from rtsep.separator import Separator
from rtsep.session_files import check_files, recover_earlier
from rtsep.settings import FIRST_CHANNELS, GroupSettings, LiveSettings, StripSettings
from rtsep.stream import N_CHANNELS, Latency
from rtsep.tape import Tape
from rtsep.transport import Transport


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


class Preparation:
    """The parts that take long to make; no card is open, and no file that is written.

    Parameters
    ----------
    settings
        Everything that a person decides.
    model
        The one that they name, if it is loaded already; it may be at work elsewhere.
    mixer
        That of the session which this goes on with; what is made is silent until `Mixer.rise`. None: a new one.

    Raises
    ------
    RtsepError
        A model, a file or a card is not to be had, or does not fit. Nothing is left open then.
    """

    def __init__(
        self, settings: LiveSettings, model: Model | None = None, mixer: Mixer | None = None
    ) -> None:
        check_files(settings)
        self.written = settings
        separator = model.separator if model is not None else load_model(settings)
        settings.mixer.check_stems(separator.name, separator.stems)
        with ExitStack() as opened:
            self.ends = ends = open_ends(settings, separator.sample_rate_hz)
            if ends.reader is not None:
                opened.callback(ends.reader.close)
            self.settings = settings = ends.with_channels(settings)
            self.shape = make_mixer(settings)
            memory = most_offset_samples(settings, ends) + round(MEMORY_S * ends.sample_rate_hz)
            self.input_tape = Tape(N_CHANNELS * (1 + len(self.shape.directs)), memory)
            self.mixer, like = (mixer, self.shape) if mixer is not None else (self.shape, None)
            tuned = model or tune_model(settings, separator)
            self.separation = Separation(settings, tuned, ends, self.mixer, self.input_tape, like)
            opened.pop_all()

    def close(self) -> None:
        """Let go of everything, where no rig was made of it."""
        self.separation.close()
        if self.ends.reader is not None:
            self.ends.reader.close()


class Rig:
    """The parts of a session.

    Parameters
    ----------
    preparation
        What was made before.
    desk
        What the callback works on.
    earlier
        Lines that tell what was left of earlier sessions.
    """

    def __init__(self, preparation: Preparation, desk: Desk, earlier: list[str]) -> None:
        self.settings, self.ends, self.mixer = preparation.settings, preparation.ends, preparation.mixer
        self.separation, self.desk = preparation.separation, desk
        told = [*earlier, *([self.separation.notice] if self.separation.notice is not None else [])]
        self.notice = "\n".join(told) or None
        self._ended: Counter[str] = Counter()  # of separations that do not play any more
        self.transport: Transport | None = None
        reader, rate_hz = self.ends.reader, self.ends.sample_rate_hz
        if reader is not None and desk.reels is not None:
            self.transport = Transport(reader, desk.reels, rate_hz, lambda: desk.recorded, lambda: self.heard)
        self.recording = Recording(self.settings, self.separator.stems, desk, lambda: self.end)

    def close(self) -> None:
        """Let go of the input and of the networks that play, and leave no files that have no names yet."""
        self.recording.abort()
        self.separation.close()
        if self.transport is not None:
            self.transport.close()

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
        heard, end = max(0, self.heard), self.end  # once: a seek may take it back at any instant
        return heard if end is None else min(heard, end)

    @property
    def has_ended(self) -> bool:
        """Whether the last sample of the input was played."""
        end = self.end
        return end is not None and self.heard >= end

    def feed(self, n_samples: int) -> None:
        """Have the file's next samples on the source tape."""
        if self.transport is not None:
            self.transport.fill(self.desk.recorded + n_samples)

    def work(self, n_samples: int) -> None:
        """Without a clock: everything that threads do otherwise, before each block."""
        self.feed(n_samples)
        while self.separation.engine.step():
            pass
        self.recording.step()

    def rests(self) -> bool:
        """Without a clock: whether the input stands still or has ended, and silence is all that would be made."""
        return self.has_ended or (self.transport is not None and self.transport.paused)


def plug_in(preparation: Preparation) -> tuple[Rig, Driver]:
    """Open the files that are written, and the cards; the preparation belongs to the rig then.

    Raises
    ------
    RtsepError
        A file or a card refuses. The preparation is as it was then, and no file is left.
    """
    desk = _make_desk(preparation)
    earlier = recover_earlier(
        preparation.settings
    )  # now that hardly anything can keep its lines from being shown
    rig = Rig(preparation, desk, earlier)
    try:
        return rig, make_driver(rig)
    except BaseException:
        rig.recording.abort()
        raise


def make_mixer(settings: LiveSettings) -> Mixer:
    """The mixer as the settings leave it; people count channels from 1."""
    mix, mixer = make_mix(settings), settings.mixer
    routes = [strip.route or () for strip in (*mix.strips.values(), *mix.directs.values())]
    used = [
        channel for outputs in (*routes, *(bus.outputs for bus in mix.buses.values())) for channel in outputs
    ]
    return Mixer(mix, max(used) + 1, solo_is_exclusive=mixer.solo == "exclusive")


def make_mix(settings: LiveSettings) -> Mix:
    """Where everything stands at the start."""
    mixer, main = settings.mixer, settings.output.channels or FIRST_CHANNELS
    buses = {name: Bus(from_zero(bus.channels), bus.gain_db) for name, bus in mixer.buses.items()}
    return Mix(
        strips={name: _strip(found) for name, found in mixer.stems.items()},
        buses={MAIN: Bus(from_zero(main), mixer.gain_db), **buses},
        directs={name: _strip(found) for name, found in mixer.direct.items()},
        groups={name: _group(found) for name, found in mixer.all_groups.items()},
        sides=mixer.crossfade_groups,
        crossfade=mixer.crossfade,
        separation=mixer.separation,
    )


def from_zero(channels: tuple[int, ...]) -> tuple[int, ...]:
    """Channels as people count them to channels as arrays do."""
    return tuple(channel - 1 for channel in channels)


def _strip(found: StripSettings) -> Strip:
    return Strip(
        gain_db=found.gain_db,
        mute=found.mute,
        solo=found.solo,
        route=None if found.route is None else from_zero(found.route),
        pan=found.pan,
        invert=found.invert,
        cue=found.cue,
        sends=dict(found.sends),
    )


def _group(found: GroupSettings) -> Group:
    stems = frozenset(found.stems or found.all_but)
    return Group(stems, not found.stems, found.gain_db, found.mute, found.solo)


def _make_desk(preparation: Preparation) -> Desk:
    settings, ends, chain = preparation.settings, preparation.ends, preparation.separation.chain
    cables = tuple(_cables(settings)) if ends.inputs else ()
    limiter, rate_hz = settings.mixer.limiter, ends.sample_rate_hz
    limit, beside = None, parts_beside(settings, ends)
    if limiter is not None:
        limit = Limit(gain_of(limiter.ceiling_dbfs), beside["limiter"], limiter.release_ms / 1000)
    return Desk(
        chain,
        preparation.input_tape,
        rate_hz,
        preparation.shape.buses[MAIN].outputs,
        cables=cables,
        n_card_inputs=1 + max((cable.channel for cable in cables), default=-1),
        n_card_outputs=chain.n_outputs if ends.outputs else 0,
        has_source=ends.reader is not None,
        limit=limit,
        follower=_make_follower(ends, chain.n_outputs, preparation.input_tape, beside["two clocks"]),
    )


def _make_follower(ends: Ends, n_outputs: int, input_tape: Tape, offset_samples: int) -> Follower | None:
    """What leads the output to the input's tape, if they have two clocks."""
    if not ends.has_two_clocks:
        return None
    rates_hz, written = (ends.sample_rate_hz, ends.output_rate_hz), input_tape.written_address
    return Follower(n_outputs, *rates_hz, offset_samples, written, CHUNK_SAMPLES, ends.jitter_s)


def _cables(settings: LiveSettings) -> list[Cable]:
    """From the card's inputs to the input tape: the mixture, if it is the card's, and the direct inputs."""
    pairs = [] if settings.input.endpoint.is_file else [settings.input.channels or FIRST_CHANNELS]
    first_row = 0 if pairs else N_CHANNELS
    pairs += [direct.channels for direct in settings.mixer.direct.values()]
    cables = []
    for i, channels in enumerate(pairs):
        for side in range(N_CHANNELS):
            found = from_zero(channels)[side::N_CHANNELS] or from_zero(
                channels
            )  # a single channel is doubled
            row = first_row + N_CHANNELS * i + side
            cables += [Cable(channel, row, 1 / len(found)) for channel in found]
    return cables


def make_driver(rig: Rig) -> Driver:
    """What calls the callback of a rig: opened, and not started.

    Raises
    ------
    DeviceError
        A card refuses; `CardBusyError` if somebody else has it.
    """
    settings, ends, desk = rig.settings, rig.ends, rig.desk
    block_samples = settings.output.block_samples
    if ends.clock != "device":
        rate_hz = ends.sample_rate_hz
        if ends.clock == "real":
            return ClockedDriver(desk.call, rate_hz, block_samples, rig.feed, is_paced=True)
        return ClockedDriver(desk.call, rate_hz, block_samples, rig.work, is_paced=False, rests=rig.rests)
    if settings.input.endpoint.is_desktop:
        sink = settings.output.endpoint

        def open_again(latency_s: float) -> CardDriver | TwoCardsDriver:
            if ends.has_two_clocks:
                return _open_two_cards(rig, latency_s)
            return open_card(ends, desk, block_samples, latency_s)

        return DesktopDriver(None if sink.is_file else sink.name, ends.sample_rate_hz, open_again)
    if ends.has_two_clocks:
        return _open_two_cards(rig)
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


def _open_two_cards(rig: Rig, latency_s: float | Literal["low"] = "low") -> TwoCardsDriver:
    """A stream for each end, on clocks of their own."""
    ends, desk, block = rig.ends, rig.desk, rig.settings.output.block_samples
    n_inputs, n_outputs = int(desk.state["n_card_inputs"]), int(desk.state["n_card_outputs"])
    (capture, playback), state = desk.half_addresses, desk.state_address
    longest, rates_hz = ends.largest_block_samples, (ends.sample_rate_hz, ends.output_rate_hz)

    def n_captured() -> int:
        return desk.recorded

    def n_played() -> int:  # also while the output waits for the input, and delivers silence
        return int(desk.state["n_blocks"])

    more = longest, latency_s
    source = CardDriver(ends.inputs, None, n_inputs, 0, rates_hz[0], block, capture, state, n_captured, *more)
    try:
        sink = CardDriver(
            None, ends.outputs, 0, n_outputs, rates_hz[1], block, playback, state, n_played, *more
        )
    except BaseException:
        source.stop()  # or nobody has that card any more, ourselves included
        raise
    return TwoCardsDriver(source, sink, lambda: desk.position)
