"""WAV of any length: RIFF as everybody reads it, RF64 when 4 GiB are not enough.

EBU Tech 3306 says how: leave a JUNK chunk of 28 bytes in front of the format, and turn it into the ds64 chunk
with 64 bit sizes if the file outgrows 32 bits. Nobody has to know beforehand how long a recording becomes.
"""

from __future__ import annotations

import struct
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.stream import Audio

RIFF_LIMIT_BYTES = 0xFFFFFFFF  # the largest size that a RIFF chunk can state
DS64_BYTES = 28
FORMAT_PCM, FORMAT_IEEE_FLOAT = 1, 3
BITS = {"PCM_16": 16, "PCM_24": 24, "FLOAT": 32}


class Sink(Protocol):
    """Where bytes go: a binary file that can be gone back in."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of `data`."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a byte."""

    def tell(self) -> int:
        """The byte to be written next."""


def quantise(block: Audio, n_bits: int) -> tuple[NDArray[np.int32], int]:
    """Round to integers of full scale ``2**(n_bits - 1)``, and count the values that lie beyond full scale.

    The inverse of what libsndfile and FFmpeg do when they read, so that copies are exact.

    Parameters
    ----------
    block
        float32 ``(channels, samples)``.
    n_bits
        16 or 24.

    Returns
    -------
    integers
        int32 ``(channels, samples)``.
    n_clipped
        How many values had a magnitude above 1.
    """
    full_scale = 1 << (n_bits - 1)
    scaled = np.rint(np.clip(np.nan_to_num(block), -1, 1).astype(np.float64) * full_scale)
    n_clipped = int(np.count_nonzero(np.abs(block) > 1.0))
    return np.minimum(scaled, full_scale - 1).astype(np.int32), n_clipped


class WavEncoder:
    """Blocks to a WAV file.

    Parameters
    ----------
    sink
        An empty file.
    sample_rate_hz, n_channels
        What the blocks are.
    subtype
        ``PCM_16``, ``PCM_24`` or ``FLOAT``.
    riff_limit_bytes
        The size from which the file becomes RF64.
    """

    def __init__(
        self,
        sink: Sink,
        sample_rate_hz: int,
        n_channels: int,
        subtype: str,
        *,
        riff_limit_bytes: int = RIFF_LIMIT_BYTES,
    ) -> None:
        self._sink, self._sample_rate_hz, self._n_channels = sink, sample_rate_hz, n_channels
        self._subtype, self._riff_limit_bytes = subtype, riff_limit_bytes
        self._data_bytes = 0
        self.n_clipped_samples = 0
        sink.write(self._header())

    @property
    def _sample_bytes(self) -> int:
        return self._n_channels * BITS[self._subtype] // 8

    def write(self, block: Audio) -> None:
        """Append ``(channels, samples)``."""
        if self._subtype == "FLOAT":
            data = np.ascontiguousarray(block.T, "<f4").tobytes()
        else:
            integers, n_clipped = quantise(block, BITS[self._subtype])
            self.n_clipped_samples += n_clipped
            data = _packed(integers, BITS[self._subtype])
        self._sink.write(data)
        self._data_bytes += len(data)

    def close(self) -> None:
        """Write the true sizes into the header."""
        if self._data_bytes % 2:
            self._sink.write(b"\0")  # chunks end on even bytes
        self._sink.seek(0)
        self._sink.write(self._header())
        self._sink.seek(0, 2)

    def _header(self) -> bytes:
        fmt, n_samples = self._format_chunk(), self._data_bytes // self._sample_bytes
        fact = (
            struct.pack("<4sII", b"fact", 4, min(n_samples, 0xFFFFFFFF)) if self._subtype == "FLOAT" else b""
        )
        head_bytes = 12 + 8 + DS64_BYTES + len(fmt) + len(fact) + 8
        riff_bytes = head_bytes - 8 + self._data_bytes + self._data_bytes % 2
        if riff_bytes <= self._riff_limit_bytes:
            riff = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
            room = struct.pack("<4sI28x", b"JUNK", DS64_BYTES)
            data = struct.pack("<4sI", b"data", self._data_bytes)
        else:
            riff = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
            sizes = (riff_bytes, self._data_bytes, n_samples, 0)
            room = struct.pack("<4sIQQQI", b"ds64", DS64_BYTES, *sizes)
            data = struct.pack("<4sI", b"data", 0xFFFFFFFF)
        return riff + room + fmt + fact + data

    def _format_chunk(self) -> bytes:
        is_float = self._subtype == "FLOAT"
        fields = (
            FORMAT_IEEE_FLOAT if is_float else FORMAT_PCM,
            self._n_channels,
            self._sample_rate_hz,
            self._sample_rate_hz * self._sample_bytes,
            self._sample_bytes,
            BITS[self._subtype],
        )
        extra = struct.pack("<H", 0) if is_float else b""
        return struct.pack("<4sIHHIIHH", b"fmt ", 16 + len(extra), *fields) + extra


def _packed(integers: NDArray[np.int32], n_bits: int) -> bytes:
    """``(channels, samples)`` as interleaved little-endian integers of 2 or 3 bytes."""
    interleaved = np.ascontiguousarray(integers.T)
    if n_bits == 16:
        return interleaved.astype("<i2").tobytes()
    return np.ascontiguousarray(interleaved.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()
