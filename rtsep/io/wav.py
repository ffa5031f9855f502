"""WAV of any length: RIFF as everybody reads it, RF64 when 4 GiB are not enough.

EBU Tech 3306 says how: leave a JUNK chunk of 28 bytes in front of the format, and turn it into the ds64 chunk
with 64 bit sizes if the file outgrows 32 bits. Nobody has to know beforehand how long a recording becomes.

The header is as long with both, so that it can be written anew at any time. What a killed process left behind is
mended by going on where it was.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.io.labels import Label, cue_chunks
from rtsep.stream import Audio

RIFF_LIMIT_BYTES = 0xFFFFFFFF  # the largest size that a RIFF chunk can state
DS64_BYTES = 28
FORMAT_PCM, FORMAT_IEEE_FLOAT = 1, 3
BITS = {"PCM_16": 16, "PCM_24": 24, "FLOAT": 32}
HEADER_BYTES_MAX = 128


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


@dataclass(frozen=True)
class WavFormat:
    """What the samples of a WAV file are; `subtype` is a key of `BITS`."""

    sample_rate_hz: int
    n_channels: int
    subtype: str

    @property
    def sample_bytes(self) -> int:
        """Of one sample of all channels."""
        return self.n_channels * BITS[self.subtype] // 8

    def header(self, data_bytes: int, tail_bytes: int = 0, riff_limit_bytes: int = RIFF_LIMIT_BYTES) -> bytes:
        """All that stands before the samples: of so many bytes of them, and of chunks behind them."""
        fmt, n_samples = self._format_chunk(), data_bytes // self.sample_bytes
        fact = (
            struct.pack("<4sII", b"fact", 4, min(n_samples, 0xFFFFFFFF)) if self.subtype == "FLOAT" else b""
        )
        head_bytes = 12 + 8 + DS64_BYTES + len(fmt) + len(fact) + 8
        riff_bytes = head_bytes - 8 + data_bytes + data_bytes % 2 + tail_bytes
        if riff_bytes <= riff_limit_bytes:
            riff = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
            room = struct.pack("<4sI28x", b"JUNK", DS64_BYTES)
            data = struct.pack("<4sI", b"data", data_bytes)
        else:
            riff = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
            sizes = (riff_bytes, data_bytes, n_samples, 0)
            room = struct.pack("<4sIQQQI", b"ds64", DS64_BYTES, *sizes)
            data = struct.pack("<4sI", b"data", 0xFFFFFFFF)
        return riff + room + fmt + fact + data

    def _format_chunk(self) -> bytes:
        is_float = self.subtype == "FLOAT"
        fields = (
            FORMAT_IEEE_FLOAT if is_float else FORMAT_PCM,
            self.n_channels,
            self.sample_rate_hz,
            self.sample_rate_hz * self.sample_bytes,
            self.sample_bytes,
            BITS[self.subtype],
        )
        extra = struct.pack("<H", 0) if is_float else b""
        return struct.pack("<4sIHHIIHH", b"fmt ", 16 + len(extra), *fields) + extra


class WavEncoder:
    """Blocks to a WAV file.

    Parameters
    ----------
    sink
        An empty file, or one that ends with `data_bytes` of samples.
    sample_rate_hz, n_channels
        What the blocks are.
    subtype
        ``PCM_16``, ``PCM_24`` or ``FLOAT``.
    riff_limit_bytes
        The size from which the file becomes RF64.
    data_bytes
        What is there already, behind a header.
    """

    def __init__(
        self,
        sink: Sink,
        sample_rate_hz: int,
        n_channels: int,
        subtype: str,
        *,
        riff_limit_bytes: int = RIFF_LIMIT_BYTES,
        data_bytes: int = 0,
    ) -> None:
        self._sink, self._format = sink, WavFormat(sample_rate_hz, n_channels, subtype)
        self._riff_limit_bytes = riff_limit_bytes
        self._data_bytes = data_bytes
        self.n_clipped_samples = 0
        self.flush()

    def write(self, block: Audio) -> None:
        """Append ``(channels, samples)``."""
        n_bits = BITS[self._format.subtype]
        if self._format.subtype == "FLOAT":
            data = np.ascontiguousarray(block.T, "<f4").tobytes()
        else:
            integers, n_clipped = quantise(block, n_bits)
            self.n_clipped_samples += n_clipped
            data = _packed(integers, n_bits)
        self._sink.write(data)
        self._data_bytes += len(data)

    def flush(self) -> None:
        """Write the present sizes into the header: what is there now is a file."""
        self._state_sizes(0)

    def close(self, labels: Sequence[Label] = ()) -> None:
        """Write labels behind the samples, and the true sizes into the header."""
        self.flush()  # first: `look_wav` must not take what follows for samples
        tail = cue_chunks(labels)
        self._sink.write(b"\0" * (self._data_bytes % 2) + tail)  # chunks end on even bytes
        self._state_sizes(len(tail))

    def _state_sizes(self, tail_bytes: int) -> None:
        self._sink.seek(0)
        self._sink.write(self._format.header(self._data_bytes, tail_bytes, self._riff_limit_bytes))
        self._sink.seek(0, 2)


def look_wav(path: Path) -> tuple[int, int]:
    """Rate in Hz of a file of `WavEncoder` and how many samples there are, whatever its header says.

    Without a whole header there are none, and the rate is 0.
    """
    found = _look(path)
    return (0, 0) if found is None else (found[0].sample_rate_hz, found[1] // found[0].sample_bytes)


def mend_wav(path: Path, n_samples: int, labels: Sequence[Label] = ()) -> None:
    """Make a whole file of what a killed process left: its first samples, at most as many as `look_wav` finds."""
    found = _look(path)
    if found is None:
        raise ValueError(f"{path} is no file of WavEncoder")
    form, n_bytes = found[0], n_samples * found[0].sample_bytes
    with path.open("r+b") as file:
        file.truncate(len(form.header(0)) + n_bytes)
        encoder = WavEncoder(file, form.sample_rate_hz, form.n_channels, form.subtype, data_bytes=n_bytes)
        encoder.close(labels)


def _look(path: Path) -> tuple[WavFormat, int] | None:
    """What the samples are and how many bytes of them there are: up to the end, or to the labels behind them."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES_MAX)
        if (form := _read_format(head)) is None:
            return None
        start = len(form.header(0))
        stated = struct.unpack_from("<I", head, start - 4)[0]
        if head[:4] == b"RF64":
            stated = struct.unpack_from("<Q", head, 28)[0]
        file.seek(start + stated + stated % 2)
        if file.read(4) == b"cue ":  # it was being closed
            return form, stated
        return form, max(0, file.seek(0, 2) - start)


def _read_format(head: bytes) -> WavFormat | None:
    """The format in a header of `WavEncoder`; None if it is none, or not all of it."""
    at = 12 + 8 + DS64_BYTES + 8  # of the fields of `fmt `
    if len(head) < at + 16:
        return None
    _, n_channels, rate_hz, _, _, n_bits = struct.unpack_from("<HHIIHH", head, at)
    subtype = next((name for name, n in BITS.items() if n == n_bits), None)
    if subtype is None or not n_channels:
        return None
    form = WavFormat(rate_hz, n_channels, subtype)
    there, ours = head[20 + DS64_BYTES :], form.header(0)[20 + DS64_BYTES :]
    is_ours = head[:4] in (b"RIFF", b"RF64") and there[:16] == ours[:16] and len(head) >= len(form.header(0))
    return form if is_ours else None


def _packed(integers: NDArray[np.int32], n_bits: int) -> bytes:
    """``(channels, samples)`` as interleaved little-endian integers of 2 or 3 bytes."""
    interleaved = np.ascontiguousarray(integers.T)
    if n_bits == 16:
        return interleaved.astype("<i2").tobytes()
    return np.ascontiguousarray(interleaved.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()
