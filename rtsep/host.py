"""Builds a live session from its settings, owns its threads, and is what every surface moves.

::

    card or file ─▶ callback ─▶ input tape ─▶ engine thread ─▶ stem tape ─▶ callback ─▶ card, sink tape ─▶ files

>>> with Host(settings) as host:                              # doctest: +SKIP
...     host.mix.set_gain_db("vocals", -12)
...     host.wait()
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtsep.callback import FADE_SAMPLES
from rtsep.chain import Chain
from rtsep.engine import POLL_S, Engine
from rtsep.errors import RtsepError, UsageError
from rtsep.io.cards import Card, CardDriver, choose_rate_hz, find_card
from rtsep.io.clocked import BLOCK_SAMPLES, ClockedDriver
from rtsep.io.files import AudioReader
from rtsep.mixer import Mixer, Strip
from rtsep.recorder import Recorder
from rtsep.separator import Separator, load
from rtsep.session_files import open_recorder
from rtsep.settings import LiveSettings
from rtsep.stream import N_CHANNELS, Latency, StemStream
from rtsep.transport import Transport

N_WARM_UPS = 5
COMPUTE_FACTOR = 1.5  # an update may take this much longer than the slowest of the warm-up


@dataclass(frozen=True)
class Status:
    """One look at a session; levels are measured before the faders."""

    position_s: float
    load: float
    n_late_blocks: int
    n_late_samples: int
    n_xruns: int
    peak_dbfs: Mapping[str, float]
    rms_dbfs: Mapping[str, float]
    main_dbfs: float
    is_late: bool


@dataclass(frozen=True)
class Ends:
    """Where sound comes from and goes to, found and opened; None is a file or nothing."""

    reader: AudioReader | None
    inputs: Card | None
    outputs: Card | None
    clock: str
    sample_rate_hz: int


class Host:
    """A live session.

    Parameters
    ----------
    settings
        Everything that a person decides.

    Raises
    ------
    RtsepError
        A model, a file or a card is not to be had, or does not fit.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self.settings = settings
        self._separator = _open_separator(settings)
        settings.mixer.check_stems(self._separator.name, self._separator.stems)
        self._ends = _open_ends(settings, self._separator.sample_rate_hz)
        rate_hz = self._ends.sample_rate_hz
        stream = self._separator.stream(
            rate_hz,
            context_frames=settings.model.context_frames,
            update_hops=settings.model.update_hops,
            lookahead_frames=settings.model.lookahead_frames,
        )
        compute_s = _compute_s(settings, stream, rate_hz)
        self._offset = offset(stream, rate_hz, compute_s, _largest_block(settings, self._ends))
        self.mix = _mixer(settings, self._separator.stems)
        self._chain = self._make_chain(stream)
        self._engine = Engine(
            stream,
            self._chain.input_tape,
            self._chain.stem_tape,
            rate_hz,
            self._chain.offset_samples,
            may_skip=self._ends.clock != "free",
        )
        self.transport = self._make_transport()
        self._recorder: Recorder | None = open_recorder(
            settings, self._separator.stems, self._chain, self._heard_samples
        )
        self._driver = self._make_driver()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def _make_chain(self, stream: StemStream) -> Chain:
        settings, ends = self.settings, self._ends
        left, right = (settings.input.channels * 2)[:2]
        card_inputs = (left - 1, right - 1, max(left, right)) if ends.inputs else None
        n_outputs = self.mix.coefficients.slots.shape[2]
        return Chain(
            len(stream.stems),
            self.mix,
            self._offset.total_samples,
            ends.sample_rate_hz,
            settings.mixer.ramp_ms / 1000,
            card_inputs=card_inputs,
            n_card_outputs=n_outputs if ends.outputs else 0,
            has_source=ends.reader is not None,
        )

    def _make_transport(self) -> Transport | None:
        reader, tape = self._ends.reader, self._chain.source_tape
        if reader is None or tape is None:
            return None
        chain = self._chain
        return Transport(reader, tape, chain.sample_rate_hz, lambda: chain.position - chain.offset_samples)

    def _make_driver(self) -> CardDriver | ClockedDriver:
        settings, ends, chain = self.settings.output, self._ends, self._chain
        if ends.clock == "device":
            n_inputs = int(chain.state["n_card_inputs"])
            n_outputs = int(chain.state["n_card_outputs"])
            addresses = chain.function_address, chain.state_address
            rate_hz = ends.sample_rate_hz
            cards = ends.inputs, ends.outputs
            return CardDriver(*cards, n_inputs, n_outputs, rate_hz, settings.block_samples, *addresses)
        is_paced = ends.clock == "real"
        between = self._feed if is_paced else self._work_in_line
        return ClockedDriver(
            chain.call, ends.sample_rate_hz, settings.block_samples, between, is_paced=is_paced
        )

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems, in the model's order."""
        return self._separator.stems

    @property
    def model_name(self) -> str:
        """The model that makes them."""
        return self._separator.name

    @property
    def latency(self) -> Latency:
        """From input to output: the card's own parts and the offset's."""
        parts = dict(self._offset.parts)
        if isinstance(self._driver, CardDriver):
            parts["card input"] = self._driver.input_latency_samples
            parts["card output"] = self._driver.output_latency_samples
        return Latency(self._ends.sample_rate_hz, parts)

    def start(self) -> None:
        """Start the threads, then the clock."""
        workers: dict[str, Any] = {}
        if self._ends.clock != "free":
            workers["rtsep-engine"] = lambda: self._engine.run(self._stop)
            if self._recorder is not None:
                recorder = self._recorder
                workers["rtsep-recorder"] = lambda: recorder.run(self._stop)
        if self._ends.clock == "device" and self.transport is not None:
            transport, chain = self.transport, self._chain
            self._feed(2 * BLOCK_SAMPLES)
            workers["rtsep-transport"] = lambda: transport.run(self._stop, lambda: chain.position)
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True) for name, run in workers.items()
        ]
        for thread in self._threads:
            thread.start()
        self._driver.start()

    def stop(self) -> None:
        """Stop the clock, then the threads; finish the files."""
        self._driver.stop()
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.transport is not None:
            self.transport.close()
        if self._recorder is not None:
            self._recorder.close()

    def __enter__(self) -> Host:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def done(self) -> bool:
        """Whether the input has ended and its last sample was played, or something broke."""
        if self.error is not None:
            return True
        end = self.transport.end if self.transport is not None else None
        return end is not None and self._chain.position >= end + self._chain.offset_samples

    @property
    def error(self) -> Exception | None:
        """What broke in a thread, if anything did."""
        recorder_error = self._recorder.error if self._recorder is not None else None
        return self._engine.error or self._driver.error or recorder_error

    def wait(self, timeout_s: float = math.inf) -> bool:
        """Sleep until `done`, for at most so long; whether it is done.

        Raises
        ------
        RtsepError
            Something broke in a thread.
        """
        until_s = time.monotonic() + timeout_s
        while not self.done and time.monotonic() < until_s:
            time.sleep(min(0.02, max(0.0, until_s - time.monotonic())))
        if self.error is not None:
            raise (
                self.error if isinstance(self.error, RtsepError) else RtsepError(f"it broke: {self.error!r}")
            )
        return self.done

    def status(self) -> Status:
        """What there is to see now."""
        state, chain = self._chain.state, self._chain
        peak_dbfs, rms_dbfs = chain.levels_dbfs()
        n_rows = len(chain.levels_dbfs()[0]) - chain.n_outputs
        main = [n_rows + channel - 1 for channel in self.settings.output.channels]

        def of_stems(levels: np.ndarray[Any, Any]) -> dict[str, float]:
            pairs = levels[: N_CHANNELS * len(self.stems)].reshape(-1, N_CHANNELS).max(axis=1)
            return dict(zip(self.stems, map(float, pairs), strict=True))

        return Status(
            position_s=chain.position / chain.sample_rate_hz,
            load=self._engine.load,
            n_late_blocks=int(state["n_late_blocks"]),
            n_late_samples=int(state["n_late_samples"]),
            n_xruns=int(state["n_xruns"]),
            peak_dbfs=of_stems(peak_dbfs),
            rms_dbfs=of_stems(rms_dbfs),
            main_dbfs=float(max(peak_dbfs[row] for row in main)),
            is_late=bool(state["late_now"]),
        )

    def stats(self) -> dict[str, Any]:
        """The account of the session, for `--stats-json`."""
        status, latency = self.status(), self.latency
        loads = np.array(self._engine.loads or [0.0])
        return {
            "model": self.model_name,
            "separation": self._separator.summary,
            "stems": list(self.stems),
            "clock": self._ends.clock,
            "sample_rate_hz": self._ends.sample_rate_hz,
            "duration_s": status.position_s,
            "latency_ms": {name: latency.ms(n) for name, n in latency.parts.items()},
            "latency_total_ms": latency.ms(latency.total_samples),
            "offset_samples": self._chain.offset_samples,
            "load_p50": float(np.median(loads)),
            "load_p99": float(np.percentile(loads, 99)),
            "load_max": float(loads.max()),
            "n_blocks": int(self._chain.state["n_blocks"]),
            "n_late_blocks": status.n_late_blocks,
            "n_late_samples": status.n_late_samples,
            "n_xruns": status.n_xruns,
            "n_starved_samples": int(self._chain.state["n_starved_samples"]),
            "n_skips": self._engine.n_skips,
            "n_skipped_samples": self._engine.n_skipped_samples,
            "n_recording_lost_samples": self._recorder.n_lost_samples if self._recorder else 0,
            "settings": self.settings.model_dump(mode="json"),
        }

    def summary(self) -> list[str]:
        """The account in lines."""
        stats = self.stats()
        lines = [
            self._separator.summary,
            f"{stats['duration_s']:.1f} s played; load {stats['load_p50']:.0%}, at most {stats['load_max']:.0%}; "
            f"late blocks {stats['n_late_blocks']} of {stats['n_blocks']}, xruns {stats['n_xruns']}.",
        ]
        if stats["load_p50"] > 1:
            lines.append(
                "The model is too slow for this machine: try --update-hops 4 or 8, or a smaller model."
            )
        return lines

    def _heard_samples(self) -> int:
        """How much of the input was played by now, which is how long all files are."""
        heard = max(0, self._chain.position - self._chain.offset_samples)
        end = self.transport.end if self.transport is not None else None
        return heard if end is None else min(heard, end)

    def _feed(self, n_samples: int) -> None:
        if self.transport is not None:
            self.transport.fill(self._chain.position + n_samples)

    def _work_in_line(self, n_samples: int) -> None:
        """Without a clock: everything that threads do otherwise, before each block."""
        self._feed(n_samples)
        while self._engine.step():
            pass
        if self._recorder is not None:
            self._recorder.step()
        if self.done:
            self._driver_rest()

    def _driver_rest(self) -> None:
        """After the end a run without a clock has nothing to do: it must not burn a core."""
        time.sleep(0.01)


