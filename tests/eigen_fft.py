"""The Fourier transform of the TensorFlow that made the reference outputs, in numpy.

TensorFlow 2.12 transforms with Eigen in float32. Eigen makes the factors of a butterfly one from another, by repeated
multiplication, so that rounding adds up over a thousand of them: its spectrum is 5e-6 too small. That, and nothing
else, is what lies between Spleeter's stems and ours.

Source: ``unsupported/Eigen/CXX11/src/Tensor/TensorFFT.h``, ``butterfly_1D_merge``.
"""

from __future__ import annotations

from functools import cache

import numpy as np

Complex = np.ndarray[tuple[int, ...], np.dtype[np.complex64]]


def rfft(frames: np.ndarray) -> Complex:
    """``(..., n)`` real to ``(..., n / 2 + 1)``, n a power of two."""
    return transform(frames.astype(np.complex64), -1)[..., : frames.shape[-1] // 2 + 1]


def irfft(spectrum: Complex, n: int, axis: int = -1) -> np.ndarray:
    """The inverse of `rfft`."""
    assert axis == -1
    mirrored = np.conj(spectrum[..., -2:0:-1])
    whole = transform(np.concatenate([spectrum, mirrored], axis=-1), +1)
    return (whole.real / np.float32(n)).astype(np.float32)


def transform(x: Complex, sign: int) -> Complex:
    n = x.shape[-1]
    x = x[..., bit_reversed(n)]
    size = 2
    while size <= n:
        halves = x.reshape(*x.shape[:-1], n // size, 2, size // 2)
        even, odd = halves[..., 0, :], halves[..., 1, :] * factors(size, sign)
        x = np.stack([even + odd, even - odd], axis=-2).reshape(x.shape)
        size *= 2
    return x


def bit_reversed(n: int) -> np.ndarray:
    index, n_bits = np.arange(n), n.bit_length() - 1
    return sum(((index >> bit) & 1) << (n_bits - 1 - bit) for bit in range(n_bits))  # type: ignore[return-value]


@cache
def factors(size: int, sign: int) -> Complex:
    if size <= 8:  # written out in Eigen
        return np.exp(sign * 2j * np.pi * np.arange(size // 2) / size).astype(np.complex64)
    real = np.float32(1) + np.float32(-2 * np.sin(np.pi / size) ** 2)
    step = np.complex64(complex(real, np.float32(sign * np.sin(2 * np.pi / size))))
    steps = [np.complex64(1), step]
    steps += [steps[-1] * step]
    steps += [steps[-1] * step]
    fourth, at = steps[-1] * step, np.complex64(1)
    out = np.empty(size // 2, np.complex64)
    for i in range(0, size // 2, 4):
        out[i : i + 4] = [at * s for s in steps]
        at = at * fourth
    return out
