"""The composition as data: tempo, chords, melody with words, drum patterns.

Seed 0 is written by hand. Other seeds are composed by the same rules (diatonic chords, a melody that prefers
steps and meets the chord on long notes), so that a few songs differ in everything that can be heard.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

MAJOR, DORIAN, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 9, 10), (0, 2, 3, 5, 7, 8, 10)

SECTIONS = ("intro",) * 4 + ("verse",) * 4 + ("chorus",) * 8 + ("outro",) * 2  # one name a bar
BEATS_PER_BAR = 4

# Beat in the section, length in beats, degree of the scale (0 = the tonic), phonemes of one syllable.
VERSE = """
 0.50 0.50  4 s ih l     | 1.00 0.50  5 v er   | 1.50 1.00  7 m uw n | 2.50 0.50 6 ah
 3.00 0.75  5 b ah v     | 3.75 0.50  4 dh ah  | 4.50 2.00  5 s iy
 8.50 0.50  2 s ih ng    | 9.00 0.50  4 ah     | 9.50 0.50  7 l ih   | 10.0 0.50 7 t el
10.50 1.25  8 s ao ng    | 11.75 0.5  7 f ao r | 12.5 2.25  6 m iy
"""
CHORUS = """
 0.00 1.50  9 ow         | 1.50 0.50  8 r ah n | 2.00 0.50  7 ah     | 2.50 2.25 8 w eh ih
 5.50 0.50  7 ih n       | 6.00 0.50  8 t uw   | 6.50 0.50  8 dh ah  | 7.00 2.50 9 l aa ih t
