"""The account of a session: what there is to see while it runs, and what is left of it at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rtsep.offset import tell_block
from rtsep.recording import Recording
from rtsep.rig import Rig
from rtsep.settings import LiveSettings
from rtsep.stream import N_CHANNELS, Latency


@dataclass(frozen=True)
class Status:
    """One look at a session.

    Levels are in dBFS, those of the stems before the faders; `load` is work / deadline of the engine, 1.0 is full.
    `update_hops` is 0 for separators that know no hops; `n_moves` counts its changes.
    """

    position_s: float
    load: float
    n_late_blocks: int
    n_late_samples: int
    n_xruns: int
    peak_dbfs: Mapping[str, float]
    rms_dbfs: Mapping[str, float]
    main_dbfs: float
    is_late: bool
    update_hops: int = 0
    n_moves: int = 0


class Counting(Protocol):
    """A surface by which a session is moved, open or closed."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What went wrong there, by names that begin with ``n_``."""


def take_status(rig: Rig) -> Status:
    """What there is to see now."""
    desk, separation = rig.desk, rig.separation  # once: a change may put another in its place at any instant
    stems = separation.separator.stems
    peak_dbfs, rms_dbfs = separation.chain.levels_dbfs()
    outputs_dbfs, _ = desk.levels_dbfs()

    def of_stems(levels: np.ndarray[Any, Any]) -> dict[str, float]:
        pairs = levels[: N_CHANNELS * len(stems)].reshape(-1, N_CHANNELS).max(axis=1)
        return dict(zip(stems, map(float, pairs), strict=True))

    return Status(
        position_s=desk.position / desk.sample_rate_hz,
        load=separation.engine.load,
        n_late_blocks=int(desk.state["n_late_blocks"]),
        n_late_samples=int(desk.state["n_late_samples"]),
        n_xruns=int(desk.state["n_xruns"]),
        peak_dbfs=of_stems(peak_dbfs),
        rms_dbfs=of_stems(rms_dbfs),
        main_dbfs=float(max(outputs_dbfs[channel] for channel in desk.main)),
        is_late=separation.chain.is_late,
        update_hops=separation.pace.update_hops,
        n_moves=separation.pace.n_moves,
    )


#: What is counted by the callback, and is added up over all rigs that play in a session; so are `ADDED`.
COUNTS = (
    "n_blocks",
    "n_late_blocks",
    "n_late_samples",
    "n_xruns",
    "n_xruns_at_start",
    "n_starved_samples",
    "n_limited_samples",
    "n_switches",
)
ADDED = (
    *COUNTS,
    "n_rigs",
    "duration_s",
    "n_clock_jumps",
    "n_update_moves",
    "n_skips",
    "n_skipped_samples",
    "n_recording_lost_samples",
)
LARGEST = ("load_max", "callback_max_us")


def take_stats(rig: Rig, settings: LiveSettings, latency: Latency) -> dict[str, Any]:
    """Everything that was counted, for `--stats-json`."""
    desk, engine = rig.desk, rig.separation.engine
    loads = np.array(engine.loads or [0.0])
    return {
        "model": rig.separator.name,
        "separation": rig.separator.summary,
        "stems": list(rig.separator.stems),
        "n_rigs": 1,
        "clock": rig.ends.clock,
        "sample_rate_hz": rig.ends.sample_rate_hz,
        "duration_s": desk.position / desk.sample_rate_hz,
        "latency_ms": {name: latency.ms(n) for name, n in latency.parts.items()},
        "latency_total_ms": latency.ms(latency.total_samples),
        "offset_samples": desk.offset_samples,
        "longest_block_samples": int(desk.state["longest_block"]),
        "allowed_block_samples": rig.ends.largest_block_samples,
        "load_p50": float(np.median(loads)),
        "load_p99": float(np.percentile(loads, 99)),
        "load_max": float(loads.max()),
        **{f"callback_{name}_us": value for name, value in desk.durations_us().items()},
        "priority": dict(engine.priority),
        "n_clock_jumps": desk.follower.n_jumps if desk.follower is not None else 0,
        **{name: int(desk.state[name]) for name in COUNTS},
        **rig.count_engines(),
        **_take_files(rig.recording),
        "settings": settings.model_dump(mode="json"),
    }