def _open_separator(settings: LiveSettings) -> Separator:
    model = settings.model
    return load(model.name, device=model.device, mask=model.mask, extension=model.extension)


def _open_ends(settings: LiveSettings, model_rate_hz: int) -> Ends:
    """Find files and cards, decide the clock and the rate.

    Raises
    ------
    UsageError
        The clock does not fit the ends.
    """
    source, sink = settings.input.endpoint, settings.output.endpoint
    needs_card = not source.is_file or not sink.is_file
    clock = settings.output.clock or ("device" if needs_card else "real")
    if clock == "device" and not needs_card:
        raise UsageError("--clock device: both ends are files, so no card gives the time. Use real or free.")
    if clock != "device" and not source.is_file:
        raise UsageError(
            f"--clock {clock}: the input is a card, which gives the time itself. Give a file, or no --clock."
        )
    reader = AudioReader(source.path) if source.is_file else None
    if clock != "device":
        rate_hz = settings.input.sample_rate_hz or (reader.sample_rate_hz if reader else model_rate_hz)
        return Ends(reader, None, None, clock, rate_hz)
    inputs = None if source.is_file else find_card(source.name, "input")
    outputs = None if sink.is_file else find_card(sink.name, "output")
    asked = settings.input.sample_rate_hz
    preferred = [asked] if asked else [model_rate_hz, *([reader.sample_rate_hz] if reader else [])]
    return Ends(reader, inputs, outputs, clock, choose_rate_hz(inputs, outputs, preferred))


