"""How clean are several minutes of the desktop, through a real sound server: what is recorded, and what is heard?

A PulseAudio server of its own with one null sink, and `rtsep live --input desktop` with the model that ships between
its own sink and that one: two clocks, so the output follows. A player plays noise on the left and 1 kHz on the right.
With all faders at 0 dB that is what must come out. The recording's mixture is compared to what was played and its mix
to its mixture, sample by sample; what the sink's monitor hears is placed in the recording, second by second, by the
noise. That is a line, whose slope is by how much the two clocks differ; what lies off it is a latency that moves. The
tone gives THD+N. What the machine loses beside other work is counted by
the session (xruns, jumps of a clock, late blocks).
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from parts.report import is_quick, show

sys.path += [str(Path(__file__).parents[1] / "tests" / place) for place in (".", "io")]
from live_process import Live
from pulse_server import RATE_HZ, read_sound, run_server, write_sound
from sound_spans import spans
from two_clocks import thd_n_db

from rtsep.io.files import read_audio

TONE_HZ, PEAK = 1000.0, 0.25
DURATION_S, QUICK_S = 310, 20
SETTLE_S = 2.0  # until both clocks have been watched: it is silent
SPANS_S = (2, 10, 30, 60, 120, 180, 240, 300)
SEARCH_SAMPLES = RATE_HZ // 4  # far more than a jump of a clock
STEP_24_BIT = 2**-23


def make_music(duration_s: int) -> NDArray[np.float32]:
    """Noise in steps of 16 bits, and a tone."""
    t = np.arange(duration_s * RATE_HZ) / RATE_HZ
    noise = np.round(np.random.default_rng(3).uniform(-PEAK, PEAK, t.size) * 2**15) / 2**15
    return np.stack([noise, PEAK * np.sin(2 * np.pi * TONE_HZ * t)]).astype(np.float32)


def play(folder: Path, duration_s: int) -> tuple[NDArray[np.float32], dict]:
    """What was heard, and the account; the recording lies in `folder`."""
    settings = {
        "input": {"source": "desktop"},
        "model": {"name": "demo-2stems"},
        "output": {"record": "takes"},
    }
    music = write_sound(folder / "music.raw", make_music(duration_s))
    with run_server(("card", 2)) as server, closing(Live(server.environment, folder, settings)) as live:
        live.wait_for("Latency")
        time.sleep(SETTLE_S)
        with ExitStack() as opened:
            opened.enter_context(server.listening("card", folder / "heard.raw"))
            opened.enter_context(server.playing("player", music))
            time.sleep(duration_s - 5)
        live.press("q")
        live.end()
        return read_sound(folder / "heard.raw"), live.stats


def place(heard: NDArray[np.float32], mixture: NDArray[np.float32], near: int | None) -> float:
    """Where in the mixture a stretch is that was heard, to a fraction of a sample; `near` a place, if one is known."""
    first = 0 if near is None else max(0, near - SEARCH_SAMPLES)
    part = mixture[first:] if near is None else mixture[first : near + len(heard) + SEARCH_SAMPLES]
    size = 1 << (len(part) + len(heard) - 1).bit_length()
    found = np.fft.irfft(np.fft.rfft(part, size) * np.conj(np.fft.rfft(heard, size)))
    at = int(np.argmax(found[: len(part)]))
    before, peak, after = (found[(at + k) % size] for k in (-1, 0, 1))
    return first + at + 0.5 * (before - after) / (before - 2 * peak + after)


def delays_ms(heard: NDArray[np.float32], mixture: NDArray[np.float32]) -> NDArray[np.float64]:
    """By how much later than most of the others each second was heard."""
    begin, found = round(place(heard[:RATE_HZ], mixture, None)), []
    for start in range(0, min(len(heard), len(mixture) - begin) - 2 * RATE_HZ, RATE_HZ):
        found.append(place(heard[start : start + RATE_HZ // 2], mixture, begin + start) - start)
    return 1000 * (np.median(found) - np.array(found)) / RATE_HZ


def spans_of(heard: NDArray[np.float32], mixture: NDArray[np.float32]) -> list[list[str]]:
    """A row for each span of time: the latency's moves, and THD+N."""
    off_ms, tone = delays_ms(heard[0], mixture[0]), heard[1].astype(np.float64)
    decibels = np.array(
        [thd_n_db(tone[k * RATE_HZ :][:RATE_HZ], TONE_HZ, RATE_HZ) for k in range(off_ms.size)]
    )
    rows = []
    for first, end in itertools.pairwise(SPANS_S):
        if end <= off_ms.size:
            seconds, span = np.arange(first, end), decibels[first:end]
            ms_a_s, begin_ms = np.polyfit(seconds, off_ms[first:end], 1)
            moved_ms = np.abs(off_ms[first:end] - (begin_ms + ms_a_s * seconds))
            moved = f"{np.median(moved_ms):.3f}", f"{moved_ms.max():.3f}"
            cells = (f"{1000 * ms_a_s:.1f}", *moved, f"{np.median(span):.0f}", f"{span.max():.0f}")
            rows.append([f"{first} to {end} s", *cells])
    return rows


def compare(folder: Path, music: NDArray[np.float32]) -> list[str]:
    """What the recording is worth: of the mixture against what was played, of the mix against the mixture."""
    mixture, mix = (read_audio(folder / "takes" / f"{name}.wav")[0] for name in ("mixture", "mix"))
    there = np.flatnonzero(mixture[0])
    found = spans(mixture, music, STEP_24_BIT)
    n_music, n_same = there[-1] + 1 - there[0], sum(span.n for span in found)
    wrong = int((np.abs(mix - mixture).max(axis=0) > 3 * STEP_24_BIT).sum())
    return [f"{n_music / RATE_HZ:.1f} s", str(len(found)), str(n_music - n_same), str(wrong)]


def main() -> None:
    duration_s = QUICK_S if is_quick(__doc__ or "") else DURATION_S
    with tempfile.TemporaryDirectory(prefix="rtsep-desktop-") as name:
        folder, load = Path(name), os.getloadavg()[0]
        heard, stats = play(folder, duration_s)
        recorded = compare(folder, make_music(duration_s))
        mixture, _ = read_audio(folder / "takes" / "mixture.wav")
    there = np.flatnonzero(heard[0])
    counted = [str(stats[key]) for key in ("n_late_blocks", "n_xruns", "n_clock_jumps")]
    columns = ["music", "pieces", "samples not as played", "mix not as mixture"]
    columns += ["late blocks", "xruns", "jumps", "load before and after"]
    loads = f"{load:.1f}, {os.getloadavg()[0]:.1f}"
    show("The desktop: what was recorded", columns, [[*recorded, *counted, loads]])
    columns = ["from the first sound", "clocks differ by ppm", "latency moves by ms, p50", "max"]
    columns += ["THD+N p50 dB", "worst second dB"]
    show("The desktop: what was heard", columns, spans_of(heard[:, there[0] : there[-1]], mixture))


if __name__ == "__main__":
    main()
