"""The physics shared by all instruments: oscillators, filters that move, noise, rooms.

Every function takes and returns float64 or float32 arrays of samples at ``SAMPLE_RATE_HZ``; random ones take
the generator, so that one seed is one song. Recursive filters are applied as spectra of short overlapping
frames: nothing here runs sample by sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.floating]

SAMPLE_RATE_HZ = 44_100
HOP_SAMPLES = 256  # 5.8 ms: the rate at which filters move
_N_FFT = 2048  # a frame of two hops, and 35 ms for the filter to ring
_TABLE_SAMPLES = 4096
_TOP_HZ = 19_000.0  # no harmonic above


def to_samples(seconds: float) -> int:
    """Nearest whole number of samples."""
    return round(seconds * SAMPLE_RATE_HZ)


def seconds(n_samples: int) -> Samples:
    """Time of each of ``n_samples`` samples, in seconds from 0."""
    return np.arange(n_samples) / SAMPLE_RATE_HZ


def place(track: Samples, sound: Samples, start_samples: int) -> None:
    """Add ``sound`` into ``track`` (both ``(..., samples)``), cutting what lies outside."""
    first, last = max(start_samples, 0), min(start_samples + sound.shape[-1], track.shape[-1])
    if first < last:
        track[..., first:last] += sound[..., first - start_samples : last - start_samples]


def panned(sound: Samples, position: float) -> Samples:
    """Mono to stereo with equal power; ``position`` runs from -1 (left) to 1 (right)."""
    angle = (position + 1) * np.pi / 4
    return np.stack((np.cos(angle) * sound, np.sin(angle) * sound))


def faded(sound: Samples, attack_s: float, release_s: float) -> Samples:
    """``sound`` with raised-cosine edges, so that neither end clicks."""
    out = sound.copy()
    rise, fall = (min(max(to_samples(edge_s), 1), sound.shape[-1]) for edge_s in (attack_s, release_s))
    out[..., :rise] *= np.sin(np.arange(rise) / rise * np.pi / 2) ** 2
    out[..., -fall:] *= np.sin(np.arange(fall)[::-1] / fall * np.pi / 2) ** 2
    return out


def midi_to_hz(midi: npt.ArrayLike) -> Samples:
    """Equal temperament, A4 (69) = 440 Hz."""
    return np.asarray(440.0 * 2.0 ** ((np.asarray(midi, float) - 69.0) / 12.0))


def oscillate(
    harmonics: npt.NDArray[np.complexfloating], pitch_hz: Samples, start_cycles: float = 0.0
) -> Samples:
    """A periodic wave that follows ``pitch_hz`` (one value per sample) without aliasing.

    ``harmonics[k]`` is the complex amplitude of harmonic ``k + 1``. For every half octave of pitch a table
    holds the harmonics that stay under 19 kHz.
    """
    position = (start_cycles + np.cumsum(pitch_hz) / SAMPLE_RATE_HZ) % 1.0 * _TABLE_SAMPLES
    index = position.astype(np.int32)
    band = np.ceil(2 * np.log2(pitch_hz)).astype(np.int32)
    lowest = band.min()
    spectra = np.zeros((band.max() - lowest + 1, _TABLE_SAMPLES // 2 + 1), np.complex128)
    for k, spectrum in enumerate(spectra):
        kept = harmonics[: max(int(_TOP_HZ / 2 ** ((lowest + k) / 2)), 1)]
        spectrum[1 : len(kept) + 1] = kept * _TABLE_SAMPLES / 2
    tables = np.pad(np.fft.irfft(spectra), ((0, 0), (0, 1)), mode="wrap").ravel()
    left = (band - lowest) * (_TABLE_SAMPLES + 1) + index
    return np.asarray(tables[left] + (position - index) * (tables[left + 1] - tables[left]))


def sawtooth(n_harmonics: int = 400) -> npt.NDArray[np.complexfloating]:
    """Harmonics of a falling ramp of peak 1."""
    return np.asarray(-2j / (np.pi * np.arange(1, n_harmonics + 1)))


def poles(frequency_hz: Samples, bandwidth_hz: Samples) -> Samples:
    """Denominators ``(frames, 2 n + 1)`` of n resonators in a row, ``(frames, n)`` each, gain 1 at 0 Hz."""
    radius = np.exp(-np.pi * bandwidth_hz / SAMPLE_RATE_HZ)
    turn = 2 * radius * np.cos(2 * np.pi * frequency_hz / SAMPLE_RATE_HZ)
    product = np.ones((len(frequency_hz), 1))
    for k in range(frequency_hz.shape[1]):
        longer = np.pad(product, ((0, 0), (0, 2)))
        longer[:, 1:-1] -= turn[:, k : k + 1] * product
        longer[:, 2:] += radius[:, k : k + 1] ** 2 * product
        product = longer
    return np.asarray(product / product.sum(axis=1, keepdims=True))


def filter_moving(
    sound: Samples, denominators: Sequence[Samples], numerator: Samples | None = None
) -> Samples:
    """Filter ``sound`` (mono) by rational filters in a row that move every ``HOP_SAMPLES``.

    Parameters
    ----------
    denominators, numerator
        Polynomials in 1/z, ``(frames, taps)``, or ``(1, taps)`` for one that stays. Frame ``m`` is centred on
        sample ``m * HOP_SAMPLES``, so there are ``n_frames(len(sound))`` of them. More than seven resonators
        in one polynomial cancel in rounding: take two. The whole must ring for less than 35 ms.
    """
    n_hops = n_frames(len(sound))
    padded = np.pad(sound, (HOP_SAMPLES, (n_hops + 1) * HOP_SAMPLES - len(sound)))
    cut = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP_SAMPLES)[::HOP_SAMPLES][:n_hops]
    window = np.hanning(2 * HOP_SAMPLES + 1)[:-1]
    out = np.zeros((n_hops + _N_FFT // HOP_SAMPLES, HOP_SAMPLES))
    for start in range(0, n_hops, 64):  # as many frames as the cache holds; silence costs nothing
        some = slice(start, min(start + 64, n_hops))
        if not cut[some].any():
            continue
        spectrum = np.fft.rfft(cut[some] * window, _N_FFT)
        for polynomial in denominators:
            spectrum /= np.fft.rfft(polynomial if len(polynomial) == 1 else polynomial[some], _N_FFT)
        if numerator is not None:
            spectrum *= np.fft.rfft(numerator[some], _N_FFT)
        blocks = np.fft.irfft(spectrum, _N_FFT).reshape(-1, _N_FFT // HOP_SAMPLES, HOP_SAMPLES)
        for k in range(blocks.shape[1]):
            out[some.start + k : some.stop + k] += blocks[:, k]
    return out.ravel()[HOP_SAMPLES : HOP_SAMPLES + len(sound)]


def n_frames(n_samples: int) -> int:
    """Number of filter frames that cover ``n_samples``."""
    return -(-n_samples // HOP_SAMPLES) + 1


def smooth(track: Samples, width_s: float) -> Samples:
    """Hann-weighted moving mean, ``width_s`` in all, along axis 0 of a track at the frame rate."""
    n = max(round(width_s * SAMPLE_RATE_HZ / HOP_SAMPLES) | 1, 3)
    kernel = np.hanning(n + 2)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(track, [(n // 2, n // 2)] + [(0, 0)] * (track.ndim - 1), mode="edge")
    return np.asarray(sum(kernel[k] * padded[k : k + len(track)] for k in range(n)))


def to_audio_rate(track: Samples, n_samples: int) -> Samples:
    """A track at the frame rate, drawn with straight lines at the sample rate."""
    return np.interp(np.arange(n_samples), np.arange(len(track)) * HOP_SAMPLES, track)


def equalised(sound: Samples, low_cut_hz: float, high_cut_hz: float, tilt_db: float = 0.0) -> Samples:
    """Gentle cuts at both ends (12 dB per octave) and a slope of ``tilt_db`` per octave about 1 kHz."""
    n = sound.shape[-1]
    n_fft = 1 << (n - 1).bit_length()  # whole powers of two are many times faster than primes
    hz = np.maximum(np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE_HZ), 1.0).astype(np.float32)
    cuts = (
        1 / ((1 - 1j * low_cut_hz / hz) * (1 + 1j * hz / high_cut_hz)) ** 2
    )  # minimum phase: nothing sounds early
    gain = (cuts * 10 ** (tilt_db * np.log2(hz / 1000) / 20)).astype(np.complex64)
    gain[0] = 0.0
    return np.asarray(np.fft.irfft(np.fft.rfft(sound.astype(np.float32), n_fft) * gain, n_fft)[..., :n])


def reverberated(
    sound: Samples, rng: np.random.Generator, decay_s: float, before_s: float, top_hz: float = 7000.0
) -> Samples:
    """The sound of a room alone, ``(2, samples)``: convolution with noise that dies by 60 dB in ``decay_s``.

    The highs die twice as fast as the lows, as in air (Moorer, *About this reverberation business*, 1979).
    """
    n = to_samples(decay_s)
    t = seconds(n)
    dark = equalised(rng.standard_normal((2, n)), 150.0, 0.3 * top_hz) * 10 ** (-3 * t / decay_s)
    bright = equalised(rng.standard_normal((2, n)), 0.3 * top_hz, top_hz) * 10 ** (-6 * t / decay_s)
    room = faded(dark + bright, 0.004, 0.02)
    room /= np.sqrt((room**2).sum(axis=1, keepdims=True))
    n_fft = 1 << (sound.shape[-1] + n).bit_length()
    dry_spectrum, room_spectrum = (np.fft.rfft(x.astype(np.float32), n_fft) for x in (sound, room))
    wet = np.fft.irfft(dry_spectrum * room_spectrum, n_fft)
    out = np.zeros((2, sound.shape[-1]))
    place(out, wet, to_samples(before_s))
    return out
