"""The transform against scipy's, and there and back again."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from rtsep.dsp.stft import analyse, early_tapers, hann, hann_tapers, overlap_add, overlap_add_gain

FRAME, HOP = 4096, 1024


def test_the_window_is_the_periodic_hann() -> None:
    np.testing.assert_allclose(hann(FRAME), scipy.signal.get_window("hann", FRAME), atol=1e-7)


def test_spleeters_window_overlaps_to_three_halves() -> None:
    assert overlap_add_gain(hann(FRAME), HOP) == pytest.approx(2 / 3, abs=1e-7)


@pytest.mark.parametrize("hop", [4096, 2048, 1000])
def test_a_hop_at_which_squares_do_not_add_up_is_refused(hop: int) -> None:
    with pytest.raises(ValueError, match=r"overlap to a constant|reshape"):
        overlap_add_gain(hann(FRAME), hop)


@pytest.mark.parametrize(("frame", "hop"), [(FRAME, HOP), (2048, 512), (64, 8)])
def test_the_spectrum_is_scipys(frame: int, hop: int) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (2, frame + 9 * hop)).astype(np.float32)
    window = scipy.signal.get_window("hann", frame)
    _, _, expected = scipy.signal.stft(
        samples.astype(np.float64),
        window=window,
        nperseg=frame,
        noverlap=frame - hop,
        boundary=None,
        padded=False,
    )
    spectrum = analyse(samples, hann(frame), hop)
    assert spectrum.dtype == np.complex64
    np.testing.assert_allclose(spectrum, expected.swapaxes(1, 2) * window.sum(), atol=1e-4)


def test_frame_k_begins_at_k_hops() -> None:
    samples = np.zeros((1, FRAME + 7 * HOP), np.float32)
    samples[0, FRAME + 3 * HOP] = 1  # the first sample of frame 7, the last but one quarter of frame 4
    heard = np.abs(analyse(samples, np.ones(FRAME, np.float32), HOP)[0]).max(axis=-1) > 0
    assert np.flatnonzero(heard).tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("n_frames", [1, 2, 20])
def test_there_and_back_is_the_same(n_frames: int) -> None:
    n_samples = FRAME + (n_frames - 1) * HOP
    samples = np.zeros((2, n_samples + 2 * FRAME), np.float32)  # so that every sample has all of its frames
    samples[:, FRAME:-FRAME] = np.random.default_rng(1).uniform(-1, 1, (2, n_samples))
    window = hann(FRAME)
    spectrum = analyse(samples, window, HOP)
    out = np.zeros_like(samples)
    overlap_add(spectrum, window * np.float32(overlap_add_gain(window, HOP)), HOP, out)
    np.testing.assert_allclose(out, samples, rtol=0, atol=1e-6)


def test_stems_are_added_to_what_is_there() -> None:
    rng = np.random.default_rng(2)
    spectrum = (rng.normal(size=(3, 2, 5, 33)) + 1j * rng.normal(size=(3, 2, 5, 33))).astype(np.complex64)
    spectrum[..., [0, -1]] = spectrum[..., [0, -1]].real
    window = hann(64)
    out = np.ones((3, 2, 64 + 4 * 16), np.float32)
    overlap_add(spectrum, window, 16, out)
    expected = np.ones(out.shape)
    for k in range(5):
        expected[..., 16 * k : 16 * k + 64] += np.fft.irfft(spectrum[..., k, :].astype(complex)) * window
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_hann_tapers_are_spleeters() -> None:
    tapers = hann_tapers(FRAME, HOP)
    assert (tapers.frame_samples, tapers.n_synthesis_samples, tapers.hop_samples) == (FRAME, FRAME, HOP)
    products = (tapers.analysis * tapers.synthesis).reshape(-1, HOP).sum(axis=0)
    np.testing.assert_allclose(products, 1, atol=1e-6)


@pytest.mark.parametrize("n_synthesis", [2 * HOP, 3 * HOP, 4 * HOP])
def test_early_tapers_overlap_to_one_and_hear_a_steady_tone_as_loud(n_synthesis: int) -> None:
    tapers = early_tapers(FRAME, HOP, n_synthesis)
    assert (tapers.frame_samples, tapers.n_synthesis_samples) == (FRAME, n_synthesis)
    products = (tapers.analysis[-n_synthesis:].astype(float) * tapers.synthesis).reshape(-1, HOP).sum(axis=0)
    np.testing.assert_allclose(products, 1, atol=1e-6)
    assert tapers.analysis.sum() == pytest.approx(hann(FRAME).sum(), rel=1e-6)
    assert tapers.synthesis.max() < 2  # nothing that a mask does is blown up
