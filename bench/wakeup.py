"""How long after its last sample has come does an update begin?

A clock delivers blocks of 512 samples, as a card would, and the engine separates with a stream that takes a third of
its time. Measured is from the write of the last sample that an update needs to the engine's read of it: with and
without the priority that the system grants, alone and beside as many busy processes as cores. The first row polls by
the millisecond, as simple engines do; the others sleep until the update is due. Updates that began so late that they
met the next are counted as merged.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from parts.report import is_quick, show

from rtsep import realtime
from rtsep.engine import Engine
from rtsep.stream import Audio, Latency
from rtsep.tape import Tape

RATE_HZ = 44100
BLOCK_SAMPLES = 512
UPDATE_SAMPLES = 1024
LATENCY_SAMPLES = 4096
WORK_S = UPDATE_SAMPLES / RATE_HZ / 3
BUSY = "while True: pass"


class Card:
    """Writes silence by the clock, and remembers when."""

    def __init__(self, tape: Tape, n_updates: int) -> None:
        self._tape, self.n_samples = tape, n_updates * UPDATE_SAMPLES
        self.written_s: dict[int, float] = {}  # end of a block -> when it was there

    def run(self, level: realtime.Level | None) -> None:
        """Deliver everything."""
        if level is None:
            self._deliver()
            return
        with realtime.raised(level, BLOCK_SAMPLES / RATE_HZ):
            self._deliver()

    def _deliver(self) -> None:
        block, started_s = np.zeros((2, BLOCK_SAMPLES), np.float32), time.perf_counter()
        for end in range(BLOCK_SAMPLES, self.n_samples + 1, BLOCK_SAMPLES):
            time.sleep(max(0.0, started_s + end / RATE_HZ - time.perf_counter()))
            self._tape.append(block)
            self.written_s[end] = time.perf_counter()


class Stream:
    """Works a third of the time, and remembers when it began."""

    stems = ("all",)
    latency = Latency(RATE_HZ, {"delay": LATENCY_SAMPLES})
    latency_samples, update_samples = LATENCY_SAMPLES, UPDATE_SAMPLES

    def __init__(self, knows_due: bool) -> None:
        self._knows_due, self._n_fed = knows_due, 0
        self.begun_s: dict[int, float] = {}

    @property
    def due_samples(self) -> int:
        """Exactly, or not at all."""
        return UPDATE_SAMPLES - self._n_fed % UPDATE_SAMPLES if self._knows_due else 1

    def process(self, block: Audio) -> Audio:
        """Compute for nothing at the end of every update."""
        now_s, before = time.perf_counter(), self._n_fed // UPDATE_SAMPLES
        self._n_fed += block.shape[1]
        if self._n_fed // UPDATE_SAMPLES > before:
            self.begun_s[self._n_fed // UPDATE_SAMPLES * UPDATE_SAMPLES] = now_s
            while time.perf_counter() < now_s + WORK_S:
                pass
        return np.zeros((1, *block.shape), np.float32)

    def prepare(self) -> None:
        """Nothing to make."""

    def flush(self) -> Audio:
        """Silence."""
        return np.zeros((1, 2, LATENCY_SAMPLES), np.float32)

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to let go."""


@contextmanager
def busy(n_processes: int) -> Iterator[None]:
    """So many processes that compute for nothing."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(name: str, n_busy: int, n_updates: int, *, has_priority: bool, knows_due: bool) -> list[str]:
    """A row."""
    memory = 10 * RATE_HZ
    tape, stems = Tape(2, memory), Tape(2, memory)
    stream, card, stop = Stream(knows_due), Card(tape, n_updates), threading.Event()
    offset_samples = LATENCY_SAMPLES + BLOCK_SAMPLES + round(0.02 * RATE_HZ)
    engine = Engine(stream, tape, stems, RATE_HZ, offset_samples, may_skip=False)
    n_looks = count_looks(engine)
    with realtime.prepared(), busy(n_busy):
        work = threading.Thread(target=engine.run if has_priority else engine.loop, args=(stop,))
        feed = threading.Thread(target=card.run, args=("audio" if has_priority else None,))
        work.start()
        feed.start()
        feed.join()
        time.sleep(0.1)
        stop.set()
        work.join()
    late_ms = [1000 * (s - card.written_s[end]) for end, s in stream.begun_s.items()][1:]
    p50, p99 = np.percentile(late_ms, (50, 99))
    looks = n_looks() / (n_updates * UPDATE_SAMPLES / RATE_HZ)
    granted = engine.priority.get("engine", "not asked").split(" (")[0]
    figures = [f"{value:.2f}" for value in (p50, p99, max(late_ms))]
    return [name, granted, f"{n_busy}", *figures, f"{looks:.0f}", f"{n_updates - len(stream.begun_s)}"]


def count_looks(engine: Engine) -> Callable[[], int]:
    """How often the engine looks for input."""
    times, step = [0], engine.step

    def counted() -> bool:
        times[0] += 1
        return step()

    engine.step = counted  # type: ignore[method-assign]
    return lambda: times[0]


def main() -> None:
    n_updates = 20 if is_quick(__doc__ or "") else 1000
    n_cores = os.cpu_count() or 1
    rows = [
        measure(name, n_busy, n_updates, has_priority=has_priority, knows_due=knows_due)
        for n_busy in (0, n_cores)
        for name, has_priority, knows_due in (
            ("polls", False, False),
            ("sleeps until it is due", False, True),
            ("the same, with priority", True, True),
        )
    ]
    columns = ["engine", "granted", "busy", "p50 ms", "p99 ms", "max ms", "looks/s", "merged"]
    show("From the last sample of an update to its begin", columns, rows)


if __name__ == "__main__":
    main()
