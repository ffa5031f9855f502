"""Nothing that decays may become so small that the processor takes a hundred times as long over it."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.chain import Chain
from rtsep.mixer import Mixer, Strip

RATE_HZ = 8000
SILENCE_S = 240  # what falls by 1/e in a third of a second is below 1e-38 after half a minute
SMALLEST = np.finfo(np.float32).smallest_normal


def make_chain(mixture: np.ndarray, stems: np.ndarray) -> Chain:
    chain = Chain(1, Mixer({"a": Strip()}, (0, 1), 2), 0, RATE_HZ, 0.01, has_source=True)
    assert chain.source_tape is not None
    chain.source_tape.append(mixture)
    chain.stem_tape.append(stems)
    return chain


def memory_of(chain: Chain) -> dict[str, np.ndarray]:
    """All numbers that the callback carries from block to block, and those it works in."""
    arrays = {n: a for n, a in vars(chain).items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
    fields = chain.states.dtype.fields or {}
    return arrays | {n: chain.states[n] for n, (kind, *_) in fields.items() if kind.kind == "f"}


def subnormal(values: np.ndarray) -> np.ndarray:
    return (values != 0) & (np.abs(values) < SMALLEST)


@pytest.mark.parametrize("block_samples", [64, 1000])
@pytest.mark.parametrize("last", ["sound", "whisper"])
def test_no_meter_meets_a_denormal_in_minutes_of_silence_after_sound(block_samples: int, last: str) -> None:
    rng = np.random.default_rng(block_samples)
    loudness = 1.0 if last == "sound" else 1e-18  # whose squares are subnormal
    sound = (loudness * rng.uniform(-1, 1, (2, RATE_HZ))).astype(np.float32)
    chain = make_chain(sound, sound / 2)
    chain.call(RATE_HZ)
    loud_dbfs = np.concatenate(chain.levels_dbfs())
    for _ in range(SILENCE_S):
        for _ in range(RATE_HZ // block_samples):
            chain.stem_tape.append(np.zeros((2, block_samples), np.float32))
            chain.call(block_samples)
        for name, values in memory_of(chain).items():
            assert not subnormal(values).any(), name
    floors = [a for a in memory_of(chain).values() if ((a > 0) & (a < 1e-6)).any()]
    assert floors, "the meters must be among what was looked at"
    quiet_dbfs = np.concatenate(chain.levels_dbfs())
    assert (quiet_dbfs <= -119).all()
    assert last == "whisper" or (loud_dbfs > -30).any()


def test_a_decay_without_a_floor_is_found() -> None:
    value, found = np.float32(1), False
    for _ in range(1000):
        value *= np.float32(0.9)
        found |= bool(subnormal(np.array([value])).any())
    assert found
