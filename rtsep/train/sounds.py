"""The sounds that training mixes from: whole stems in memory, at several pitches.

A sound read at ``rate · 2^(−n/12)`` and played at ``rate`` is n semitones higher (and faster), which makes pitch
augmentation free of any resampler of our own: it is done once, by the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.io.files import read_audio
from rtsep.stream import Audio

Pcm = NDArray[np.int16]
"""``(2, samples)``; half the memory of float32, and 98 dB of range are enough for training."""

_INT16_SCALE = 32767.0
_LEVEL_BLOCK_S = 0.25


@dataclass(frozen=True)
class Sound:
    """One stem at one pitch.

    `levels` are its RMS in blocks of a quarter of a second, which is how a crop with something in it is found.
    """

    pcm: Pcm
    levels: NDArray[np.float32]
    sample_rate_hz: int

    @property
    def n_samples(self) -> int:
        """Its length."""
        return int(self.pcm.shape[1])

    def crop(self, start: int, n_samples: int) -> Audio:
        """Samples ``[start, start + n_samples)`` as float32 ``(2, n_samples)``, zeros beyond its ends."""
        out = np.zeros((2, n_samples), np.float32)
        low, high = max(start, 0), min(start + n_samples, self.n_samples)
        if high > low:
            np.multiply(
                self.pcm[:, low:high], np.float32(1 / _INT16_SCALE), out=out[:, low - start : high - start]
            )
        return out

    def level(self, start: int, n_samples: int) -> float:
        """RMS of a crop, from the blocks."""
        block = int(_LEVEL_BLOCK_S * self.sample_rate_hz)
        part = self.levels[max(start, 0) // block : (start + n_samples) // block + 1]
        return float(np.sqrt(np.mean(part**2))) if len(part) else 0.0


def make_sound(samples: Audio, sample_rate_hz: int) -> Sound:
    """Keep `samples` ``(1 or 2, samples)`` as a stereo sound."""
    stereo = np.broadcast_to(samples, (2, samples.shape[1])) if samples.shape[0] == 1 else samples[:2]
    pcm = np.clip(np.rint(stereo * _INT16_SCALE), -32768, 32767).astype(np.int16)
    block = int(_LEVEL_BLOCK_S * sample_rate_hz)
    n_blocks = max(1, -(-pcm.shape[1] // block))
    padded = np.zeros((2, n_blocks * block), np.float32)
    padded[:, : pcm.shape[1]] = pcm[:, : n_blocks * block]
    levels = np.sqrt(np.mean((padded / _INT16_SCALE).reshape(2, n_blocks, block) ** 2, axis=(0, 2)))
    return Sound(np.ascontiguousarray(pcm), levels.astype(np.float32), sample_rate_hz)


def read_sound(paths: Sequence[Path], sample_rate_hz: int, semitones: float) -> Sound:
    """Read files one after the other into one sound, shifted by `semitones`."""
    rate_hz = round(sample_rate_hz * 2 ** (-semitones / 12))
    parts = []
    for path in paths:
        samples, _ = read_audio(path, sample_rate_hz=rate_hz)
        parts.append(np.broadcast_to(samples[:2], (2, samples.shape[1])))
    return make_sound(np.concatenate(parts, axis=1), sample_rate_hz)


def read_sounds(
    jobs: Sequence[tuple[Sequence[Path], float]],
    sample_rate_hz: int,
    n_threads: int = 2,
    advance: Callable[[], None] = lambda: None,
) -> list[Sound]:
    """`read_sound` for many, in parallel, in the order of `jobs` (files, semitones); `advance` is called for each."""

    def read(job: tuple[Sequence[Path], float]) -> Sound:
        sound = read_sound(job[0], sample_rate_hz, job[1])
        advance()
        return sound

    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(read, jobs))
