"""What a session let be heard, compared sample by sample with what it should have been.

The session (`four_stems`) has every stem of a four-stem model on outputs of its own, at gains of its own, and what is
left on the main bus. So from what is heard follows, for every sample, how much of the stems it was: the fade.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jack_server import Desk
from random_model import STEMS

import rtsep
from rtsep.io.files import read_audio

GAINS_DB = {"vocals": -6.0, "drums": 3.0, "bass": 0.0, "other": 0.0}
MUTED = "other"
N_OUTPUTS = 10
UPDATE_HOPS = 4
TOLERANCE = 2e-6
FADE_STEP = 1 / 64


def four_stems(record: Path, *, synthesis_hops: int = 4, model: str = "faulty") -> dict:
    """The settings, as a tree."""
    stems: dict[str, dict] = {
        name: {"gain_db": GAINS_DB[name], "mute": name == MUTED, "route": [3 + 2 * i, 4 + 2 * i]}
        for i, name in enumerate(STEMS)
    }
    schedule = {"update_hops": UPDATE_HOPS, "lookahead_frames": 0, "synthesis_hops": synthesis_hops}
    return {
        "input": {"source": "device:system"},
        "model": {"name": model, "mask": "direct", "precision": "float32", **schedule},
        "mixer": {"stems": stems},
        "output": {"sink": "device:system", "record": str(record)},
    }


def stems_of(model: Path, mixture: np.ndarray, rate_hz: int, synthesis_hops: int) -> np.ndarray:
    """The stems ``(stems, 2, samples)`` of an engine that nothing disturbs; a skip must leave no trace in them."""
    separator = rtsep.load(model, extension="top_band")
    stream = separator.stream(rate_hz, update_hops=UPDATE_HOPS, synthesis_hops=synthesis_hops)
    stems = np.concatenate([stream.process(mixture), stream.flush()], axis=2)
    return stems[:, :, stream.latency_samples :]


def faded(rows: np.ndarray) -> np.ndarray:
    """The stems on their buses, ``(8, samples)``."""
    gains = np.array([0 if name == MUTED else 10 ** (GAINS_DB[name] / 20) for name in STEMS])
    return (gains[:, None, None] * rows).reshape(-1, rows.shape[2])


def heard_share(heard: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """How much of the stems is heard, per sample: 1 the stems, 0 the mixture; on the steps of the fade."""
    energy = (expected**2).sum(axis=0)
    share = (heard * expected).sum(axis=0) / np.maximum(energy, 1e-12)
    return np.where(energy > 1e-8, np.round(share / FADE_STEP) * FADE_STEP, np.nan)


@dataclass
class Take:
    """A session that is over: what came in, from the first sound on, and how much of what came out was stems.

    Attributes
    ----------
    mixture
        ``(2, samples)``, as it was recorded.
    share
        ``(samples,)``, 1 where the stems are heard and 0 where the mixture is, steps of the fade between.
    """

    mixture: np.ndarray
    share: np.ndarray

    @property
    def n_late(self) -> int:
        return int((self.share < 1).sum())


def compare(desk: Desk, stats: dict, folder: Path, model: Path, synthesis_hops: int = 4) -> Take:
    """Find every sample that was heard in what came in; fail at the first that is neither stem, mixture nor fade."""
    recorded, rate_hz = read_audio(folder / "mixture.wav")
    assert rate_hz == desk.rate_hz
    n_lead = int(np.argmax(recorded.any(axis=0)))  # silence on the input tape before the music
    mixture = recorded[:, n_lead:].astype(np.float64)
    delay = stats["latency_samples"]  # declared: the offset and what PortAudio adds
    heard = desk.recording()
    n = min(heard.shape[1], mixture.shape[1]) - delay  # of the rest the engine knew what came after it
    assert n > rate_hz
    heard, mixture = heard[:, delay : delay + n].astype(np.float64), mixture[:, :n]
    rows = stems_of(model, recorded, rate_hz, synthesis_hops)[:, :, n_lead : n_lead + n].astype(np.float64)
    buses = faded(rows)
    share = heard_share(heard[2:], buses)
    assert not np.isnan(share).any()
    assert share.min() >= 0
    assert share.max() == 1
    assert np.abs(np.diff(share)).max() <= FADE_STEP * 1.001  # no jump between stems and mixture
    np.testing.assert_allclose(heard[2:], share * buses, atol=TOLERANCE)
    np.testing.assert_allclose(heard[:2], mixture - share * rows.sum(axis=0), atol=TOLERANCE)
    return Take(mixture, share)


def follow(sound: np.ndarray, whole: np.ndarray, period_samples: int, tolerance: float) -> np.ndarray:
    """Where each period of `sound` is in `whole`, searched for from the one before it on; -1: nowhere there."""
    found, at, end = [], 0, whole.shape[1] - period_samples
    for start in range(0, sound.shape[1] - period_samples + 1, period_samples):
        period = sound[:, start : start + period_samples]
        places = (q for q in (at, *range(at - period_samples, end + 1, period_samples)) if 0 <= q <= end)
        same = (q for q in places if np.abs(whole[:, q : q + period_samples] - period).max() <= tolerance)
        found.append(next(same, -1))
        at = (at if found[-1] < 0 else found[-1]) + period_samples
    return np.array(found)


def check_count(take: Take, before: dict, after: dict, period_samples: int) -> None:
    """The counters say what was heard, but for what was played before the music and after the comparison."""
    n_counted = after["n_late_samples"] - before["n_late_samples"]
    n_not_seen = 2 * after["offset_samples"] + 8 * period_samples
    assert take.n_late <= n_counted <= take.n_late + n_not_seen
