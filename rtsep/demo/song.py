"""The arrangement and the mix: ``render`` gives the stems of a whole song.

::

    score ─▶ voice ─▶ doubles, plate ─┐
          ├▶ drums ─▶ room ───────────┤  each stem: EQ ─▶ level ─▶ soft limit ─▶ one common gain
          ├▶ bass ──▶ ducked by kick ─┤  so the mixture is the plain sum of the stems
          └▶ keys ──▶ ducked, hall ───┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rtsep.demo.band import play_bass, play_keys
from rtsep.demo.drums import drum
from rtsep.demo.score import SECTIONS, Hit, Note, Score, compose
from rtsep.demo.sound import (
    SAMPLE_RATE_HZ,
    Samples,
    equalised,
    panned,
    place,
    reverberated,
    seconds,
    to_samples,
)
from rtsep.demo.voice import sing
from rtsep.errors import UsageError

__all__ = ["PEAK_DBFS", "SAMPLE_RATE_HZ", "STEMS", "render", "vocal_spans_s"]

STEMS = ("vocals", "drums", "bass", "other")
PEAK_DBFS = -1.0  # of the mixture
_LEVELS_DB = {
    "vocals": 0.0,
    "drums": -2.5,
    "bass": -4.5,
    "other": -5.5,
}  # RMS while sounding, against the voice
_HEADROOM = 4.5  # where the soft limit of a stem lies, above its RMS
_ENDING = np.cos(np.linspace(0, np.pi / 2, to_samples(1.5))) ** 2  # the last chord's way to silence
_SILENCE = 1e-6  # rounding noise of the convolutions, -120 dBFS


def render(seed: int = 0, *, duration_s: float | None = None) -> dict[str, npt.NDArray[np.float32]]:
    """Compose, play, sing and mix one song.

    Parameters
    ----------
    seed
        0 is the demo song; any other whole number from 1 gives another key, tempo, melody, text and sound.
    duration_s
        Only the first so many seconds; a longer song is not made longer.

    Returns
    -------
    dict
        vocals, drums, bass, other: float32 ``(2, samples)`` at ``SAMPLE_RATE_HZ``. Their sum is the mixture,
        whose peak over the whole song is at -1 dBFS. The same on one platform to the bit.

    Raises
    ------
    UsageError
        For a negative seed or a duration that is not above 0.
    """
    if seed < 0:
        raise UsageError(f"seed {seed}: a whole number from 0 is wanted; 0 is the demo song")
    if duration_s is not None and not duration_s > 0:
        raise UsageError(f"duration_s={duration_s}: give seconds above 0, or None for the whole song")
    score = compose(seed)
    n_samples = to_samples(score.length_s)
    stems = _finished(_played(score, n_samples))
    n_kept = n_samples if duration_s is None else min(to_samples(duration_s), n_samples)
    return {name: np.ascontiguousarray(stem[:, :n_kept], np.float32) for name, stem in stems.items()}


def vocal_spans_s(seed: int = 0, *, gap_s: float = 1.5) -> tuple[tuple[float, float], ...]:
    """When the voice sings: ``(start, end)`` in seconds, rests shorter than ``gap_s`` included."""
    spans: list[tuple[float, float]] = []
    for note in compose(seed).melody:
        if spans and note.start_s - spans[-1][1] < gap_s:
            spans[-1] = (spans[-1][0], note.end_s)
        else:
            spans.append((note.start_s, note.end_s))
    return tuple(spans)


def _played(score: Score, n_samples: int) -> dict[str, Samples]:
    """Each player has a random stream of their own: a change to one leaves the others as they are."""
    singer, drummer, bassist, pianist = np.random.default_rng((score.seed, 2)).spawn(4)
    hits = score.hits()
    pump = _pumping(hits, n_samples)
    return {
        "vocals": _vocals(score, n_samples, singer),
        "drums": drum(hits, n_samples, drummer),
        "bass": panned(play_bass(score, n_samples, bassist) * (1 - 0.35 * pump), 0.0),
        "other": play_keys(score, n_samples, pianist) * (1 - 0.25 * pump),
    }


def _finished(stems: dict[str, Samples]) -> dict[str, Samples]:
    stems = {name: stem.astype(np.float32) for name, stem in stems.items()}
    for name, stem in stems.items():
        loud = _loudness(stem)
        limit = _HEADROOM * loud
        stem[...] = np.tanh(stem / limit) * (10 ** (_LEVELS_DB[name] / 20) * _HEADROOM)
        stem[:, -len(_ENDING) :] *= _ENDING
    gain = 10 ** (PEAK_DBFS / 20) / np.max(np.abs(np.sum(list(stems.values()), axis=0)))
    for stem in stems.values():
        stem *= gain
        stem[np.abs(stem) < _SILENCE] = 0.0
    return stems


def _loudness(stem: Samples) -> float:
    """RMS over the tenths of a second in which the stem sounds."""
    n = stem.shape[1] // 4410 * 4410
    power = np.mean(stem[:, :n].reshape(2, -1, 4410) ** 2, axis=(0, 2))
    return float(np.sqrt(np.mean(power[power > 0.01 * power.max()])))


def _pumping(hits: Sequence[Hit], n_samples: int) -> Samples:
    """1 at each kick, dying within an eighth of a second: what makes room for the kick."""
    t = seconds(to_samples(0.5))
    shape = np.minimum(t / 0.004, 1) * np.exp(-t / 0.11)
    track = np.zeros(n_samples)
    for hit in hits:
        if hit.piece == "kick":
            place(track, hit.velocity * shape, to_samples(hit.start_s - 0.002))
    return np.minimum(track, 1.0)


def _vocals(score: Score, n_samples: int, rng: np.random.Generator) -> Samples:
    """The lead in the middle; in the chorus itself again at both sides, and a third below; a plate."""
    chorus = [note for note in score.melody if SECTIONS[note.bar] == "chorus"]
    low = [replace(note, midi=_third_below(score, note.midi)) for note in chorus]
    dry: Samples = np.zeros((2, n_samples))
    lead, start = sing(score.melody, score.tract, rng)
    place(dry, panned(lead, 0.0), start)
    for line, position, level in ((chorus, -0.7, 0.22), (chorus, 0.7, 0.22), (low, 0.35, 0.28)):
        double, start = sing([_late(note, rng) for note in line], score.tract * rng.uniform(0.97, 1.03), rng)
        place(dry, panned(level * double, position), start)
    dry = equalised(dry, 95, 17_000, tilt_db=0.7)
    return dry + 0.2 * reverberated(dry, rng, 1.3, 0.03)


def _late(note: Note, rng: np.random.Generator) -> Note:
    shift_s = float(np.clip(0.012 * rng.standard_normal(), -0.025, 0.025))
    return replace(note, start_s=note.start_s + shift_s)


def _third_below(score: Score, midi: int) -> int:
    """Two steps down in the scale."""
    degree = next(d for d in range(-3, 15) if score.midi(d) >= midi)
    return score.midi(degree - 2)
