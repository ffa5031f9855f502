"""What does a turn of the compiled callback cost, against its deadline?

The worst case: every gain on its ramp at every turn, every stem there, meters on. The error is the largest difference
of the main bus from the mixture while all faders stand at 0 dB.
"""

from __future__ import annotations

import time

import numpy as np
from parts.models import noise
from parts.report import is_quick, show

from rtsep.chain import Chain
from rtsep.desk import Desk, Limit
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.tape import Tape

RATE_HZ = 44100
OFFSET_SAMPLES = 8192


def routed(n_stems: int, is_routed: bool) -> Mixer:
    """A mix of so many stems, all on channels 1-2, or each on a pair of its own behind those."""
    routes = [(2 * i + 2, 2 * i + 3) if is_routed else None for i in range(n_stems)]
    strips = {f"stem{i}": Strip(route=route) for i, route in enumerate(routes)}
    return Mixer(Mix(strips, {MAIN: Bus((0, 1))}), 2 * n_stems + 2 if is_routed else 2)


def measure(n_stems: int, is_routed: bool, block_samples: int, n_blocks: int) -> list[str]:
    """A row: microseconds of a call, its share of the deadline, and the error."""
    mixer = routed(n_stems, is_routed)
    names = tuple(f"stem{i}" for i in range(n_stems))
    chain = Chain(mixer.open(names), n_stems, OFFSET_SAMPLES, RATE_HZ, RATE_HZ // 100)
    desk = Desk(chain, Tape(2, 1 << 19), RATE_HZ, (0, 1), has_source=True, limit=Limit())
    assert desk.source_tape is not None
    mixture = noise(n_blocks * block_samples)
    stems = np.repeat(mixture[None], n_stems, axis=0).reshape(2 * n_stems, -1) / n_stems
    times_us = np.zeros(n_blocks)
    heard = np.zeros((2, n_blocks * block_samples), np.float32)
    for k in range(n_blocks):
        part = slice(k * block_samples, (k + 1) * block_samples)
        desk.source_tape.append(mixture[:, part])
        chain.stem_tape.append(stems[:, part])
        mixer.edit("strips", "stem0", gain_db=0.0)  # publishes a fresh matrix: the ramp starts anew
        started_ns = time.perf_counter_ns()
        desk.call(block_samples)
        times_us[k] = (time.perf_counter_ns() - started_ns) / 1000
        block = desk.sink_tape.read(part.start, block_samples)
        assert block is not None
        heard[:, part] = block[:2]
    error = np.abs(heard[:, OFFSET_SAMPLES:] - mixture[:, :-OFFSET_SAMPLES]).max() if not is_routed else None
    deadline_us = 1e6 * block_samples / RATE_HZ
    p50, p99 = np.percentile(times_us, (50, 99))
    return [
        f"{n_stems} stems{', each to its own pair' if is_routed else ''}",
        f"{block_samples}",
        f"{deadline_us:.0f}",
        f"{p50:.1f}",
        f"{p99:.1f}",
        f"{100 * p50 / deadline_us:.2f} %",
        f"{int(desk.state['n_late_blocks'])}",
        "-" if error is None else f"{error:.1e}",
    ]


def main() -> None:
    n_blocks = 400 if is_quick(__doc__ or "") else 4000
    rows = [
        measure(n_stems, is_routed, block_samples, n_blocks)
        for n_stems in (2, 4, 5)
        for is_routed in (False, True)
        for block_samples in (64, 256)
    ]
    columns = [
        "mix",
        "block",
        "deadline µs",
        "p50 µs",
        "p99 µs",
        "p50 / deadline",
        "late",
        "error of the sum",
    ]
    show("A turn of the callback (Python's call of it included)", columns, rows)


if __name__ == "__main__":
    main()
