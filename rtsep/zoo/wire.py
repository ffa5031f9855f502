"""Protocol buffers' wire format, as much as a checkpoint's index needs: numbers, strings and nothing else.

A message is a row of fields; a field is a varint key, ``number << 3 | kind``, and a value. Source: "Encoding",
protobuf.dev. What cannot be read raises `WireError` with the byte that is wrong, counted from the start of the
message; the caller knows where the message stood.
"""

from __future__ import annotations

import struct

_MAX_VARINT_BYTES = 10  # of 7 bits each, for 64 bits

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Message = dict[int, list[int | bytes]]


class WireError(ValueError):
    """Bytes that are not what the format allows."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number at `at`, seven bits a byte, the lowest first, and the place after it."""
    value = 0
    for n in range(_MAX_VARINT_BYTES):
        if at + n >= len(data):
            raise WireError(f"a number breaks off at byte {at + n}")
        byte = data[at + n]
        value |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            if value >= 1 << 64:
                break
            if byte == 0 and n > 0:  # no writer does this; a flipped bit does
                raise WireError(f"a number at byte {at} is longer than it need be")
            return value, at + n + 1
    raise WireError(f"a number at byte {at} is longer than 64 bits")


def signed(value: int) -> int:
    """A varint read as the two's complement of 64 bits, which is how int32, int64 and enums are sent."""
    return value - (1 << 64) if value >= 1 << 63 else value


def read_message(data: bytes) -> Message:
    """The fields of a message: number -> values in order; numbers as they stand, strings as bytes."""
    fields: Message = {}
    at = 0
    while at < len(data):
        key, after = read_varint(data, at)
        if key >> 3 == 0:
            raise WireError(f"field number 0 at byte {at}")
        value, at = _read_value(data, after, key & 7)
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _read_value(data: bytes, at: int, kind: int) -> tuple[int | bytes, int]:
    if kind == _VARINT:
        return read_varint(data, at)
    if kind == _FIXED64:
        return struct.unpack("<Q", _take(data, at, 8))[0], at + 8
    if kind == _FIXED32:
        return struct.unpack("<I", _take(data, at, 4))[0], at + 4
    if kind == _BYTES:
        size, at = read_varint(data, at)
        return _take(data, at, size), at + size
    raise WireError(f"a field of unknown kind {kind} at byte {at}")


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise WireError(f"a field of {size} bytes at byte {at} reaches beyond the end, {len(data)}")
    return data[at : at + size]


def number(message: Message, field: int, default: int = 0) -> int:
    """The last number of a field, signed; `default` when it is absent."""
    value = message.get(field, [default])[-1]
    if not isinstance(value, int):
        raise WireError(f"field {field} is a string and should be a number")
    return signed(value)


def strings(message: Message, field: int) -> list[bytes]:
    """The strings, or nested messages, of a field, in order."""
    values = message.get(field, [])
    if not all(isinstance(value, bytes) for value in values):
        raise WireError(f"field {field} is a number and should be a string")
    return [value for value in values if isinstance(value, bytes)]
