"""How late, how bursty, how clean and how dear is a conversion of rates in a stream, beside soxr?

Blocks of 64 samples go in. A sample is late by what had to be pushed after its own instant until it came out: the most
is the lag that a stream must declare, the spread is how far what is ready jumps. THD+N is of a sine of 10 kHz, of
which level and phase are fitted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import soxr
from parts.report import is_quick, show

from rtsep.dsp.polyphase import Converter

BLOCK_SAMPLES = 64
TONE_HZ = 10_000.0
PAIRS = ((48000, 44100), (44100, 48000), (96000, 44100), (44100, 192000))
Process = Callable[[np.ndarray], np.ndarray]
"""``(channels, n)`` to ``(channels, m)``."""


def ours(rate_in_hz: int, rate_out_hz: int, n_channels: int) -> Process:
    return Converter(n_channels, rate_in_hz, rate_out_hz).process


def with_soxr(is_variable: bool) -> Callable[[int, int, int], Process]:
    def make(rate_in_hz: int, rate_out_hz: int, n_channels: int) -> Process:
        # A variable one is made for its largest ratio in : out, and then set.
        stream = soxr.ResampleStream(
            rate_in_hz, rate_out_hz, n_channels, dtype="float32", quality="HQ", vr=is_variable
        )
        if is_variable:
            stream.set_io_ratio(rate_in_hz, rate_out_hz, 0)
        return lambda block: np.asarray(stream.resample_chunk(np.ascontiguousarray(block.T))).T

    return make


CONVERTERS = {"rtsep": ours, "soxr HQ": with_soxr(False), "soxr variable": with_soxr(True)}


def thd_n_db(samples: np.ndarray, rate_hz: int) -> float:
    """What is left when the best sine of that frequency is taken out, against it."""
    angle = 2 * np.pi * TONE_HZ / rate_hz * np.arange(len(samples))
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    sine = basis @ np.linalg.lstsq(basis, samples, rcond=None)[0]
    return float(10 * np.log10(np.mean((samples - sine) ** 2) / np.mean(sine**2)))


def follow(process: Process, tone: np.ndarray, rates_hz: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """All output, and after every block how many ms of input have no output yet."""
    parts, late_ms, n_out = [], [], 0
    for start in range(0, tone.shape[1], BLOCK_SAMPLES):
        parts.append(process(tone[:, start : start + BLOCK_SAMPLES]))
        n_out += parts[-1].shape[1]
        late_ms.append(1000 * ((start + BLOCK_SAMPLES) / rates_hz[0] - n_out / rates_hz[1]))
    return np.concatenate(parts, axis=1), np.array(late_ms)


def cost_ms(process: Process, n_channels: int, rate_in_hz: int, duration_s: float) -> float:
    """Of a second, in blocks of 64."""
    block = np.zeros((n_channels, BLOCK_SAMPLES), np.float32)
    process(block)
    n_blocks = round(duration_s * rate_in_hz / BLOCK_SAMPLES)
    started_s = time.perf_counter()
    for _ in range(n_blocks):
        process(block)
    return 1000 * (time.perf_counter() - started_s) / duration_s


def measure(name: str, rates_hz: tuple[int, int], duration_s: float) -> list[str]:
    """A row."""
    make = CONVERTERS[name]
    n_samples = round(duration_s * rates_hz[0]) // BLOCK_SAMPLES * BLOCK_SAMPLES
    tone = 0.5 * np.sin(2 * np.pi * TONE_HZ / rates_hz[0] * np.arange(n_samples))
    out, late_ms = follow(make(*rates_hz, 1), tone.astype(np.float32)[None], rates_hz)
    late_ms = late_ms[len(late_ms) // 4 :]
    costs_ms = [cost_ms(make(*rates_hz, n), n, rates_hz[0], duration_s) for n in (2, 10)]
    return [
        f"{name}, {rates_hz[0]} to {rates_hz[1]}",
        f"{late_ms.max():.2f}",
        f"{np.ptp(late_ms):.2f}",
        f"{thd_n_db(out[0, out.shape[1] // 4 :].astype(np.float64), rates_hz[1]):.1f}",
        *[f"{cost:.1f}" for cost in costs_ms],
    ]


def main() -> None:
    duration_s = 0.5 if is_quick(__doc__ or "") else 4.0
    rows = [measure(name, rates_hz, duration_s) for rates_hz in PAIRS for name in CONVERTERS]
    columns = [
        "converter, rates Hz",
        "lag ms",
        "spread ms",
        "THD+N dB",
        "2 channels, ms per s",
        "10 channels",
    ]
    show("Conversion of rates in a stream, one way", columns, rows)


if __name__ == "__main__":
    main()
