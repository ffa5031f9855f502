"""Chosen by measurement: how often the networks run, how exactly, and on how many threads.

``rtsep bench`` measures this machine at leisure and leaves what it chose in the user's configuration. A live session
whose settings say ``auto`` takes that; where there is nothing yet, it measures for a second itself.

The rule: an update may take half of its deadline at the 99th percentile, for the machine has other things to do. Of
what keeps to that, the most frequent update wins, for it is the shortest latency; float32 wins over what is less exact
if it can run at every second hop, the more exact over the less, and fewer threads over more.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import Field

from rtsep.config import Strict, read_yaml, user_folder, write_yaml
from rtsep.errors import ConfigError
from rtsep.nets.product import HAS_BFLOAT16
from rtsep.nets.runner import ON_A_CPU, choose_device
from rtsep.pace import Pace
from rtsep.separator import Separator, load
from rtsep.settings import REACHES, ModelSettings, Reach
from rtsep.stream import N_CHANNELS, Precision, Schedule, StemStream

MOST_LOAD = 0.5
GOOD_UPDATE_HOPS = 2  # at which float32 is not given up for a shorter update
UPDATE_HOPS = (1, 2, 4, 8)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)  # from the most exact
N_UPDATES_AT_START = 12
FILE_NAME = "measured.yaml"


class Way(Strict):
    """One way to run a model."""

    precision: Precision = "float32"
    n_threads: int | None = None
    update_hops: int = 4


class Timing(Strict):
    """How long updates took; the deadline is the time that an update covers, the latency the least (`low`)."""

    way: Way
    device: str = "cpu"
    p50_ms: float
    p99_ms: float
    max_ms: float
    deadline_ms: float
    latency_ms: float

    @property
    def load(self) -> float:
        """The 99th percentile over the deadline."""
        return self.p99_ms / self.deadline_ms


class Measured(Strict):
    """What ``rtsep bench`` leaves: for every model the way that it chose, on one machine."""

    machine: str
    models: dict[str, Timing] = Field(default_factory=dict)


def machine() -> str:
    """What the measurements are of."""
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def measured_path() -> Path:
    """Where the measurements of this user lie."""
    return user_folder() / FILE_NAME


def read_measured() -> Measured:
    """What was measured on this machine; nothing if there is no file, or another machine's."""
    nothing = Measured(machine=machine())
    try:
        found = read_yaml(measured_path(), Measured) if measured_path().is_file() else nothing
    except ConfigError:  # of an older or a newer rtsep: measured again
        return nothing
    return found if found.machine == machine() else nothing


