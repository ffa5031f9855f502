from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_training import RATE_HZ, small_recipe, tone, write_song

from rtsep.errors import TrainingError
from rtsep.train.chunks import ChunkSegments, chunk_starts_s, read_excerpt
from rtsep.train.recipe import ChunkData, Recipe
from rtsep.train.segments import ahead, spectra
from rtsep.train.songs import find_songs

DATA = ChunkData(kind="chunks", chunk_s=1.0, n_chunks_per_song=3)


def model_of(*instruments):
    recipe = small_recipe()
    recipe["model"]["network"]["instruments"] = list(instruments)
    return Recipe.model_validate(recipe).model


def source(songs, instruments=("vocals",), **more):
    return ChunkSegments(find_songs(songs, ("vocals",)), model_of(*instruments), DATA, batch_size=2, **more)


@given(st.floats(5, 400), st.floats(1, 20), st.integers(1, 9))
def test_chunks_are_evenly_spaced_and_inside(duration_s, chunk_s, n_chunks):
    starts = np.array(chunk_starts_s(duration_s, chunk_s, n_chunks))
    assert len(starts) == n_chunks
    assert (starts >= 0).all()
    if duration_s >= chunk_s + 1:
        assert (starts + chunk_s <= duration_s + 1e-9).all()
        assert np.allclose(
            starts + starts[::-1] + chunk_s, duration_s
        )  # as far from one end as from the other
        assert np.allclose(np.diff(starts, 2), 0)


def test_chunks_of_twenty_seconds_lie_where_spleeter_puts_them():
    assert chunk_starts_s(60.0, 20.0, 2) == [0.5, 39.5]
    assert chunk_starts_s(60.0, 20.0, 1) == [20.0]
    assert chunk_starts_s(10.0, 20.0, 1) == [0.0]


def test_the_accompaniment_is_what_is_no_stem_of_the_model(songs):
    batch = source(songs, ("vocals", "accompaniment")).batch(0)
    assert batch.mixture.shape == (2, 2, 64, 128)
    assert batch.stems.shape == (2, 2, 2, 64, 128)
    assert (batch.mixture - batch.stems.sum(dim=0)).abs().max() < 1e-4
    assert batch.stems[1].abs().max() > 0.1


def test_each_epoch_has_every_song_once_in_a_new_order(tmp_path):
    levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    for level in levels:
        write_song(tmp_path / "songs" / str(level), vocals=np.full((2, RATE_HZ), level, np.float32))
    data = ChunkData(kind="chunks", chunk_s=1.0, n_chunks_per_song=1)
    songs = find_songs(tmp_path / "songs", ("vocals",))
    chunks = ChunkSegments(songs, model_of("vocals"), data, batch_size=2, seed=4)
    assert chunks.n_batches == 3
    order = np.concatenate([chunks.batch(n).mixture[:, 0, 5, 0].abs().numpy() / 128 for n in range(6)]).round(
        3
    )
    assert sorted(order[:6]) == pytest.approx(levels, abs=1e-3)
    assert sorted(order[6:]) == pytest.approx(levels, abs=1e-3)
    assert order[:6].tolist() != order[6:].tolist()


def test_validation_sees_the_middle(songs):
    chunks = source(songs, central=True)
    batch = chunks.batch(0)
    whole = read_excerpt(songs / "one" / "vocals.wav", 0.5, RATE_HZ, RATE_HZ)
    n = 63 * 64 + 256
    start = ((RATE_HZ - n) // 64 + 1) // 2 * 64
    expected = spectra(np.ascontiguousarray(whole[:, start : start + n]), model_of("vocals"))
    assert (batch.stems[0, 0] - expected).abs().max() < 1e-5


def test_a_batch_is_the_same_whenever_it_is_asked_for(songs):
    chunks = source(songs, seed=1)
    listed = list(ahead(chunks, 2, 5))
    assert len(listed) == 3
    assert (listed[1].mixture == source(songs, seed=1).batch(3).mixture).all()
    assert not (source(songs, seed=2).batch(3).mixture == listed[1].mixture).all()


def test_excerpts_are_resampled_and_end_in_silence(songs):
    excerpt = read_excerpt(songs / "one" / "vocals.wav", 2.0, 2 * 16000, 16000)
    t = 2.0 + np.arange(16000) / 16000
    assert np.abs(excerpt[0, 1000:15000] - 0.2 * np.sin(2 * np.pi * 500 * t)[1000:15000]).max() < 1e-3
    assert not excerpt[:, 16500:].any()
    assert not read_excerpt(songs / "one" / "vocals.wav", 9.0, 100, 8000).any()


def test_a_song_too_short_is_named(tmp_path):
    write_song(tmp_path / "songs" / "short", vocals=tone(500, 0.3))
    with pytest.raises(TrainingError, match=r"song short lasts 0\.3 s .* needs 0\.5 s"):
        source(tmp_path / "songs")
