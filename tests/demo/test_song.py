"""The demo song, measured by means of its own: autocorrelation, band energies, scipy's filters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import signal

from rtsep.demo import song
from rtsep.demo.score import SECTIONS, compose
from rtsep.errors import UsageError

RATE_HZ = song.SAMPLE_RATE_HZ


@pytest.fixture(scope="module")
def stems():
    return song.render(0)


@pytest.fixture(scope="module")
def mixture(stems):
    return sum(stems.values())


def level_db(sound):
    return 10 * np.log10(np.mean(sound**2) + 1e-20)


def between(sound, start_s, end_s):
    return sound[..., round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]


def test_shape_and_order(stems):
    assert tuple(stems) == song.STEMS == ("vocals", "drums", "bass", "other")
    for stem in stems.values():
        assert stem.shape == (2, 40 * RATE_HZ)
        assert stem.dtype == np.float32
        assert stem.flags.c_contiguous
        assert np.isfinite(stem).all()


def test_same_seed_same_song_and_a_duration_crops(stems):
    again = song.render(0, duration_s=12.5)
    for name, stem in again.items():
        assert stem.shape == (2, round(12.5 * RATE_HZ))
        assert stem.flags.c_contiguous
        assert np.array_equal(stem, stems[name][:, : stem.shape[1]])


def test_another_seed_is_another_song(stems):
    other = song.render(5, duration_s=1e6)
    assert other["vocals"].shape[1] == round(compose(5).length_s * RATE_HZ)
    assert np.max(np.abs(sum(other.values()))) == pytest.approx(10 ** (song.PEAK_DBFS / 20), abs=1e-4)
    for name, stem in other.items():
        n = min(stem.shape[1], stems[name].shape[1])
        assert abs(np.corrcoef(stem[0, :n], stems[name][0, :n])[0, 1]) < 0.2


@pytest.mark.parametrize("duration_s", [0, -1.0, float("nan")])
def test_durations_that_are_none(duration_s):
    with pytest.raises(UsageError, match="above 0"):
        song.render(0, duration_s=duration_s)


def test_a_negative_seed():
    with pytest.raises(UsageError, match="whole number from 0"):
        song.render(-1)


def test_peak_loudness_and_balance(stems, mixture):
    assert np.max(np.abs(mixture)) == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    assert -19 < level_db(mixture) < -13
    spans = [between(np.stack((stems["vocals"], mixture)), *span) for span in song.vocal_spans_s(0)]
    vocals, mixed = np.concatenate(spans, axis=-1)
    assert -3 < level_db(vocals) - level_db(mixed - vocals) < 0
    for stem in stems.values():
        assert np.max(np.abs(stem.mean(axis=1))) < 1e-3


def test_balance_of_the_spectrum(mixture):
    hz, power = signal.welch(mixture.mean(axis=0), RATE_HZ, nperseg=8192)
    octaves = 62.5 * 2.0 ** np.arange(9)
    level = [10 * np.log10(np.mean(power[(hz > f / 1.41) & (hz < f * 1.41)])) for f in octaves]
    slope_db = np.polyfit(np.arange(9), level, 1)[0]
    assert -6 < slope_db < -3  # pop falls by about 4.5 dB per octave


def test_who_plays_when(stems):
    score = compose(0)
    (first_s, _), (_, last_s) = song.vocal_spans_s(0)[0], song.vocal_spans_s(0)[-1]
    assert first_s >= score.time_s(4, 0)
    assert not between(stems["vocals"], 0, first_s - 0.7).any()  # a breath and a consonant come before
    assert level_db(between(stems["vocals"], last_s + 1.6, 40)) < -80  # the plate has died
    assert not between(stems["drums"], 0, score.time_s(2, 0) - 0.011).any()
    assert level_db(between(stems["bass"], 0, score.time_s(1, 0) - 0.05)) < -100
    for bar in range(len(SECTIONS)):
        span = score.time_s(bar, 0) + 0.02, score.time_s(bar + 1, 0) - 0.05  # players are human
        playing = {name for name, stem in stems.items() if level_db(between(stem, *span)) > -35}
        expected = {"other"} | ({"bass"} if bar >= 1 else set()) | ({"drums"} if bar >= 2 else set())
        assert playing - {"vocals"} == expected
        assert ("vocals" in playing) == (4 <= bar < 16)


@pytest.mark.parametrize(("piece", "low_hz", "high_hz"), [("kick", 30, 120), ("snare", 1500, 6000)])
def test_drums_strike_where_the_score_says(stems, piece, low_hz, high_hz):
    band = signal.butter(2, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos")
    sound = signal.sosfilt(band, stems["drums"].mean(axis=0))
    hop = RATE_HZ // 200
    power = np.array([np.mean(sound[k : k + hop] ** 2) for k in range(0, len(sound) - hop, hop)])
    hits = clear_hits(piece)
    assert len(hits) > 10
    for hit in hits:
        first = round((hit.start_s - 0.06) * RATE_HZ / hop)
        rise = np.diff(10 * np.log10(power[first : first + 26] + 1e-7))
        onset_s = (first + 1 + rise.argmax()) * hop / RATE_HZ
        assert onset_s == pytest.approx(hit.start_s, abs=0.02)


def clear_hits(piece):
    """Loud strokes with a quarter of a second free of kick, snare and toms before them."""
    skins = [hit for hit in compose(0).hits() if hit.piece in ("kick", "snare", "tom") and hit.velocity > 0.3]
    return [
        hit
        for before, hit in pairwise(skins)
        if hit.piece == piece and hit.velocity > 0.8 and hit.start_s - before.start_s > 0.25
    ]


@pytest.mark.parametrize("name", ["bass", "other"])
def test_notes_begin_and_end_without_clicks(stems, name):
    highpass = signal.butter(8, 12_000, "highpass", fs=RATE_HZ, output="sos")
    assert np.max(np.abs(signal.sosfilt(highpass, stems[name]))) < 1e-3


def test_spans_of_the_voice():
    ((start_s, end_s),) = song.vocal_spans_s(0, gap_s=100)
    assert (start_s, end_s) == pytest.approx((9.1667, 35.5), abs=0.01)
    assert len(song.vocal_spans_s(0, gap_s=0.2)) > 3
    for (_, end_s), (start_s, _) in pairwise(song.vocal_spans_s(3)):
        assert start_s - end_s >= 1.5
