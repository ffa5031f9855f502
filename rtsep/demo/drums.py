"""The drum set: each piece is a short recipe of sines and noise; a drummer plays the score on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rtsep.demo.score import Hit
from rtsep.demo.sound import (
    SAMPLE_RATE_HZ,
    Samples,
    equalised,
    faded,
    panned,
    place,
    reverberated,
    seconds,
    to_samples,
)

Stroke = Callable[[float, np.random.Generator], Samples]  # velocity 0..1 -> mono sound

_CYMBAL_HZ = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)  # the six oscillators of Roland's TR-808
# Piece: position (-1 left .. 1 right), spread of its timing in seconds.
_SEATS = {
    "kick": (0.0, 0.0015), "snare": (0.05, 0.003), "clap": (0.0, 0.003), "hat": (0.35, 0.004),
    "open": (0.35, 0.004), "shaker": (-0.5, 0.005), "tom": (-0.2, 0.004), "crash": (-0.4, 0.003),
}  # fmt: skip


def drum(hits: Sequence[Hit], n_samples: int, rng: np.random.Generator) -> Samples:
    """The drum stem, ``(2, samples)``: dry pieces in their places, and one room around them."""
    dry, send = np.zeros((2, n_samples)), np.zeros((2, n_samples))
    strokes: dict[str, Stroke] = {
        "kick": _kick, "snare": _snare, "clap": _clap, "hat": _closed_hat,
        "open": _open_hat, "shaker": _shaker, "tom": _tom, "crash": _crash,
    }  # fmt: skip
    for hit in hits:
        position, spread_s = _SEATS[hit.piece]
        velocity = float(np.clip(hit.velocity * (1 + 0.08 * rng.standard_normal()), 0.05, 1.0))
        start = to_samples(hit.start_s + float(np.clip(spread_s * rng.standard_normal(), -0.01, 0.01)))
        sound = panned(strokes[hit.piece](velocity, rng), position)
        place(dry, sound, start)
        if hit.piece not in ("kick", "hat", "shaker"):
            place(send, sound, start)
    return dry + 0.16 * reverberated(send, rng, 0.55, 0.008)


def _noise(length_s: float, low_hz: float, high_hz: float, rng: np.random.Generator) -> Samples:
    noise = equalised(rng.standard_normal(to_samples(length_s)), low_hz, high_hz)
    return noise / np.std(noise)


def _kick(velocity: float, rng: np.random.Generator) -> Samples:
    t = seconds(to_samples(0.38))
    pitch_hz = 49 + 95 * np.exp(-t / 0.022) + 190 * np.exp(-t / 0.004)
    body = np.sin(2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ) * np.exp(-t / 0.13)
    beater = _noise(0.38, 1200, 6000, rng) * np.exp(-t / 0.003)
    return faded(np.tanh(1.6 * velocity * body) + 0.3 * velocity**2 * beater, 0.0005, 0.06)


def _snare(velocity: float, rng: np.random.Generator) -> Samples:
    t = seconds(to_samples(0.3))
    bend = 1 + 0.25 * np.exp(-t / 0.008)
    shell = sum(
        level * np.sin(2 * np.pi * np.cumsum(hz * bend) / SAMPLE_RATE_HZ) * np.exp(-t / decay_s)
        for hz, level, decay_s in ((187, 0.6, 0.06), (332, 0.35, 0.045), (516, 0.12, 0.03))
    )
    wires = _noise(0.3, 900, 7500, rng) * (0.7 * np.exp(-t / 0.016) + 0.45 * np.exp(-t / 0.075))
    return faded(velocity * (shell + 0.55 * velocity**0.5 * wires), 0.0005, 0.05)


def _clap(velocity: float, rng: np.random.Generator) -> Samples:
    t = seconds(to_samples(0.28))
    hands = sum(np.where(t >= at, np.exp(-(t - at).clip(0) / 0.006), 0) for at in (0.0, 0.011, 0.021))
    tail = np.where(t >= 0.03, np.exp(-(t - 0.03).clip(0) / 0.08), 0)
    return faded(0.2 * velocity * _noise(0.28, 900, 3200, rng) * (hands + 0.8 * tail), 0.001, 0.05)


def _cymbal(length_s: float, rng: np.random.Generator) -> Samples:
    """Six square waves and noise above 7 kHz, RMS 1."""
    t = seconds(to_samples(length_s))
    metal = sum(np.sign(np.sin(2 * np.pi * (8.03 * hz * t + rng.uniform()))) for hz in _CYMBAL_HZ)
    sound = equalised(metal / 2.4 + 0.8 * rng.standard_normal(len(t)), 7500, 15_000)
    return np.asarray(sound / np.std(sound))


def _closed_hat(velocity: float, rng: np.random.Generator) -> Samples:
    t = seconds(to_samples(0.11))
    return faded(0.26 * velocity * _cymbal(0.11, rng) * np.exp(-t / (0.012 + 0.018 * velocity)), 0.0005, 0.02)


def _open_hat(velocity: float, rng: np.random.Generator) -> Samples:
    t = seconds(to_samples(0.3))
    return faded(0.22 * velocity * _cymbal(0.3, rng) * np.exp(-t / 0.17), 0.001, 0.05)


def _shaker(velocity: float, rng: np.random.Generator) -> Samples:
    return faded(0.12 * velocity * _noise(0.075, 5000, 12_000, rng), 0.025, 0.045)


def _tom(velocity: float, rng: np.random.Generator) -> Samples:
    t = seconds(to_samples(0.4))
    pitch_hz = (150 - 55 * velocity) * (1 + 0.5 * np.exp(-t / 0.03))
    skin = np.sin(2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ) * np.exp(-t / 0.14)
    stick = 0.12 * _noise(0.4, 800, 5000, rng) * np.exp(-t / 0.008)
    return faded(0.75 * velocity * (skin + stick), 0.0005, 0.08)


def _crash(velocity: float, rng: np.random.Generator) -> Samples:
    t = seconds(to_samples(2.6))
    wash = _noise(2.6, 2500, 12_000, rng) * np.exp(-t / 0.75) + _cymbal(2.6, rng) * np.exp(-t / 0.4)
    return faded(0.14 * velocity * wash, 0.002, 0.5)
