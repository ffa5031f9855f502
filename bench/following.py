"""How clean is an output that follows an input of another clock, from the start on, and how late?

Two simulated cards of 44,100 and 44,095 Hz around a real follower (`tests/two_clocks.py`), with callbacks that are late
by an exponential law, one in a hundred by 3 ms. THD+N is that of the worst of all windows of a second, of which level,
phase and frequency of a sine are fitted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from parts.report import is_quick, show

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from two_clocks import Heard, World, play, thd_n_db, warming

SPANS_S = ((1, 5), (5, 10), (10, 20), (20, 60), (60, 200), (200, 600))
QUICK_SPANS_S = ((1, 3), (3, 6))
START_S = 0.7  # until the clocks have been watched, it is silent
MOST_WINDOWS = 40  # of a span
RATES_HZ = (44100.0, 44095.0)
WORLDS = {
    "late by 0.05 ms": World(jitter_s=0.00005),
    "late by 0.3 ms": World(),
    "late by 0.3 ms, blocks of 1024": World(blocks=(1024, 1024), offset_samples=3000),
    "late by 1 ms": World(jitter_s=0.001),
    "early or late by 0.3 ms (normal)": World(jitter_s=0.0, noise_s=0.0003),
    "late by 0.3 ms, 1 ppm a minute": World(events=warming(RATES_HZ[1], 1, 30.0, 600.0, 1.0)),
    "late by 0.3 ms, a stall of 1 s at 120 s": World(events=[(120.0, 1, RATES_HZ[1], 1.0)]),
}


def worst_db(heard: Heard, frequency_hz: float, span_s: tuple[int, int]) -> float:
    """Of the windows of a span."""
    rate_hz = heard.rate_hz
    starts_s = np.linspace(span_s[0], span_s[1] - 1, min(MOST_WINDOWS, span_s[1] - span_s[0]))
    windows = [heard.out[round(s * rate_hz) : round((s + 1) * rate_hz)].astype(np.float64) for s in starts_s]
    return max(thd_n_db(window, frequency_hz, rate_hz) for window in windows)


def measure(name: str, world: World, frequency_hz: float, spans_s: tuple[tuple[int, int], ...]) -> list[str]:
    """A row."""
    world.frequency_hz = frequency_hz
    heard = play(world, spans_s[-1][1])
    off_ms = np.abs(heard.latency_samples[heard.from_s(START_S)] - world.offset_samples) / 44.1
    if heard.follower.n_jumps:  # what is played around one is not where it should be
        off_ms = off_ms[off_ms < 2]
    return [
        f"{name}, {frequency_hz / 1000:g} kHz",
        *(f"{worst_db(heard, frequency_hz, span):.0f}" for span in spans_s),
        f"{off_ms.max():.2f}",
        str(heard.follower.n_jumps),
        str(int(heard.follower.states[0]["n_silent_samples"])),
    ]


def main() -> None:
    quick = is_quick(__doc__ or "")
    spans_s = QUICK_SPANS_S if quick else SPANS_S
    worlds = dict(list(WORLDS.items())[:1]) if quick else WORLDS
    rows = [measure(name, world, hz, spans_s) for name, world in worlds.items() for hz in (1000.0, 10_000.0)]
    columns = ["callbacks and sine", *(f"{a} to {b} s, dB" for a, b in spans_s)]
    show("Two clocks: THD+N", [*columns, "latency off by ms", "jumps", "silent samples"], rows)


if __name__ == "__main__":
    main()
