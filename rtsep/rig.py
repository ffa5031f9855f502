"""Puts all parts of a session together from its settings: the one builder.

::

    card or file ─▶ callback ─▶ input tape ─▶ engine ─▶ stem tape ─▶ callback ─▶ card, sink tape ─▶ recorder ─▶ files
         (transport)    ▲                                                ▲
                      driver                                           mixer
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Protocol

from rtsep.chain import Chain
from rtsep.ends import Ends, open_ends
from rtsep.engine import Engine
from rtsep.io.cards import CardDriver
from rtsep.io.clocked import ClockedDriver
from rtsep.io.desktop import DesktopDriver
from rtsep.mixer import Mixer, Strip
from rtsep.offset import measure_compute_s, offset
from rtsep.pace import Pace, Steady
from rtsep.recorder import Recorder
from rtsep.separator import Separator
from rtsep.session_files import check_files, open_recorder
from rtsep.settings import LiveSettings
from rtsep.stream import Latency, StemStream
from rtsep.transport import Transport
from rtsep.tuning import Way, open_separator, open_stream, tune, untimed


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


@dataclass(frozen=True)
class Rig:
    """The parts of a session."""

    separator: Separator
    ends: Ends
    stream: StemStream
    offset: Latency
    mixer: Mixer
    chain: Chain
    engine: Engine
    transport: Transport | None
    recorder: Recorder | None
    pace: Pace
    notice: str | None

    @property
    def heard(self) -> int:
        """The stem position that is played next; below 0 before the first."""
        return self.chain.position - self.chain.offset_samples

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
            self.transport.fill(self.chain.position + n_samples)

    def work(self, n_samples: int) -> None:
        """Without a clock: everything that threads do otherwise, before each block."""
        self.feed(n_samples)
        while self.engine.step():
            pass
        if self.recorder is not None:
            self.recorder.step()

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
    # Without a clock nothing is ever short of time, and the output shall not depend on how busy a machine is.
    is_timed = ends.clock != "free"
    way, notice = tune(settings.model, separator) if is_timed else (untimed(settings.model, separator), None)
    separator, pace = open_separator(settings.model, way), Pace() if is_timed else Steady()
    stream = open_stream(separator, settings.model, way.update_hops, ends.sample_rate_hz, pace)
    opened.callback(stream.close)
    latency = offset(
        stream, ends.sample_rate_hz, _compute_s(settings, stream, ends), ends.largest_block_samples
    )
    pace.forget()
    mixer = _make_mixer(settings, separator.stems)
    chain = _make_chain(settings, ends, mixer, latency, len(separator.stems))
    rig = _assemble(settings, separator, ends, stream, latency, mixer, chain, pace, notice)
    if rig.recorder is not None:
        opened.callback(rig.recorder.abort)
    driver = _make_driver(settings, rig)
    opened.callback(driver.stop)
    return rig, driver


def _compute_s(settings: LiveSettings, stream: StemStream, ends: Ends) -> float:
    """The time that the latency allows for an update: as set, or measured; none is needed without a clock."""
    if settings.output.compute_ms is not None:
        return settings.output.compute_ms / 1000
    return 0.0 if ends.clock == "free" else measure_compute_s(stream, ends.sample_rate_hz)


def _make_mixer(settings: LiveSettings, stems: tuple[str, ...]) -> Mixer:
    """The mixer as the settings leave it; people count channels from 1."""

    def strip(name: str) -> Strip:
        found = settings.mixer.stems.get(name)
        if found is None:
            return Strip()
        route = None if found.route is None else tuple(channel - 1 for channel in found.route)
        return Strip(found.gain_db, found.mute, found.solo, route)

    strips = {name: strip(name) for name in stems}
    main = tuple(channel - 1 for channel in settings.output.channels)
    used = [*main, *(channel for one in strips.values() for channel in one.route or ())]
    return Mixer(strips, main, max(used) + 1)


def _make_chain(settings: LiveSettings, ends: Ends, mixer: Mixer, latency: Latency, n_stems: int) -> Chain:
    left, right = (settings.input.channels * 2)[:2]  # a single channel is doubled
    n_outputs = mixer.coefficients.slots.shape[2]
    return Chain(
        n_stems,
        mixer,
        latency.total_samples,
        ends.sample_rate_hz,
        settings.mixer.ramp_ms / 1000,
        card_inputs=(left - 1, right - 1, max(left, right)) if ends.inputs else None,
        n_card_outputs=n_outputs if ends.outputs else 0,
        has_source=ends.reader is not None,
    )


def _assemble(
    settings: LiveSettings,
    separator: Separator,
    ends: Ends,
    stream: StemStream,
    latency: Latency,
    mixer: Mixer,
    chain: Chain,
    pace: Pace,
    notice: str | None,
) -> Rig:
    """What hangs on the tapes."""
    rate_hz, may_skip = ends.sample_rate_hz, ends.clock != "free"
    engine = Engine(
        stream, chain.input_tape, chain.stem_tape, rate_hz, latency.total_samples, may_skip=may_skip
    )

    def heard() -> int:
        return rig.heard

    transport = None
    if ends.reader is not None and chain.source_tape is not None:
        transport = Transport(ends.reader, chain.source_tape, rate_hz, heard)
    recorder = open_recorder(settings, separator.stems, chain, lambda: rig.n_heard_samples)
    rig = Rig(separator, ends, stream, latency, mixer, chain, engine, transport, recorder, pace, notice)
    return rig


def _make_driver(settings: LiveSettings, rig: Rig) -> Driver:
    ends, chain, block_samples = rig.ends, rig.chain, settings.output.block_samples
    if ends.clock != "device":
        rate_hz = ends.sample_rate_hz
        if ends.clock == "real":
            return ClockedDriver(chain.call, rate_hz, block_samples, rig.feed, is_paced=True)
        return ClockedDriver(chain.call, rate_hz, block_samples, rig.work, is_paced=False, rests=rig.rests)

    def open_card(latency_s: float | Literal["low"] = "low") -> CardDriver:
        return CardDriver(
            ends.inputs,
            ends.outputs,
            int(chain.state["n_card_inputs"]),
            int(chain.state["n_card_outputs"]),
            ends.sample_rate_hz,
            block_samples,
            chain.function_address,
            chain.state_address,
            latency_s,
        )

    if settings.input.endpoint.is_desktop:
        output = settings.output.endpoint
        return DesktopDriver(None if output.is_file else output.name, ends.sample_rate_hz, open_card)
    return open_card()
