"""Bass and keys: they read the chords of the score and play in its groove."""

from __future__ import annotations

import numpy as np

from rtsep.demo.score import SECTIONS, Score
from rtsep.demo.sound import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    Samples,
    equalised,
    faded,
    filter_moving,
    midi_to_hz,
    n_frames,
    oscillate,
    panned,
    place,
    poles,
    reverberated,
    sawtooth,
    seconds,
    smooth,
    to_audio_rate,
    to_samples,
)

# Sixteenth, length in sixteenths, step: r root, o octave, f fifth, p passing note to the next bar.
_BASS = {
    "intro": ((0, 6, "r"), (6, 8, "r"), (14, 2, "p")),
    "verse": ((0, 5, "r"), (6, 2, "r"), (8, 3, "f"), (11, 2, "o"), (14, 2, "p")),
    "chorus": ((0, 3, "r"), (3, 2, "r"), (6, 2, "o"), (8, 2, "r"), (10, 3, "r"), (13, 1, "f"), (14, 2, "p")),
    "outro": ((0, 6, "r"), (6, 8, "r"), (14, 2, "p")),
}
# Sixteenth, length, velocity of the electric piano's chords.
_COMPING = {
    "intro": ((0, 7, 0.7), (7, 8, 0.5)),
    "verse": ((0, 5, 0.6), (6, 3, 0.45), (11, 4, 0.55)),
    "chorus": ((0, 3, 0.8), (3, 3, 0.6), (6, 5, 0.75), (11, 2, 0.5), (13, 3, 0.6)),
    "outro": ((0, 7, 0.7), (7, 8, 0.55)),
}
_ARPEGGIO = (0, 1, 2, 3, 4, 3, 2, 1, 0, 2, 1, 3, 2, 4, 3, 1)  # which chord tone on each sixteenth
_LAST = len(SECTIONS) - 1


def play_bass(score: Score, n_samples: int, rng: np.random.Generator) -> Samples:
    """The bass stem, mono ``(samples,)``: saw and sine through a low-pass that opens at every note."""
    n = n_frames(n_samples)
    pitch, level, bright = np.full(n, float(_root(score, 1))), np.zeros(n), np.zeros(n)
    for bar in range(1, len(SECTIONS)):
        row = ((0, 12, "r"),) if bar == _LAST else _BASS[SECTIONS[bar]]
        for step, length, kind in row:
            start_s = score.time_s(bar, step) + 0.002 * rng.standard_normal()
            first, last = (
                round(s * SAMPLE_RATE_HZ / HOP_SAMPLES)
                for s in (start_s, start_s + length * score.bar_s / 16)
            )
            age_s = np.arange(len(level[first:last])) * HOP_SAMPLES / SAMPLE_RATE_HZ
            velocity = rng.uniform(0.8, 1.0)
            pitch[first:] = _bass_pitch(score, bar, kind)
            level[first : last - 3] = velocity * np.exp(-age_s / 1.2)[: max(last - 3 - first, 0)]
            bright[first:last] = velocity * np.exp(-age_s / 0.16)
    hz = to_audio_rate(midi_to_hz(smooth(pitch, 0.03)), n_samples)
    wave = 0.5 * oscillate(sawtooth(), hz) + 0.55 * oscillate(np.array([-1j]), hz)
    wave *= to_audio_rate(smooth(level, 0.02), n_samples)
    cutoff = (220 + (700 + 900 * score.brightness) * smooth(bright, 0.02))[:, None]
    return equalised(filter_moving(wave, [poles(cutoff, 0.9 * cutoff)]), 35, 6000)


def play_keys(score: Score, n_samples: int, rng: np.random.Generator) -> Samples:
    """The stem of all else, ``(2, samples)``: electric piano, pad, arpeggio and their hall."""
    voicings = _voice_led(score)
    piano = _ensemble(_piano(score, voicings, n_samples, rng), rng)
    pad = _pad(score, voicings, n_samples, rng)
    arpeggio = _plucks(score, voicings, n_samples, rng)
    dry = piano + 0.55 * pad + 0.6 * arpeggio
    wet = reverberated(0.6 * piano + 0.7 * pad + arpeggio, rng, 1.9, 0.02)
    return equalised(dry + 0.3 * wet, 110, 16_000, tilt_db=0.8)


def _root(score: Score, bar: int) -> int:
    """The root of a bar's chord, between C1 + 4 and an octave above."""
    return 28 + (score.midi(score.chords[bar]) - 28) % 12


def _bass_pitch(score: Score, bar: int, kind: str) -> int:
    root = _root(score, bar)
    if kind == "p":  # one step of the scale below or above where it leads
        goal = _root(score, min(bar + 1, _LAST))
        inside = {(score.tonic_midi + step) % 12 for step in score.scale}
        side = -1 if goal >= root else 1
        return next(goal + side * k for k in (1, 2, 3) if (goal + side * k) % 12 in inside)
    return root + {"r": 0, "o": 12, "f": 7}[kind]


