"""A writer of TensorFlow's tensor bundles, from the formats' documents, for what the golden folders do not have:
several shards, several blocks, and every kind of checkpoint that is to be refused."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import google_crc32c
import numpy as np

DTYPE_CODES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "float16": 19}


def masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % (1 << 32)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field * 8) + varint(value)


def string(field: int, value: bytes) -> bytes:
    return varint(field * 8 + 2) + varint(len(value)) + value


def header(n_shards: int, endianness: int = 0, min_consumer: int = 0) -> bytes:
    version = number(1, 1) + (number(2, min_consumer) if min_consumer else b"")
    return number(1, n_shards) + (number(2, endianness) if endianness else b"") + string(3, version)


def entry(
    array: np.ndarray,
    shard: int,
    offset: int,
    *,
    dtype: int | None = None,
    size: int | None = None,
    sliced: bool = False,
) -> bytes:
    data = array.tobytes()
    shape = b"".join(string(2, number(1, n)) for n in array.shape)
    code = DTYPE_CODES[array.dtype.name] if dtype is None else dtype
    return (
        number(1, code)
        + string(2, shape)
        + number(3, shard)
        + number(4, offset)
        + number(5, len(data) if size is None else size)
        + varint(6 * 8 + 5)
        + struct.pack("<I", masked(data))
        + (string(7, b"") if sliced else b"")
    )


def block(entries: list[tuple[bytes, bytes]], restart_interval: int = 16) -> bytes:
    out, restarts, last = bytearray(), [], b""
    for n, (key, value) in enumerate(entries):
        shared = 0
        if n % restart_interval == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    restarts = restarts or [0]
    return bytes(out) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def table(entries: Mapping[bytes, bytes], *, n_per_block: int = 1000, kind: int = 0) -> bytes:
    out, index = bytearray(), []

    def append(content: bytes) -> bytes:
        handle = varint(len(out)) + varint(len(content))
        out.extend(content + bytes([kind]) + struct.pack("<I", masked(content + bytes([kind]))))
        return handle

    items = sorted(entries.items())
    for start in range(0, len(items), n_per_block):
        part = items[start : start + n_per_block]
        index.append((part[-1][0], append(block(part))))
    meta = append(block([]))
    footer = meta + append(block(index, restart_interval=1))
    return bytes(out) + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write_bundle(
    prefix: Path, arrays: Mapping[str, np.ndarray], *, n_shards: int = 1, n_per_block: int = 1000
) -> dict[bytes, bytes]:
    """Write a whole bundle, its variables dealt out to the shards in turn; returns the index's entries."""
    entries = {b"": header(n_shards)}
    shards = [bytearray() for _ in range(n_shards)]
    for n, (name, array) in enumerate(arrays.items()):
        shard = n % n_shards
        entries[name.encode()] = entry(array, shard, len(shards[shard]))
        shards[shard] += array.tobytes()
    for n, data in enumerate(shards):
        prefix.with_name(f"{prefix.name}.data-{n:05d}-of-{n_shards:05d}").write_bytes(data)
    write_index(prefix, entries, n_per_block=n_per_block)
    return entries


def write_index(
    prefix: Path, entries: Mapping[bytes, bytes], *, n_per_block: int = 1000, kind: int = 0
) -> None:
    prefix.with_name(prefix.name + ".index").write_bytes(table(entries, n_per_block=n_per_block, kind=kind))