def store_measured(key: str, timing: Timing) -> Path:
    """Keep what was chosen for a model; for the key see `key_of`.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    path = measured_path()
    models = {**read_measured().models, key: timing}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_yaml(path, Measured(machine=machine(), models=models))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}. $RTSEP_CONFIG names another folder."
        ) from error
    return path


def time_updates(stream: StemStream, sample_rate_hz: int, n_updates: int, *, is_paced: bool) -> list[float]:
    """Seconds that each of some updates takes, the first ones left out.

    Parameters
    ----------
    stream
        Fresh; it is reset afterwards.
    sample_rate_hz
        Its rate.
    n_updates
        How many.
    is_paced
        Whether they come as they would in music, between which a core goes to sleep and its caches to others.
    """
    n = stream.update_samples
    block = np.zeros((N_CHANNELS, n), np.float32)  # what a network takes does not depend on what it hears
    times_s = []
    for i in range(n_updates + 2):
        started_s = time.perf_counter()
        stream.process(block)
        took_s = time.perf_counter() - started_s
        if i >= 2:  # the first ones pay for what is made once
            times_s.append(took_s)
        if is_paced:
            time.sleep(max(0.0, n / sample_rate_hz - took_s))
    stream.reset()
    return times_s


def measure(
    separator: Separator, way: Way, settings: ModelSettings, n_updates: int, *, is_paced: bool
) -> Timing:
    """How long the updates of a separator take that was loaded in this way."""
    rate_hz = separator.sample_rate_hz
    with closing(open_stream(separator, settings, way.update_hops, rate_hz)) as stream:
        times_ms = 1000 * np.array(time_updates(stream, rate_hz, n_updates, is_paced=is_paced))
        hop_samples = stream.update_samples / way.update_hops
        n_more = sum(settings.reach(REACHES["quality"])) - sum(settings.reach(REACHES["low"]))
        return Timing(
            way=way,
            device=choose_device(settings.device).type,
            p50_ms=float(np.median(times_ms)),
            p99_ms=float(np.percentile(times_ms, 99)),
            max_ms=float(times_ms.max()),
            deadline_ms=1000 * stream.update_samples / rate_hz,
            latency_ms=1000 * (stream.latency_samples - n_more * hop_samples) / rate_hz,
        )


def open_stream(
    separator: Separator,
    settings: ModelSettings,
    update_hops: int,
    rate_hz: int,
    pace: Pace | None = None,
    reach: Reach = REACHES["quality"],
) -> StemStream:
    """The stream of a live session; who may change its updates, and what it reaches where the settings do not say.

    The default reach costs as much work as any that is chosen by name.
    """
    synthesis_hops, lookahead_frames = settings.reach(reach)
    can_move = settings.context_frames is None  # a window costs the same for any update
    schedule = Schedule(
        settings.context_frames, update_hops, lookahead_frames, synthesis_hops, pace if can_move else None
    )
    return separator.live_stream(rate_hz, schedule)  # the callback has seen to what goes in


def open_separator(settings: ModelSettings, way: Way) -> Separator:
    """The model of a live session, to be run in a way."""
    return load(
        settings.name,
        device=settings.device,
        mask=settings.mask,
        extension=settings.extension,
        precision=way.precision,
        n_threads=way.n_threads,
    )


def measure_all(
    settings: ModelSettings,
    threads: Iterable[int | None],
    n_updates: int,
    tell: Callable[[Timing], Any] = lambda timing: None,
) -> list[Timing]:
    """Every way that the settings leave open, as music comes."""
    timings = []
    for precision in precisions(settings):
        for n_threads in threads:
            separator = open_separator(settings, Way(precision=precision, n_threads=n_threads))
            for way in _ways(settings, precision, n_threads):
                timings.append(measure(separator, way, settings, n_updates, is_paced=True))
                tell(timings[-1])
    return timings


def precisions(settings: ModelSettings) -> tuple[Precision, ...]:
    """The precisions that the settings leave open: on a CPU, bfloat16 only where it is faster."""
    if settings.precision != "auto":
        return (settings.precision,)
    if choose_device(settings.device).type != "cpu":
        return PRECISIONS
    return tuple(name for name in ON_A_CPU if name != "bfloat16" or HAS_BFLOAT16)


def _ways(settings: ModelSettings, precision: Precision, n_threads: int | None) -> Iterator[Way]:
    all_hops = UPDATE_HOPS if settings.update_hops == "auto" else (settings.update_hops,)
    for update_hops in all_hops:
        yield Way(precision=precision, n_threads=n_threads, update_hops=update_hops)


def choose(timings: Iterable[Timing]) -> Timing | None:
    """The best way that keeps up (see the module's docstring), or None."""
    fits = [timing for timing in timings if timing.load <= MOST_LOAD]

    def rank(timing: Timing) -> tuple[int, int, int]:
        way = timing.way
        return way.update_hops, PRECISIONS.index(way.precision), way.n_threads or 0

    exact = [timing for timing in fits if timing.way.precision == "float32"]
    good = [timing for timing in exact if timing.way.update_hops <= GOOD_UPDATE_HOPS]
    return min(good or fits, key=rank, default=None)


def untimed(settings: ModelSettings, separator: Separator) -> tuple[Way, None]:
    """The way of a session without a clock: as `tune`, but what is left open is not measured.

    It is the finest then, which is what a machine with time to spare does as well.
    """
    if (stored := _stored(settings, separator)) is not None:
        return stored, None
    precision = "float32" if settings.precision == "auto" else settings.precision
    update_hops = 1 if settings.update_hops == "auto" else settings.update_hops
    return Way(precision=precision, update_hops=update_hops), None


def _stored(settings: ModelSettings, separator: Separator) -> Way | None:
    """The way that needs no measuring: what the settings say, or what was measured before and they allow."""
    if settings.precision != "auto" and settings.update_hops != "auto":
        return Way(precision=settings.precision, update_hops=settings.update_hops)
    found = read_measured().models.get(key_of(separator.name, settings))
    return found.way if found is not None and _agrees(found.way, settings) else None


def tune(settings: ModelSettings, separator: Separator) -> tuple[Way, str | None]:
    """The way in which a live session runs its model, and what a person should know of it.

    What the settings say stands; of ``auto`` the stored measurement decides, or one of a second.

    Parameters
    ----------
    settings
        Those of the model.
    separator
        It, opened for float32.
    """
    if (stored := _stored(settings, separator)) is not None:
        return stored, None
    timings: list[Timing] = []
    for precision in precisions(settings):
        if precision != "float32":
            separator = open_separator(settings, Way(precision=precision))
        for way in _ways(settings, precision, None):
            timings.append(measure(separator, way, settings, N_UPDATES_AT_START, is_paced=False))
            if timings[-1].load <= MOST_LOAD:  # coarser ones would fit too
                break
        best = choose(timings)
        if best is not None and best.way.update_hops <= GOOD_UPDATE_HOPS:
            break
    best = choose(timings)
    if best is not None:
        return best.way, None
    least = min(timings, key=lambda timing: timing.load)
    return least.way, too_slow(separator.name, least)


def key_of(model_name: str, settings: ModelSettings) -> str:
    """What a measurement is of: a model, and all that decides how much work it is."""
    device = choose_device(settings.device).type
    context = settings.context_frames or "all"
    lookahead = "usual" if settings.lookahead_frames is None else settings.lookahead_frames
    return f"{model_name} on {device}, context {context}, lookahead {lookahead}, mask {settings.mask}"


def _agrees(way: Way, settings: ModelSettings) -> bool:
    """Whether a stored way is one that the settings allow."""
    return settings.precision in ("auto", way.precision) and settings.update_hops in ("auto", way.update_hops)


def too_slow(model_name: str, timing: Timing) -> str:
    """What to tell before a session that will be late."""
    elsewhere = "--device cuda, " if timing.device == "cpu" else ""
    return (
        f"{model_name} is slow for this machine: an update takes up to {timing.p99_ms:.0f} ms of the "
        f"{timing.deadline_ms:.0f} ms that it may, even every {timing.way.update_hops} hops. Where it is late you hear "
        f"the mixture. What helps: a model with fewer or smaller networks (-m), {elsewhere}other programs closed."
    )
