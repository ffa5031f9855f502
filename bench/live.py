"""Does the engine keep up while music plays, at which latency?

The demo song on a real-time clock, into a file that nobody keeps. Load is work over deadline, of every update; the
latency is all that the sound waits for without a card; late blocks play the mixture instead of the stems.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from parts.models import random_folder
from parts.report import is_quick, show

from rtsep.demo import song
from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings

DEMO, TWO, FOUR = "demo-2stems", "full-size 2stems", "full-size 4stems"
# model, precision, update hops, lookahead frames
SETTINGS = (
    (DEMO, "float32", 1, 0),
    (DEMO, "float32", 1, 8),
    (DEMO, "float32", 4, 0),
    (TWO, "float32", 1, 0),
    (TWO, "float32", 2, 0),
    (TWO, "float32", 4, 0),
    (TWO, "bfloat16", 1, 0),
    (TWO, "bfloat16", 2, 0),
    (FOUR, "float32", 2, 0),
    (FOUR, "float32", 4, 0),
    (FOUR, "bfloat16", 1, 0),
    (FOUR, "bfloat16", 2, 0),
)


def write_song(path: Path, duration_s: float) -> None:
    """The mixture of the demo song from where all play."""
    stems = song.render(0, duration_s=duration_s)
    mixture = np.sum(list(stems.values()), axis=0, dtype=np.float32)
    with AudioWriter(path, song.SAMPLE_RATE_HZ, 2, subtype="FLOAT") as writer:
        writer.write(mixture)


def measure(
    model: str, source: Path, sink: Path, schedule: tuple[str, int, int], clock: str, timeout_s: float
) -> list[str]:
    """A row: one session."""
    precision, update_hops, lookahead_frames = schedule
    tree = {
        "input": {"source": f"file:{source}"},
        "model": {
            "name": model,
            "precision": precision,
            "update_hops": update_hops,
            "lookahead_frames": lookahead_frames,
            "device": "cpu",
        },
        "output": {"sink": f"file:{sink}", "clock": clock},
    }
    with Host(LiveSettings().with_overrides(tree, "bench")) as host:
        host.wait(timeout_s)
        stats = host.stats()
    return [
        precision,
        f"{update_hops}",
        f"{lookahead_frames}",
        f"{stats['load_p50']:.0%}",
        f"{stats['load_p99']:.0%}",
        f"{stats['load_max']:.0%}",
        f"{stats['latency_total_ms']:.0f}",
        f"{stats['n_late_blocks']} of {stats['n_blocks']}",
    ]


def main() -> None:
    quick = is_quick(__doc__ or "")
    duration_s = 1.0 if quick else 12.0
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_song(folder / "song.wav", duration_s)
        models = {DEMO: DEMO}
        for n_stems, name in ((2, TWO), (4, FOUR)):
            models[name] = str(random_folder(folder / f"random-{n_stems}stems", n_stems, is_small=quick).path)
        for model, *schedule in SETTINGS[-3:-1] if quick else SETTINGS:
            where = folder / "song.wav", folder / "mix.wav"
            figures = measure(
                models[model], *where, tuple(schedule), "free" if quick else "real", duration_s + 8
            )
            rows.append([model, *figures])
    columns = [
        "model",
        "precision",
        "update",
        "lookahead",
        "load p50",
        "p99",
        "max",
        "latency ms",
        "late blocks",
    ]
    show(f"Live, {duration_s:g} s at each setting (frames of 23.2 ms)", columns, rows)


if __name__ == "__main__":
    main()
