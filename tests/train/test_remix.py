from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from small_training import REMIX, small_recipe, tone, write_song

from rtsep.errors import TrainingError
from rtsep.train import effects
from rtsep.train.library import read_library
from rtsep.train.recipe import Recipe
from rtsep.train.remix import RemixSegments
from rtsep.train.songs import find_songs
from rtsep.train.sounds import make_sound, read_sound


def remix(songs, extra=None, seed=0, **changes):
    recipe = Recipe.model_validate(small_recipe(data={**REMIX, "eq_db": 0, **changes}))
    library = read_library(find_songs(songs, ("vocals",)), recipe.data, extra, "vocals", 8000)
    return RemixSegments(library, recipe.model, recipe.data, batch_size=8, seed=seed)


def powers(segments, n_batches=20):
    """Power of voice and backing of each segment."""
    pairs = []
    for number in range(n_batches):
        batch = segments.batch(number)
        voice, backing = batch.stems[0], batch.mixture - batch.stems[0]
        pairs += [
            (v.abs().square().sum().item(), b.abs().square().sum().item())
            for v, b in zip(voice, backing, strict=True)
        ]
    return np.array(pairs)


def test_shares_and_levels(songs):
    pairs = powers(remix(songs, reverb_share=0))
    silent_voice, alone = pairs[:, 0] == 0, pairs[:, 1] < 1e-6 * pairs[:, 0]
    assert np.mean(silent_voice) == pytest.approx(0.2, abs=0.1)
    assert np.mean(alone) == pytest.approx(0.1, abs=0.07)
    voice, backing = pairs[~silent_voice & ~alone].T
    ratio_db = 10 * np.log10(voice / backing)
    assert ratio_db.min() > -21  # the frames taper the segment's ends: not to the last decibel
    assert ratio_db.max() < 7
    assert np.ptp(ratio_db) > 20


def test_seeds_and_numbers_decide(songs):
    same = [remix(songs, seed=3).batch(5).mixture for _ in range(2)]
    assert (same[0] == same[1]).all()
    assert not (remix(songs, seed=4).batch(5).mixture == same[0]).all()
    assert not (remix(songs, seed=3).batch(6).mixture == same[0]).all()


def test_one_songs_voice_and_backing_stay_together(songs):
    segments = remix(songs, same_song_share=1, voice_semitones=[0])
    voice, backing = segments._one_song(np.random.default_rng(2))
    spectrum = np.abs(np.fft.rfft(voice[0]))
    peak_hz = spectrum.argmax() * 8000 / voice.shape[1]
    high = np.abs(np.fft.rfft(backing[0]))
    has_other = high[round(2000 * voice.shape[1] / 8000)] > 20 * np.median(high)
    assert has_other == (abs(peak_hz - 500) < 10)  # only the song at 500 Hz has something at 2 kHz


def test_single_sounds_join_as_voices_and_layers(songs, tmp_path):
    extra = tmp_path / "extra"
    write_song(extra / "vocals", choir_1=tone(300, 1), choir_2=tone(310, 1))
    write_song(extra / "drums", kit_1=tone(100, 1), machine_1=tone(90, 1), bad_1=tone(80, 1))
    library = remix(songs, extra, leave_out=["bad*"])._library
    assert [voice.sounds[0].n_samples for voice in library.extra_voices] == [16000]
    assert Counter(layer.stem for layer in library.layers) == {"drums": 4, "other": 1}
    assert library.n_seconds == pytest.approx(5 * 3 + 4)


def test_without_a_voice_or_without_backing(tmp_path):
    write_song(tmp_path / "a" / "one", drums=tone(100))
    with pytest.raises(TrainingError, match="no song has the stem 'vocals'"):
        remix(tmp_path / "a")
    write_song(tmp_path / "b" / "one", vocals=tone(100))
    with pytest.raises(TrainingError, match="no song has any stem of drums, other"):
        remix(tmp_path / "b")
    write_song(tmp_path / "b" / "two", guitar=tone(200))
    with pytest.raises(TrainingError, match="no song has any stem of drums, other") as caught:
        remix(tmp_path / "b")
    assert "The songs have vocals, guitar. Write data.layer_weights: {guitar: 1}." in str(caught.value)


def test_only_stems_with_a_weight_become_layers(songs):
    write_song(songs / "more", kazoo=tone(300), drums=tone(100))
    recipe = Recipe.model_validate(small_recipe(data={**REMIX, "layer_weights": {"drums": 1, "other": 0}}))
    library = read_library(find_songs(songs, ("vocals",)), recipe.data, None, "vocals", 8000)
    assert {layer.stem for layer in library.layers} == {"drums"}
    assert {len(voice.backing) for voice in library.song_voices} != {0}


@pytest.mark.parametrize("semitones", [-4, 0, 12])
def test_semitones(songs, semitones):
    sound = read_sound([songs / "one" / "vocals.wav"], 8000, semitones)
    ratio = 2 ** (semitones / 12)
    assert sound.n_samples == pytest.approx(24000 / ratio, abs=2)
    crop = sound.crop(1000, 8000)
    assert np.abs(np.fft.rfft(crop[0])).argmax() == pytest.approx(500 * ratio, abs=1.5)


def test_crops_reach_beyond_a_sounds_ends():
    samples = np.linspace(-1, 1, 100, dtype=np.float32)[None]
    sound = make_sound(samples, 8000)
    crop = sound.crop(-10, 120)
    assert not crop[:, :10].any()
    assert not crop[:, 110:].any()
    assert np.abs(crop[:, 10:110] - samples).max() < 1 / 32767
    assert sound.level(0, 100) > 0
    assert sound.level(-500, 100) == 0


def test_reverb_leaves_the_direct_sound_and_adds_a_tail():
    click = np.zeros((2, 8000), np.float32)
    click[:, 100] = 1
    wet = effects.reverb(np.random.default_rng(0), click, (-6.0, -6.0), 8000)
    assert not wet[:, :99].round(5).any()
    tail = wet - click
    assert np.square(tail).sum(axis=1) == pytest.approx(10**-0.6, rel=0.01)


def test_eq_has_no_gain_on_average():
    curves = [effects.eq_curve(np.random.default_rng(i), np.arange(128) * 31.25, 7.0) for i in range(50)]
    flat = sum(np.all(curve == 1) for curve in curves)
    assert 5 < flat < 25
    assert max(np.abs(20 * np.log10(curve)).max() for curve in curves) < 14
