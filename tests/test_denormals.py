"""Nothing that decays may become so small that the processor takes a hundred times as long over it."""

from __future__ import annotations

import numpy as np
import pytest
from small_desk import small_desk

from rtsep.desk import Desk, Limit

RATE_HZ = 8000
SILENCE_S = 240  # what falls by 1/e in a third of a second is below 1e-38 after half a minute
SMALLEST = np.finfo(np.float32).smallest_normal


def make_desk(mixture: np.ndarray, stems: np.ndarray) -> Desk:
    desk = small_desk(RATE_HZ, limit=Limit(ceiling=0.5, lookahead_samples=16))  # it decays too
    assert desk.source_tape is not None
    desk.source_tape.append(mixture)
    desk.chain.stem_tape.append(stems)
    return desk


def memory_of(desk: Desk) -> dict[str, np.ndarray]:
    """All numbers that the callback carries from block to block, and those it works in."""
    found = {}
    for owner, record in ((desk, desk.state), (desk.chain, desk.chain.record)):
        kept = {n: a for n, a in vars(owner).items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
        fields = record.dtype.fields or {}
        kept |= {n: np.array(record[n]) for n, (kind, *_) in fields.items() if kind.kind == "f"}
        found |= {f"{type(owner).__name__}.{n}": a for n, a in kept.items()}
    return found


def levels_dbfs(desk: Desk) -> np.ndarray:
    return np.concatenate((*desk.levels_dbfs(), *desk.chain.levels_dbfs()))


def subnormal(values: np.ndarray) -> np.ndarray:
    return (values != 0) & (np.abs(values) < SMALLEST)


@pytest.mark.parametrize("block_samples", [64, 1000])
@pytest.mark.parametrize("last", ["sound", "whisper"])
def test_no_meter_meets_a_denormal_in_minutes_of_silence_after_sound(block_samples: int, last: str) -> None:
    rng = np.random.default_rng(block_samples)
    loudness = 1.0 if last == "sound" else 1e-18  # whose squares are subnormal
    sound = (loudness * rng.uniform(-1, 1, (2, RATE_HZ))).astype(np.float32)
    desk = make_desk(sound, sound / 2)
    desk.call(RATE_HZ)
    assert (desk.state["n_limited_samples"] > 0) == (last == "sound")
    loud_dbfs = levels_dbfs(desk)
    for _ in range(SILENCE_S):
        for _ in range(RATE_HZ // block_samples):
            desk.chain.stem_tape.append(np.zeros((2, block_samples), np.float32))
            desk.call(block_samples)
        for name, values in memory_of(desk).items():
            assert not subnormal(values).any(), name
    floors = [a for a in memory_of(desk).values() if ((a > 0) & (a < 1e-6)).any()]
    assert len(floors) >= 4, "peaks and squares of rows and of outputs must be among what was looked at"
    quiet_dbfs = levels_dbfs(desk)
    assert (quiet_dbfs <= -119).all()
    assert last == "whisper" or (loud_dbfs > -30).any()


def test_a_decay_without_a_floor_is_found() -> None:
    value, found = np.float32(1), False
    for _ in range(1000):
        value *= np.float32(0.9)
        found |= bool(subnormal(np.array([value])).any())
    assert found