def _largest_block(settings: LiveSettings, ends: Ends) -> int:
    output = settings.output
    if ends.clock != "device":
        return output.block_samples or BLOCK_SAMPLES
    return output.block_samples or output.max_block_samples


def _compute_s(settings: LiveSettings, stream: StemStream, rate_hz: int) -> float:
    """What the latency allows for an update: as set, or as the warm-up took and a half more."""
    if settings.output.compute_ms is not None:
        return settings.output.compute_ms / 1000
    block = np.zeros((N_CHANNELS, stream.update_samples), np.float32)
    slowest_s = 0.0
    for i in range(N_WARM_UPS):
        started_s = time.perf_counter()
        stream.process(block)
        if i:  # the first call pays for what is made once
            slowest_s = max(slowest_s, time.perf_counter() - started_s)
    stream.reset()
    deadline_s = stream.update_samples / rate_hz
    return min(slowest_s * COMPUTE_FACTOR, deadline_s) + 2 * POLL_S


def offset(stream: StemStream, sample_rate_hz: int, compute_s: float, largest_block_samples: int) -> Latency:
    """From the card's position back to the stem position that is played: a sum of parts."""
    parts = dict(stream.latency.parts)
    parts["fade"] = FADE_SAMPLES
    parts["block"] = largest_block_samples
    parts["compute"] = math.ceil(compute_s * sample_rate_hz)
    return Latency(sample_rate_hz, parts)


def _mixer(settings: LiveSettings, stems: tuple[str, ...]) -> Mixer:
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