def add_up(before: Mapping[str, Any] | None, last: Mapping[str, Any]) -> dict[str, Any]:
    """The account of all that has played in a session: sums, and what the last says of the present.

    Parameters
    ----------
    before
        The account of all but the last; None: there was nothing before.
    last
        That of the last alone.
    """
    if before is None:
        return dict(last)
    return {
        **last,
        **{name: before[name] + last[name] for name in ADDED},
        **{name: max(before[name], last[name]) for name in LARGEST},
        "files": [*before["files"], *last["files"]],
        "n_clipped_samples": {**before["n_clipped_samples"], **last["n_clipped_samples"]},
    }


def _take_files(recording: Recording) -> dict[str, Any]:
    """What was written, and what it lacks."""
    return {
        "n_recording_lost_samples": recording.n_lost_samples,
        "n_clipped_samples": {str(path): n for path, n in recording.n_clipped_samples.items()},
        "files": [str(path) for path in recording.files],
    }


def tell(stats: Mapping[str, Any]) -> list[str]:
    """The account in lines, for the end of a session."""
    lines = [
        str(stats["separation"]),
        f"{stats['duration_s']:.1f} s played; load {stats['load_p50']:.0%}, at most {stats['load_max']:.0%}; "
        f"late blocks {stats['n_late_blocks']} of {stats['n_blocks']}, xruns {stats['n_xruns']}.",
    ]
    if stats["load_p50"] > 1 and stats["clock"] != "free":  # without a clock nothing is too slow
        lines.append("The model is too slow for this machine: `rtsep bench` shows what it can do.")
    if stats["n_update_moves"]:
        lines.append(f"The machine was short of time: updates changed {stats['n_update_moves']} times.")
    return [*lines, *_tell_losses(stats), *_tell_surfaces(stats["surfaces"]), *_tell_files(stats)]


def _tell_losses(stats: Mapping[str, Any]) -> Iterator[str]:
    """What is not in the sound, each in a line."""
    rate_hz = stats["sample_rate_hz"]
    block = tell_block(stats["longest_block_samples"], stats["allowed_block_samples"])
    if block is not None:
        yield block
    if stats["n_skips"]:
        skipped_s = stats["n_skipped_samples"] / rate_hz
        yield f"The engine fell behind {stats['n_skips']} times and left out {skipped_s:.2f} s of stems."
    if stats["n_limited_samples"]:
        yield f"The limiter held the main bus down at {stats['n_limited_samples']} samples; less gain would do without."
    if stats["n_starved_samples"]:
        starved_s = stats["n_starved_samples"] / rate_hz
        yield f"The file was read too late for {starved_s:.2f} s, which are silent. Is its disk slow or busy?"
    if stats["n_recording_lost_samples"]:
        lost_s = stats["n_recording_lost_samples"] / rate_hz
        yield f"The files have {lost_s:.2f} s of silence, all together, where a stem was never made or was lost."


def _tell_surfaces(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """A line for each surface at which something went wrong: ``OSC: 3 malformed, 12 dropped.``"""
    for name, of_one in counts.items():
        told = [f"{n} {what.removeprefix('n_')}" for what, n in of_one.items() if n]
        if told:
            yield f"{name}: {', '.join(told)}."


def _tell_files(stats: Mapping[str, Any]) -> Iterator[str]:
    """What was written where, a line for each folder; and what was clipped."""
    paths = [Path(file) for file in stats["files"]]
    for folder in dict.fromkeys(path.parent for path in paths):
        yield f"Written in {folder}: {', '.join(path.name for path in paths if path.parent == folder)}."
    for file, n in stats["n_clipped_samples"].items():
        if n:
            yield (
                f"{file}: {n} values exceeded full scale and were clipped. Turn the input down, or for the mix the "
                f"gains (--gain STEM=DB), and take it again."
            )
