"""Does a live session hold for half an hour: is nothing late, lost or misaligned, and does its memory stand still?

The demo model takes a song apart on a JACK server without hardware, which calls as a card does (without jackd, or with
``--clock real``, a thread calls by the wall's clock). Everything is recorded, a direct input is open, and the faders
move at random. On the cue bus lie all stems before their faders: what was heard there is compared with the stem tape.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from parts.jack import has_server, server
from parts.report import command_line, show

from rtsep.demo import song
from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings

MODEL = "demo-2stems"
BLOCK_SAMPLES = 256
LOOK_S = 0.5  # between looks at the tapes, which reach back ten seconds
MOST_WARM_UP_S = 60.0  # the memory is what it is after this, or after a fifth of the session
TOLERANCE = 1e-6


def write_song(path: Path, duration_s: float) -> None:
    """The demo song, again and again."""
    once = np.sum(list(song.render(0, duration_s=min(duration_s, 30.0)).values()), axis=0, dtype=np.float32)
    n_left = round(duration_s * song.SAMPLE_RATE_HZ)
    with AudioWriter(path, song.SAMPLE_RATE_HZ, 2, subtype="PCM_16") as writer:
        while n_left > 0:
            writer.write(0.5 * once[:, :n_left])
            n_left -= once.shape[1]


def settings(folder: Path, clock: str) -> LiveSettings:
    """A session with everything switched on."""
    is_card = clock == "device"
    tree: dict[str, Any] = {
        "input": {"source": f"file:{folder / 'song.wav'}", "card": "system"},
        "model": {"name": MODEL, "device": "cpu"},
        "mixer": {
            "buses": {"cue": {"channels": [3, 4]}},
            "stems": {name: {"cue": True} for name in ("vocals", "accompaniment")},
            "limiter": {"lookahead_ms": 1.0},
        },
        "output": {"record": str(folder / "take"), "record_format": "flac", "clock": clock},
    }
    if is_card:
        tree["mixer"]["direct"] = {"microphone": {"channels": [1], "gain_db": -6.0}}
        tree["output"]["sink"] = "device:system"
    else:
        tree["output"]["block_samples"] = BLOCK_SAMPLES
    return LiveSettings().with_overrides(tree, "soak")


class Watch:
    """Looks at what was heard on the cue bus and at the memory, and moves the faders."""

    def __init__(self, host: Host) -> None:
        self._host, self._rng = host, np.random.default_rng(0)
        self._at = host._rig.desk.offset_samples
        self.n_compared = self.n_different = self.n_overtaken = 0
        self.memory: list[tuple[float, float]] = []  # (seconds, KiB)

    def run(self, duration_s: float) -> None:
        """Until the song or the time is over."""
        until_s = (started_s := time.monotonic()) + duration_s
        while not self._host.wait(LOOK_S) and (now_s := time.monotonic()) < until_s:
            self._move()
            self._compare()
            self.memory += [(now_s - started_s, kib) for kib in resident_kib()]

    def _move(self) -> None:
        stem = str(self._rng.choice(list(self._host.stems)))
        value = float(self._rng.uniform())
        moves = {"gain_db": -30 + 36 * value, "mute": value < 0.3, "solo": value < 0.2, "pan": 2 * value - 1}
        name = str(self._rng.choice(list(moves)))
        setattr(self._host.stems[stem], name, moves[name])

    def _compare(self) -> None:
        rig = self._host._rig
        desk, stem_tape = rig.desk, rig.separation.chain.stem_tape
        end = min(desk.position, stem_tape.written + desk.offset_samples)
        n = end - self._at
        if n <= 0:
            return
        heard, stems = desk.sink_tape.read(self._at, n), stem_tape.read(self._at - desk.offset_samples, n)
        self._at = end
        if heard is None or stems is None:
            self.n_overtaken += n  # this thread had no time for ten seconds
            return
        expected = stems.reshape(-1, 2, n).sum(axis=0)
        is_same = np.abs(heard[2:4] - expected).max(axis=0) <= TOLERANCE
        self.n_compared += n
        self.n_different += n - int(is_same.sum())


def resident_kib() -> Iterator[float]:
    """The memory that this process has now, where the system tells."""
    path = Path("/proc/self/statm")
    if path.is_file():
        yield int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


def growth(memory: list[tuple[float, float]], duration_s: float) -> list[list[str]]:
    """Rows: what the memory grew by after the warm-up."""
    after = np.array([(s, kib) for s, kib in memory if s >= min(MOST_WARM_UP_S, duration_s / 5)])
    if len(after) < 3:
        return [["memory", "-"]]
    slope = np.polyfit(after[:, 0] / 60, after[:, 1], 1)[0]
    return [
        ["memory after the warm-up, at the end, MiB", f"{after[0, 1] / 1024:.1f}, {after[-1, 1] / 1024:.1f}"],
        ["its slope, KiB a minute", f"{slope:.1f}"],
    ]


def rows(stats: dict[str, Any], watch: Watch, duration_s: float) -> Iterator[list[str]]:
    """What is reported."""
    yield ["played, s", f"{stats['duration_s']:.1f}"]
    yield ["late blocks", f"{stats['n_late_blocks']} of {stats['n_blocks']}"]
    at_start = stats["n_xruns_at_start"]
    yield ["xruns (in the first half second)", f"{stats['n_xruns'] - at_start} ({at_start})"]
    lost = {"n_starved_samples": "samples of the file late", "n_recording_lost_samples": "of recordings lost"}
    yield [", ".join(lost.values()), ", ".join(str(stats[key]) for key in lost)]
    wrong = max(0, watch.n_different - stats["n_late_samples"])
    yield ["misaligned samples", f"{wrong} of {watch.n_compared}"]
    if watch.n_overtaken:
        yield ["samples not compared in time", f"{watch.n_overtaken}"]
    times_us = [stats[f"callback_{name}_us"] for name in ("p50", "p99", "max")]
    yield ["callback p50, p99, max, µs", ", ".join(f"{us:.0f}" for us in times_us)]
    yield ["engine load p50, p99, max", ", ".join(f"{stats[f'load_{n}']:.0%}" for n in ("p50", "p99", "max"))]
    yield ["latency, ms", f"{stats['latency_total_ms']:.1f}"]
    yield from growth(watch.memory, duration_s)


def main() -> None:
    parser = command_line(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long; 30")
    parser.add_argument("--clock", choices=("device", "real"), default=None, help="device: on jackd")
    given = parser.parse_args()
    duration_s = 3.0 if given.quick else 60 * given.minutes
    clock = given.clock or ("device" if has_server() else "real")
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        if clock == "device":
            opened.enter_context(server(song.SAMPLE_RATE_HZ, BLOCK_SAMPLES, waits=False))
        write_song(folder / "song.wav", duration_s + 5)
        with Host(settings(folder, clock)) as host:
            (watch := Watch(host)).run(duration_s)
        stats = host.stats()
    where = f"jackd, periods of {BLOCK_SAMPLES}" if clock == "device" else f"blocks of {BLOCK_SAMPLES}"
    show(f"Soak, {duration_s / 60:g} min, {MODEL}, {where}", ["", ""], list(rows(stats, watch, duration_s)))


if __name__ == "__main__":
    main()