def _voice_led(score: Score) -> list[tuple[int, ...]]:
    """Four notes a bar, each chord in the inversion nearest to the one before."""
    voicings: list[tuple[int, ...]] = []
    before: tuple[int, ...] = (57, 61, 64, 68)
    for chord in score.chords:
        classes = [score.midi(chord + third) % 12 for third in ((0, 2, 4, 8) if chord == 0 else (0, 2, 4, 6))]
        choices = [tuple(sorted(low + (c - low) % 12 for c in classes)) for low in range(52, 61)]
        before = min(choices, key=lambda notes: sum(abs(a - b) for a, b in zip(notes, before, strict=True)))
        voicings.append(before)
    return voicings


def _piano(
    score: Score, voicings: list[tuple[int, ...]], n_samples: int, rng: np.random.Generator
) -> Samples:
    track = np.zeros((2, n_samples))
    for bar, notes in enumerate(voicings):
        row = ((0, 16, 0.8),) if bar == _LAST else _COMPING[SECTIONS[bar]]
        for step, length, velocity in row:
            for k, midi in enumerate(notes):
                start_s = (
                    score.time_s(bar, step) + 0.006 * k * (step == 0) + abs(0.004 * rng.standard_normal())
                )
                sound = _tine(
                    midi, length * score.bar_s / 16, velocity * rng.uniform(0.85, 1.0), score.brightness
                )
                place(track, panned(sound, (k - 1.5) / 4), to_samples(start_s))
    return track


def _tine(midi: int, length_s: float, velocity: float, brightness: float) -> Samples:
    """One note of an electric piano by frequency modulation (Chowning 1973)."""
    t = seconds(to_samples(length_s + 0.15)).astype(np.float32)
    turn = 2 * np.pi * float(midi_to_hz(midi)) * t
    index = (0.5 + 1.3 * brightness) * velocity * np.exp(-t / 0.5) + 0.15
    bell = 0.22 * velocity * np.exp(-t / 0.12) * np.sin(14 * turn)
    sound = np.sin(turn + index * np.sin(turn) + bell) * np.exp(-t / 1.4)
    return faded(0.2 * velocity * sound, 0.003, 0.12)


def _pad(score: Score, voicings: list[tuple[int, ...]], n_samples: int, rng: np.random.Generator) -> Samples:
    """A string-like wash: harmonics as narrow bands of random phase (PADsynth, Nasca Octavian Paul)."""
    track = np.zeros((2, n_samples))
    n = 1 << to_samples(score.bar_s + 0.5).bit_length()
    hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ)
    for bar in [k for k, name in enumerate(SECTIONS) if name in ("chorus", "outro")]:
        level = np.zeros(len(hz))
        for midi in voicings[bar]:
            for harmonic in range(1, 40):
                centre = float(midi_to_hz(midi)) * harmonic
                width = 0.006 * centre
                near = slice(*np.searchsorted(hz, (centre - 4 * width, centre + 4 * width)))
                fall = harmonic ** -(1.8 - 0.7 * score.brightness)
                level[near] += fall / np.sqrt(width) * np.exp(-(((hz[near] - centre) / width) ** 2))
        phases = np.exp(2j * np.pi * rng.uniform(size=(2, len(hz))))
        sound = np.fft.irfft(level * phases)[:, : to_samples(score.bar_s + 0.4)]
        place(track, faded(0.09 * sound / np.std(sound), 0.12, 0.45), to_samples(score.time_s(bar, 0)))
    return track


def _plucks(
    score: Score, voicings: list[tuple[int, ...]], n_samples: int, rng: np.random.Generator
) -> Samples:
    """Sixteenths over the chord an octave up, with an echo that crosses sides after three of them."""
    track = np.zeros((2, n_samples))
    sounds: dict[int, Samples] = {}
    for bar in [k for k, name in enumerate(SECTIONS) if name in ("intro", "chorus")]:
        ladder = [note + 12 for note in voicings[bar]] + [voicings[bar][0] + 24]
        for step, rung in enumerate(_ARPEGGIO):
            midi = ladder[rung]
            if midi not in sounds:
                sounds[midi] = _pluck(midi, score.brightness)
            velocity = (1.0 if step % 4 == 0 else 0.65) * rng.uniform(0.8, 1.0)
            for echo, side in enumerate((0.15, -0.7, 0.7)):
                at_s = score.time_s(bar, step) + echo * 3 * score.bar_s / 16
                place(track, panned(velocity * 0.4**echo * sounds[midi], side), to_samples(at_s))
    return track


def _pluck(midi: int, brightness: float) -> Samples:
    t = seconds(to_samples(0.5))
    hz = float(midi_to_hz(midi))
    slope = 1.2 - 0.5 * brightness
    tones = (np.sin(2 * np.pi * k * hz * t) * np.exp(-t * (5 + 3 * k)) / k**slope for k in range(1, 11))
    return faded(0.09 * np.sum(list(tones), axis=0), 0.002, 0.1)


def _ensemble(sound: Samples, rng: np.random.Generator) -> Samples:
    """A stereo chorus: each side and itself 12 ms later, give or take 2.5, sides in opposite phase."""
    at = np.arange(sound.shape[1], dtype=float)
    swing = 2.5 * np.sin(2 * np.pi * (0.7 * at / SAMPLE_RATE_HZ + rng.uniform()))
    delayed = [
        np.interp(at - (12 + sign * swing) * SAMPLE_RATE_HZ / 1000, at, side)
        for sign, side in zip((1, -1), sound, strict=True)
    ]
    return 0.75 * sound + 0.55 * np.stack(delayed)
