"""FLAC files that nobody ended: how far they are whole, and a header that says so.

An encoder writes frame after frame; only the length, in the header, is missing when its process is killed. A frame
begins with a header that a CRC-8 guards and ends with a CRC-16 over all of it (RFC 9639, sections 8.2 and 9), so that
the last whole one can be found from the file's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAGIC = b"fLaC"
INFO = slice(8, 42)  # the STREAMINFO block, which is always the first
WINDOW_BYTES = 1 << 20  # what is read from the end at first; the largest frames here have some 100 kB
N_STARTS = 8  # how many possible beginnings are tried for an end: a false one passes the CRC-8 once in 256
BLOCK_SAMPLES = {1: 192, **{i: 576 << (i - 2) for i in range(2, 6)}, **{i: 1 << i for i in range(8, 16)}}


class Frame(NamedTuple):
    """A frame's place in what was read, its number, and its length in samples."""

    start: int
    number: int
    n_samples: int


def _table(polynomial: int, n_bits: int) -> list[int]:
    """For a byte at a time, highest bit first."""
    table = []
    for byte in range(256):
        value = byte << (n_bits - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (n_bits - 1) else 0)
        table.append(value & ((1 << n_bits) - 1))
    return table


_CRC8, _CRC16 = _table(0x107, 8), _table(0x18005, 16)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ _CRC16[value >> 8 ^ byte]
    return value


def look_flac(path: Path) -> tuple[int, int]:
    """Rate in Hz of a file and how many samples lie in whole frames, whatever its header says.

    Without a whole header there are none, and the rate is 0.
    """
    with path.open("rb") as file:
        head = file.read(INFO.stop)
    if head[:4] != MAGIC or len(head) < INFO.stop:
        return 0, 0
    return int.from_bytes(head[INFO][10:13], "big") >> 4, _find_end(path, None)[0]


def mend_flac(path: Path, n_samples: int) -> None:
    """Make a whole file of what a killed process left: the whole frames within its first `n_samples`."""
    n_there, n_bytes = _find_end(path, n_samples)
    with path.open("r+b") as file:
        file.truncate(n_bytes)
        info = bytearray(file.read(INFO.stop)[INFO])
        total = int.from_bytes(info[10:18], "big") >> 36 << 36 | n_there  # the lower 36 bits
        info[10:18] = total.to_bytes(8, "big")
        info[18:34] = bytes(16)  # no MD5 sum: that is allowed, a wrong one is not
        file.seek(INFO.start)
        file.write(info)


def _find_end(path: Path, limit_samples: int | None) -> tuple[int, int]:
    """Samples and bytes up to the end of the last whole frame, or of the last one within a limit."""
    size = path.stat().st_size
    with path.open("rb") as file:
        first, block_samples = _first_frame(file.read(WINDOW_BYTES))
        n_back = WINDOW_BYTES
        while True:
            start = max(first, size - n_back)
            file.seek(start)
            data = file.read()
            for frame, end in _whole_frames(data):
                n_samples = frame.number * block_samples + frame.n_samples
                if limit_samples is None or n_samples <= limit_samples:
                    return n_samples, start + end
            if start == first:
                return 0, first
            n_back *= 4


def _first_frame(head: bytes) -> tuple[int, int]:
    """Where the frames begin behind the metadata, and the samples of a block; or the end, if it comes before."""
    if head[:4] != MAGIC or len(head) < INFO.stop:
        return len(head), 0
    at, is_last = 4, False
    while not is_last and at + 4 <= len(head):
        is_last = bool(head[at] & 0x80)
        at += 4 + int.from_bytes(head[at + 1 : at + 4], "big")
    return min(at, len(head)), int.from_bytes(head[INFO][:2], "big")


def _whole_frames(data: bytes) -> Iterator[tuple[Frame, int]]:
    """Whole frames and their ends, the last first."""
    octets = np.frombuffer(data, np.uint8)
    places = np.flatnonzero((octets[:-1] == 0xFF) & (octets[1:] == 0xF8))  # blocks of one size
    frames = [frame for place in places if (frame := _read_frame(data, int(place))) is not None]
    ends = [*(frame.start for frame in frames), len(data)]
    for i in range(len(frames), 0, -1):
        for frame in frames[max(0, i - N_STARTS) : i][::-1]:
            if _crc16(data[frame.start : ends[i]]) == 0:
                yield frame, ends[i]
                break


def _read_frame(data: bytes, start: int) -> Frame | None:
    """The frame whose header begins here, if one does."""
    size_code, rate_code = data[start + 2] >> 4 if start + 2 < len(data) else 0, 0
    if start + 5 > len(data) or not size_code:
        return None
    rate_code = data[start + 2] & 15
    coded = _read_number(data[start + 4 : start + 11])
    if coded is None:
        return None
    number, n_bytes = coded
    at = start + 4 + n_bytes
    n_size = {6: 1, 7: 2}.get(size_code, 0)
    end = at + n_size + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if end >= len(data) or _crc8(data[start:end]) != data[end]:
        return None
    n_samples = 1 + int.from_bytes(data[at : at + n_size], "big") if n_size else BLOCK_SAMPLES[size_code]
    return Frame(start, number, n_samples)


def _read_number(data: bytes) -> tuple[int, int] | None:
    """A number coded as UTF-8 codes characters, up to 36 bits; and its bytes."""
    if not data:
        return None
    n_ones = 8 - (~data[0] & 0xFF).bit_length()
    if n_ones == 0:
        return data[0], 1
    if n_ones == 1 or len(data) < n_ones:
        return None
    number = data[0] & (0x7F >> n_ones)
    for byte in data[1:n_ones]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 0x3F
    return number, n_ones
