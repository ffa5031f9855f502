from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.demo.phonemes import CONSONANTS, VOWELS
from rtsep.demo.score import SECTIONS, compose
from rtsep.demo.voice import spoken

seeds = st.integers(0, 10_000)


@given(seeds)
def test_melody_is_singable(seed):
    score = compose(seed)
    for note, following in pairwise(score.melody):
        assert note.start_s < note.end_s <= following.start_s + 1e-9
        assert abs(following.midi - note.midi) <= 12
    for note in score.melody:
        assert SECTIONS[note.bar] in ("verse", "chorus")
        assert (note.midi - score.tonic_midi) % 12 in score.scale
        assert set(note.phonemes) <= VOWELS.keys() | CONSONANTS.keys()
    assert score.melody[-1].end_s < score.length_s
    assert len(score.chords) == len(SECTIONS)


@given(seeds)
def test_postures_follow_one_another(seed):
    starts_s = [segment.start_s for segment in spoken(compose(seed).melody)]
    assert starts_s == sorted(starts_s)


@given(seeds)
def test_vowels_start_on_the_beat(seed):
    melody = compose(seed).melody
    vowels = {phone.formants_hz for phones in VOWELS.values() for phone in phones}
    on_beat = {s.start_s for s in spoken(melody) if s.phone.formants_hz in vowels and s.phone.length_s == 0}
    assert {note.start_s for note in melody} <= on_beat


@given(seeds)
def test_strokes_are_in_order_and_inside_the_song(seed):
    score = compose(seed)
    starts_s = [hit.start_s for hit in score.hits()]
    assert starts_s == sorted(starts_s)
    assert starts_s[0] == score.time_s(2, 0)
    assert starts_s[-1] == score.time_s(len(SECTIONS) - 1, 0) < score.length_s


@pytest.mark.parametrize(
    "what", ["tempo_bpm", "tonic_midi", "chords", "melody", "tract", "brightness", "groove"]
)
def test_songs_differ(what):
    assert len({getattr(compose(seed), what) for seed in range(8)}) > 2
