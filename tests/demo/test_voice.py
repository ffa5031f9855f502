"""The singer alone, heard by an autocorrelation that knows nothing of the synthesis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from rtsep.demo.score import SECTIONS, Note, compose
from rtsep.demo.sound import SAMPLE_RATE_HZ as RATE_HZ
from rtsep.demo.voice import sing


def sung(melody, tract=1.0):
    line, start = sing(melody, tract, np.random.default_rng(7))
    return np.pad(line, (start, 0))


@pytest.fixture(scope="module")
def lead():
    return sung(compose(0).melody)


def between(sound, start_s, end_s):
    return sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]


def sung_pitch_hz(frame):
    """The first high peak of the autocorrelation, with the window's own divided out (Boersma 1993)."""
    window = np.hanning(len(frame))
    n_fft = 2 * len(frame)

    def autocorrelation(x):
        r = np.fft.irfft(np.abs(np.fft.rfft(x, n_fft)) ** 2)[: len(frame) // 2]
        return r / r[0]

    r = autocorrelation((frame - frame.mean()) * window) / autocorrelation(window)
    lags, _ = signal.find_peaks(r[: RATE_HZ // 90])
    lags = lags[lags > RATE_HZ // 700]
    lag = next(k for k in lags if r[k] > 0.92 * r[lags].max())
    a, b, c = r[lag - 1 : lag + 2]
    return RATE_HZ / (lag + 0.5 * (a - c) / (a - 2 * b + c))


def test_the_voice_sings_the_melody(lead):
    cents = []
    for note in compose(0).melody:
        for start_s in np.arange(note.start_s + 0.1, note.end_s - 0.15, 0.02):
            hz = sung_pitch_hz(between(lead, start_s, start_s + 0.05))
            cents.append(1200 * np.log2(hz / 440) - 100 * (note.midi - 69))
    error = np.abs(cents)
    assert len(error) > 400
    assert np.mean(error < 50) > 0.85
    assert np.median(error) < 25
    assert abs(np.median(cents)) < 10


def test_long_notes_vibrate(lead):
    note = max(
        (n for n in compose(0).melody if SECTIONS[n.bar] == "verse"), key=lambda n: n.end_s - n.start_s
    )
    at_s = np.arange(note.start_s + 0.45, note.end_s - 0.2, 0.01)
    pitch = np.log2([sung_pitch_hz(between(lead, t, t + 0.03)) for t in at_s])
    spectrum = np.abs(np.fft.rfft((pitch - pitch.mean()) * np.hanning(len(pitch)), 2048))
    assert 4.5 < np.fft.rfftfreq(2048, 0.01)[spectrum.argmax()] < 6.5


@pytest.mark.parametrize(
    ("vowel", "first_hz", "second_hz"),
    [("iy", 270, 2290), ("aa", 730, 1090), ("uw", 300, 870), ("ae", 660, 1720)],
)
def test_vowels_have_their_formants(vowel, first_hz, second_hz):
    deep = Note(1.0, 2.0, 33, (vowel,), 4)  # 55 Hz: harmonics dense enough to draw the formants
    hz, power = signal.welch(between(sung([deep]), 1.2, 1.8), RATE_HZ, nperseg=8192)
    near = (hz > 27) & (hz < 4000)
    smooth_db = np.convolve(10 * np.log10(power[near]), np.hanning(23) / 11, mode="same")
    peaks = hz[near][signal.find_peaks(smooth_db, prominence=1.5)[0]]
    for formant_hz in (first_hz, second_hz):
        assert np.min(np.abs(peaks - formant_hz)) < 70


def test_an_s_hisses_before_its_vowel_and_has_no_pitch():
    line = sung([Note(1.0, 1.5, 57, ("s", "aa"), 4)])
    hiss, vowel = (
        signal.welch(between(line, *span), RATE_HZ, nperseg=1024) for span in ((0.92, 0.97), (1.1, 1.4))
    )
    assert hiss[0][hiss[1].argmax()] > 5000
    assert vowel[0][vowel[1].argmax()] < 1500