10.00 0.50  7 w iy       | 10.5 0.50  8 w ih l | 11.0 0.50  9 b iy   | 11.5 1.50 9 hh ow m
13.00 0.50  8 t uw       | 13.5 2.00  7 n aa ih t
16.00 1.50 11 ow         | 17.5 0.50  9 s ih ng| 18.0 0.50  7 ah     | 18.5 2.25 8 l ao ng
21.50 0.50  8 ah n       | 22.0 0.50  9 t ih l | 22.5 0.50 10 dh ah  | 23.0 2.50 9 d ao n
26.00 0.50  7 w iy       | 26.5 0.50  7 w ih l | 27.0 0.50  8 b iy   | 27.5 1.50 9 hh ow m
29.00 0.50  8 t uw       | 29.5 2.40  7 n aa ih t
"""
SYLLABLES = """
s ih l, m uw n, ah, dh ah, s iy, l ih, s ao ng, f ao r, m iy, ow, r ah n, w eh ih, t uw, l aa ih t, hh ow m, n ow
n aa ih t, d eh ih, sh aa ih n, g ow, k ah m, b ae k, t ae l, y uw, hh aa r t, f iy l, l ah v, d aa n s, sh iy
p l eh ih, s t aa r, z ow n, w er, s uh n, k ax n
"""
# Beats at which the syllables of a phrase of two bars start, and the beat at which the last one ends.
RHYTHMS = (
    (0.5, 1.0, 1.5, 2.5, 3.0, 3.75, 4.5, 6.5),
    (0.0, 1.5, 2.0, 2.5, 5.0),
    (0.0, 0.5, 1.0, 1.5, 3.0, 3.5, 4.0, 6.0),
    (1.0, 1.5, 2.0, 2.75, 3.5, 4.5, 6.75),
    (0.5, 1.0, 2.0, 2.5, 4.0, 4.5, 5.0, 7.0),
)
PROGRESSIONS = ((5, 3, 0, 4), (0, 4, 5, 3), (3, 4, 2, 5), (0, 2, 3, 4), (5, 1, 3, 4), (0, 5, 3, 4))

# Sixteenths of a bar; the digit is the velocity, 9 = full.
GROOVES = (
    {"kick": "9.....6.8..5....", "snare": "....9..2.2..9..2", "hat": "7.4.7.4.7.4.7.4."},
    {"kick": "9..6....8.5.....", "snare": "....9.......9...", "hat": "7434743474347434"},
    {"kick": "9...8...9...8...", "snare": "....9.......9..3", "hat": "..7...7...7...7."},
)
CHORUS_LAYERS = {"open": "......6.......6.", "shaker": "4243424342434243", "clap": "....8.......8..."}
FILL = {
    "kick": "9.....6.9.......",
    "snare": "....9..2.468....",
    "tom": "...........46789",
    "hat": "7.4.7.4.........",
}
FINAL = {"kick": "9...............", "crash": "9..............."}


@dataclass(frozen=True)
class Note:
    """One sung syllable; ``phonemes`` are names of the tables in ``phonemes.py``."""

    start_s: float
    end_s: float
    midi: int
    phonemes: tuple[str, ...]
    bar: int


@dataclass(frozen=True)
class Hit:
    """One stroke on the drum set, as written; the drummer is a little early or late."""

    start_s: float
    piece: str
    velocity: float


@dataclass(frozen=True)
class Score:
    """A whole song; times are exact, players make them human."""

    seed: int
    tempo_bpm: float
    swing: float  # how far the second of two sixteenths is late, in sixteenths
    tonic_midi: int  # the lowest tonic of the singer
    scale: tuple[int, ...]
    chords: tuple[int, ...]  # degree of the root, one a bar
    groove: int
    tract: float  # length scale of the singer's formants: 1 a man's, 1.17 a woman's
    brightness: float  # of keys and pad, 0..1
    melody: tuple[Note, ...] = ()

    @property
    def bar_s(self) -> float:
        """Length of a bar."""
        return BEATS_PER_BAR * 60 / self.tempo_bpm

    @property
    def length_s(self) -> float:
        """Length of the song, the last chord's ring included."""
        return len(SECTIONS) * self.bar_s

    def time_s(self, bar: int, sixteenth: int) -> float:
        """When a sixteenth of a bar sounds, swing included."""
        return (bar + (sixteenth + self.swing * (sixteenth % 2)) / 16) * self.bar_s

    def midi(self, degree: int) -> int:
        """Pitch of a degree of the scale above the singer's tonic; 7 is the octave."""
        return self.tonic_midi + 12 * (degree // 7) + self.scale[degree % 7]

    def hits(self) -> list[Hit]:
        """All strokes of the drums, in order of time."""
        strokes = []
        for bar in range(2, len(SECTIONS)):  # two bars for the keys alone
            for piece, row in self._drum_rows(bar).items():
                for step, mark in enumerate(row):
                    if mark != ".":
                        strokes.append(Hit(self.time_s(bar, step), piece, int(mark) / 9))
        return sorted(strokes, key=lambda hit: hit.start_s)

    def _drum_rows(self, bar: int) -> dict[str, str]:
        last = bar + 1 == len(SECTIONS)
        if last:
            return FINAL
        rows = dict(GROOVES[self.groove])
        if SECTIONS[bar] == "chorus":
            rows |= CHORUS_LAYERS
        if SECTIONS[bar + 1] != SECTIONS[bar] or bar + 2 == len(SECTIONS):
            rows |= FILL
        if SECTIONS[bar - 1] != SECTIONS[bar] or bar in (2, 12):
            rows["crash"] = "8..............."
        return rows


def compose(seed: int) -> Score:
    """The score of a seed; 0 is the demo song."""
    if seed == 0:
        chords = (5, 3, 0, 4) * 2 + (3, 4, 2, 5, 3, 4, 0, 0) + (3, 0)
        score = Score(0, 108.0, 0.12, 50, MAJOR, chords, groove=0, tract=1.0, brightness=0.5)
        return _sung(score, _written(VERSE, 4) + _written(CHORUS, 8))
    rng = np.random.default_rng((seed, 1))
    verse, chorus = (PROGRESSIONS[k] for k in rng.permutation(len(PROGRESSIONS))[:2])
    scale = (MAJOR, DORIAN, MINOR)[rng.integers(3)]
    tract = float(rng.choice([1.0, 1.16])) * rng.uniform(0.97, 1.03)
    score = Score(
        seed,
        tempo_bpm=float(rng.integers(92, 124)),
        swing=rng.uniform(0.0, 0.3),
        tonic_midi=int(rng.integers(46, 51)) + (5 if tract > 1.08 else 0),
        scale=scale,
        chords=verse + verse + chorus + chorus[:2] + (chorus[2], 0) + (3, 0),
        groove=int(rng.integers(len(GROOVES))),
        tract=tract,
        brightness=rng.uniform(),
    )
    return _sung(score, _improvised(score, rng))


Line = tuple[float, float, int, tuple[str, ...]]  # beat in the song, length in beats, degree, phonemes


def _written(text: str, first_bar: int) -> list[Line]:
    cells = [cell.split() for line in text.strip().splitlines() for cell in line.split("|")]
    return [(first_bar * BEATS_PER_BAR + float(b), float(n), int(d), tuple(p)) for b, n, d, *p in cells]


def _improvised(score: Score, rng: np.random.Generator) -> list[Line]:
    syllables = [tuple(s.split()) for line in SYLLABLES.strip().splitlines() for s in line.split(",")]
    lines: list[Line] = []
    degree = int(rng.integers(3, 6))
    for bar in range(4, 16, 2):
        if bar in (4, 8):  # verse and chorus each keep two rhythms
            pair = rng.permutation(len(RHYTHMS))[:2]
        rhythm = RHYTHMS[pair[bar // 2 % 2]]
        centre = 4 if bar < 8 else 7
        for start, end in pairwise(rhythm):
            chord = score.chords[bar + int(start >= BEATS_PER_BAR)]
            degree = _next_degree(degree, chord, centre, end - start, rng)
            lines.append(
                (bar * BEATS_PER_BAR + start, end - start, degree, syllables[rng.integers(len(syllables))])
            )
    return lines


def _next_degree(degree: int, chord: int, centre: int, length: float, rng: np.random.Generator) -> int:
    choices = np.arange(max(degree - 4, 0), min(degree + 4, 11) + 1)
    in_chord = np.isin((choices - chord) % 7, (0, 2, 4))
    wish = (
        -0.5 * np.abs(choices - degree)
        - 0.12 * (choices - centre) ** 2
        + in_chord * (2.0 if length >= 1 else 0.7)
    )
    odds = np.exp(wish) * np.where(choices == degree, 0.5, 1.0)
    return int(rng.choice(choices, p=odds / odds.sum()))


def _sung(score: Score, lines: list[Line]) -> Score:
    beat_s = 60 / score.tempo_bpm
    melody = tuple(
        Note(
            beat * beat_s, (beat + length) * beat_s, score.midi(degree), phonemes, int(beat // BEATS_PER_BAR)
        )
        for beat, length, degree, phonemes in lines
    )
    return replace(score, melody=melody)
