"""The account of a session: what there is to see while it runs, and what is left of it at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtsep.rig import Rig
from rtsep.settings import LiveSettings
from rtsep.stream import N_CHANNELS, Latency


@dataclass(frozen=True)
class Status:
    """One look at a session.

    Levels are in dBFS, those of the stems before the faders; `load` is work / deadline of the engine, 1.0 is full.
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


def take_status(rig: Rig, main: tuple[int, ...]) -> Status:
    """What there is to see now; `main` are the outputs of the main bus, from 0."""
    chain, stems = rig.chain, rig.separator.stems
    peak_dbfs, rms_dbfs = chain.levels_dbfs()
    first_output = len(peak_dbfs) - chain.n_outputs

    def of_stems(levels: np.ndarray[Any, Any]) -> dict[str, float]:
        pairs = levels[: N_CHANNELS * len(stems)].reshape(-1, N_CHANNELS).max(axis=1)
        return dict(zip(stems, map(float, pairs), strict=True))

    return Status(
        position_s=chain.position / chain.sample_rate_hz,
        load=rig.engine.load,
        n_late_blocks=int(chain.state["n_late_blocks"]),
        n_late_samples=int(chain.state["n_late_samples"]),
        n_xruns=int(chain.state["n_xruns"]),
        peak_dbfs=of_stems(peak_dbfs),
        rms_dbfs=of_stems(rms_dbfs),
        main_dbfs=float(max(peak_dbfs[first_output + channel] for channel in main)),
        is_late=bool(chain.state["late_now"]),
    )


def take_stats(rig: Rig, settings: LiveSettings, latency: Latency) -> dict[str, Any]:
    """Everything that was counted, for `--stats-json`."""
    chain, engine = rig.chain, rig.engine
    counts = ("n_blocks", "n_late_blocks", "n_late_samples", "n_xruns", "n_starved_samples")
    loads = np.array(engine.loads or [0.0])
    return {
        "model": rig.separator.name,
        "separation": rig.separator.summary,
        "stems": list(rig.separator.stems),
        "clock": rig.ends.clock,
        "sample_rate_hz": rig.ends.sample_rate_hz,
        "duration_s": chain.position / chain.sample_rate_hz,
        "latency_ms": {name: latency.ms(n) for name, n in latency.parts.items()},
        "latency_total_ms": latency.ms(latency.total_samples),
        "offset_samples": chain.offset_samples,
        "load_p50": float(np.median(loads)),
        "load_p99": float(np.percentile(loads, 99)),
        "load_max": float(loads.max()),
        **{name: int(chain.state[name]) for name in counts},
        "n_skips": len(engine.restarts),
        "n_skipped_samples": engine.n_skipped_samples,
        "n_recording_lost_samples": rig.recorder.n_lost_samples if rig.recorder else 0,
        "files": [str(path) for path in rig.recorder.files] if rig.recorder else [],
        "settings": settings.model_dump(mode="json"),
    }


def tell(stats: Mapping[str, Any]) -> list[str]:
    """The account in lines, for the end of a session."""
    lines = [
        str(stats["separation"]),
        f"{stats['duration_s']:.1f} s played; load {stats['load_p50']:.0%}, at most {stats['load_max']:.0%}; "
        f"late blocks {stats['n_late_blocks']} of {stats['n_blocks']}, xruns {stats['n_xruns']}.",
    ]
    if stats["load_p50"] > 1:
        lines.append("The model is too slow for this machine: try --update-hops 4 or 8, or a smaller model.")
    return lines + _tell_files(stats["files"])


def _tell_files(files: Sequence[str]) -> list[str]:
    """What was written where: a line for each folder."""
    folders = dict.fromkeys(Path(file).parent for file in files)
    return [
        f"Written in {folder}: {', '.join(Path(file).name for file in files if Path(file).parent == folder)}."
        for folder in folders
    ]
