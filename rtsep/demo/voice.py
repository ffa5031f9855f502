"""The singer: a glottal pulse train and noise, through a throat of sixteen moving formants.

The written melody becomes a row of segments, one posture of the mouth each; the row becomes tracks of
control values at the frame rate; smoothing the tracks is the inertia of tongue, lips and pitch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rtsep.demo.phonemes import CONSONANTS, INHALE, SILENCE, VOWELS, Phone
from rtsep.demo.score import Note
from rtsep.demo.sound import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    Samples,
    filter_moving,
    midi_to_hz,
    n_frames,
    oscillate,
    poles,
    smooth,
    to_audio_rate,
    to_samples,
)

_BANDWIDTHS_HZ = (80.0, 95.0, 150.0, 220.0, 300.0)  # Klatt 1980, a little wider
# The fourth and fifth lie close to the third, as in singers (Sundberg 1974); then one a kilohertz (Fant 1960).
_HIGH_HZ = (3300.0, 3850.0, *np.arange(5000.0, 16_000.0, 1000.0))
_OPEN_QUOTIENT = 0.62
_INHALE_S = 0.28
_LEAST_GAP_S = 0.05  # shorter rests are sung through


@dataclass(frozen=True)
class Segment:
    """A posture held from ``start_s`` until the next segment; ``note`` sets the pitch."""

    start_s: float
    phone: Phone
    note: Note


Posture = Callable[[Segment], "float | tuple[float, ...]"]
Track = Callable[[Posture], Samples]  # a value of each segment -> its value at each frame


def sing(melody: Sequence[Note], tract: float, rng: np.random.Generator) -> tuple[Samples, int]:
    """The sung line, mono, dry, about 0.1 RMS while it sounds, and the sample of the song at which it starts.

    ``tract`` scales the formants.
    """
    segments = spoken(melody)
    start, end = to_samples(melody[0].start_s - 0.6), to_samples(melody[-1].end_s + 0.2)
    n_samples = end - start
    time_s = (start + np.arange(n_frames(n_samples)) * HOP_SAMPLES) / SAMPLE_RATE_HZ
    which = np.maximum(np.searchsorted([s.start_s for s in segments], time_s, side="right") - 1, 0)

    def track(value: Posture) -> Samples:
        return np.array([value(segment) for segment in segments])[which]

    voice = smooth(track(lambda s: s.phone.voice), 0.035) * _swell(track, time_s, rng)
    breath = smooth(track(lambda s: s.phone.breath), 0.03) * (0.4 + voice)
    pulses = oscillate(_glottis(), to_audio_rate(midi_to_hz(_pitch(track, time_s, rng)), n_samples))
    air = rng.standard_normal(n_samples) * (
        0.5 + np.clip(pulses, 0, None)
    )  # the open glottis lets more through
    source = pulses * to_audio_rate(voice, n_samples) + air * to_audio_rate(breath, n_samples)
    line = _even(filter_moving(source, *_throat(track, tract, voice))) + _hiss(track, n_samples, rng)
    return line, start


def spoken(melody: Sequence[Note]) -> list[Segment]:
    """The postures of all syllables: vowels begin on the beat, their consonants before it."""
    segments = [Segment(-1.0, SILENCE, melody[0])]
    parts = [_syllable(note.phonemes) for note in melody]
    attacks_s = [note.start_s - _length_s(onset) for note, (onset, _) in zip(melody, parts, strict=True)]
    segments += _rest(-1.0, attacks_s[0], parts[0][0] + parts[0][1], melody[0])
    for k, (note, (onset, rime)) in enumerate(zip(melody, parts, strict=True)):
        segments += _in_a_row(attacks_s[k], onset, note)
        next_s = attacks_s[k + 1] if k + 1 < len(melody) else np.inf
        end_s = note.end_s if next_s - note.end_s > _LEAST_GAP_S else next_s
        nucleus, tail = rime[0], rime[1:]
        tail_s = min(_length_s(tail), 0.6 * (end_s - note.start_s))
        segments.append(Segment(note.start_s, nucleus, note))
        segments += _in_a_row(end_s - tail_s, tail, note, tail_s)
        if k + 1 == len(melody):
            segments.append(Segment(end_s, SILENCE, note))
        elif end_s < next_s:
            segments += _rest(end_s, next_s, parts[k + 1][0] + parts[k + 1][1], melody[k + 1])
    return segments


def _syllable(phonemes: Sequence[str]) -> tuple[list[Phone], list[Phone]]:
    """Onset and rime; the first vowel lasts as long as the note, all else has a length of its own."""
    first = next(k for k, name in enumerate(phonemes) if name in VOWELS)
    onset = [phone for name in phonemes[:first] for phone in CONSONANTS[name]]
    rime = list(VOWELS[phonemes[first]])
    for name in phonemes[first + 1 :]:
        glide = name in VOWELS  # the second half of a diphthong
        rime += [replace(VOWELS[name][0], voice=0.85, length_s=0.13)] if glide else CONSONANTS[name]
    if onset and onset[-1].breath > 0.1:  # h is a whispered vowel
        onset[-1] = replace(onset[-1], formants_hz=rime[0].formants_hz)
    return onset, rime


def _length_s(phones: Sequence[Phone]) -> float:
    return sum(phone.length_s for phone in phones)


def _in_a_row(
    start_s: float, phones: Sequence[Phone], note: Note, total_s: float | None = None
) -> list[Segment]:
    row, scale = [], 1.0 if total_s is None or not phones else total_s / _length_s(phones)
    for phone in phones:
        row.append(Segment(start_s, phone, note))
        start_s += scale * phone.length_s
    return row


def _rest(start_s: float, end_s: float, coming: Sequence[Phone], note: Note) -> list[Segment]:
    """Silence with the mouth and the pitch ready for what comes, and a breath where there is time for one."""
    quiet = replace(SILENCE, formants_hz=coming[0].formants_hz)
    rest = [Segment(start_s, quiet, note)]
    if end_s - start_s > 1.5 * _INHALE_S:
        rest.append(Segment(end_s - _INHALE_S - 0.06, INHALE, note))
        rest.append(Segment(end_s - 0.06, quiet, note))
    return rest


def _glottis(n_harmonics: int = 200) -> npt.NDArray[np.complexfloating]:
    """Harmonics of the derivative of the glottal flow t² − t³ (KLGLOTT88; Klatt and Klatt 1990)."""
    at = np.arange(4096) / 4096 / _OPEN_QUOTIENT
    flow = np.where(at < 1, 2 * at - 3 * at**2, 0.0)
    return np.asarray(np.fft.rfft(flow)[1 : n_harmonics + 1] / 2048)


def _pitch(track: Track, time_s: Samples, rng: np.random.Generator) -> Samples:
    """MIDI pitch at each frame: glides between notes, a scoop, late vibrato, drift and jitter."""
    age_s = time_s - track(lambda s: s.note.start_s)
    left_s = track(lambda s: s.note.end_s) - time_s
    depth = 0.38 * track(_is_long) * np.clip((age_s - 0.22) / 0.35, 0, 1) * np.clip(left_s / 0.1, 0, 1)
    rate_hz = 5.5 + 3.0 * smooth(rng.standard_normal(len(time_s)), 0.5) / np.sqrt(2)
    vibrato = smooth(depth, 0.1) * np.sin(2 * np.pi * np.cumsum(rate_hz) * HOP_SAMPLES / SAMPLE_RATE_HZ)
    scoop = -0.5 * np.exp(-np.maximum(age_s + 0.03, 0) / 0.045)
    drift = 0.6 * smooth(rng.standard_normal(len(time_s)), 0.4)
    jitter = 0.04 * rng.standard_normal(len(time_s))
    return smooth(track(lambda s: float(s.note.midi)) + scoop, 0.09) + vibrato + drift + jitter


def _is_long(segment: Segment) -> float:
    return float(segment.note.end_s - segment.note.start_s > 0.4)


def _swell(track: Track, time_s: Samples, rng: np.random.Generator) -> Samples:
    """Loudness of the voice: each note its own, long ones swell and yield; shimmer on top."""
    left_s = track(lambda s: s.note.end_s) - time_s
    place = 1 - left_s / track(lambda s: s.note.end_s - s.note.start_s)
    arch = 0.82 + 0.18 * np.sin(np.pi * np.clip(place, 0, 1) ** 0.8)
    arch *= 1 - 0.6 * track(_is_long) * np.clip(1 - left_s / 0.16, 0, 1)  # lets go, does not cut off
    stress = track(lambda s: 0.85 + 0.15 * min(s.note.end_s - s.note.start_s, 1.0))
    return smooth(arch * stress, 0.08) * (1 + 0.03 * rng.standard_normal(len(time_s)))


def _throat(track: Track, tract: float, voice: Samples) -> tuple[list[Samples], Samples]:
    """Denominators and numerator of the vocal tract at each frame; loud voices are bright."""
    low = smooth(track(lambda s: s.phone.formants_hz), 0.07)
    n = len(low)
    high = tract * np.array([_HIGH_HZ])
    high_widths = np.array([_BANDWIDTHS_HZ[3:] + tuple(0.1 * hz for hz in _HIGH_HZ[2:])])
    tilt_hz = 2 * (3500.0 + 5000.0 * voice)
    nasal_hz = 270 + 180 * smooth(track(lambda s: float(s.phone.nasal)), 0.05)  # Klatt's moving zero
    frequency = np.column_stack((low * tract, np.full(n, 270.0), np.zeros(n)))
    bandwidth = np.column_stack((np.tile(_BANDWIDTHS_HZ[:3], (n, 1)), np.full(n, 100.0), tilt_hz))
    still = [poles(high[:, k::2], high_widths[:, k::2]) for k in (0, 1)]
    return [poles(frequency, bandwidth), *still], poles(nasal_hz[:, None], np.full((n, 1), 100.0))


def _even(voice: Samples) -> Samples:
    """Level the line to about 0.1 RMS, with a quarter of its dynamics in dB, as every engineer does."""
    power = smooth(np.add.reduceat(voice**2, np.arange(0, len(voice), HOP_SAMPLES)) / HOP_SAMPLES, 0.12)
    mean = np.mean(power[power > 1e-2 * power.max()])
    gain = 0.1 / np.sqrt(mean) * (power / mean + 0.02) ** -0.38
    return voice * to_audio_rate(gain, len(voice))


def _hiss(track: Track, n_samples: int, rng: np.random.Generator) -> Samples:
    """Fricatives and bursts: noise through a band of two resonators, without the throat."""
    level = smooth(track(lambda s: s.phone.hiss), 0.016)
    frequency = smooth(track(lambda s: s.phone.hiss_hz), 0.02)[:, None]
    width = smooth(track(lambda s: s.phone.hiss_width_hz), 0.02)[:, None]
    noise = rng.standard_normal(n_samples) * to_audio_rate(0.5 * level, n_samples)
    radius = np.exp(-np.pi * width[:, 0] / SAMPLE_RATE_HZ)
    band = np.repeat(frequency, 2, axis=1), np.repeat(width, 2, axis=1)
    denominator = poles(*band)
    denominator /= denominator[:, :1]  # monic, so that the zeros at both ends set the peak near 1
    gain = ((1 - radius) ** 2)[:, None]
    return filter_moving(noise, [denominator], gain * np.array([1.0, 0.0, -2.0, 0.0, 1.0]))
