"""A sorted string table, the file format of a checkpoint's index: key -> value, all checksums verified.

::

    data block, data block, ..., meta-index block, index block, footer (48 bytes)

    footer   handle of the meta-index block, handle of the index block, zeros up to byte 40, magic (8)
    handle   offset and size of a block, two varints; the trailer is not counted
    block    entries, restart offsets (4 bytes each), number of restarts (4)
    entry    n shared, n own, n value (varints), own part of the key, value; the key's first n shared bytes are
             those of the key before, and none are shared at a restart
    trailer  kind (1 byte: 0 as is, 1 snappy), crc32c of block and kind (4 bytes, masked)

The index block's entries lead to the data blocks: their values are handles. Sources: LevelDB,
``doc/table_format.md`` and ``doc/log_format.md`` (the mask); TensorFlow, ``tsl/lib/io/table.h``.
"""

from __future__ import annotations

import struct

import google_crc32c

from rtsep.errors import CheckpointError
from rtsep.zoo.wire import WireError, read_varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_HANDLES_BYTES = 40
_TRAILER_BYTES = 5
_MASK_DELTA = 0xA282EAD8


def masked_crc32c(data: bytes | memoryview) -> int:
    """The checksum of all of TensorFlow's files: crc32c, rotated right by 15 bits, plus a constant."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def read_table(data: bytes, where: str) -> dict[bytes, bytes]:
    """All entries of a sorted string table, in order.

    Parameters
    ----------
    data
        The whole file.
    where
        Its name, for messages.

    Raises
    ------
    CheckpointError
        The file is something else, cut short, damaged, or compressed; the message says at which byte.
    """
    meta, index = _read_footer(data, where)
    _read_block(data, *meta, where)  # holds nothing for us; a damage in it is a damage of the file
    table: dict[bytes, bytes] = {}
    last = None
    for _, value in _read_block(data, *index, where):
        offset, size = _parse_handles(value, 1, f"{where}: index block")[0]
        for key, entry in _read_block(data, offset, size, where):
            if last is not None and key <= last:
                raise CheckpointError(
                    f"{where}: the keys of the block at byte {offset} are not in order ({key!r} after {last!r}); "
                    f"the file was not written by TensorFlow."
                )
            table[key] = entry
            last = key
    return table


def _read_footer(data: bytes, where: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The handles of the meta-index block and of the index block."""
    if len(data) < _FOOTER_BYTES:
        raise CheckpointError(
            f"{where} has {len(data)} bytes and cannot be a checkpoint's index, whose footer alone has "
            f"{_FOOTER_BYTES}: it is truncated or something else. Fetch the checkpoint anew."
        )
    footer = data[-_FOOTER_BYTES:]
    (magic,) = struct.unpack("<Q", footer[_HANDLES_BYTES:])
    if magic != _MAGIC:
        raise CheckpointError(
            f"{where} is no index of a TensorFlow checkpoint, or its end is missing or damaged: the last 8 bytes, "
            f"from byte {len(data) - 8}, are {magic:#018x} and should be {_MAGIC:#018x}. Give the folder "
            f"that holds `checkpoint`, `*.index` and `*.data-*`, or fetch it anew."
        )
    start = len(data) - _FOOTER_BYTES
    meta, index = _parse_handles(footer[:_HANDLES_BYTES], 2, f"{where}: footer at byte {start}")
    return meta, index


def _parse_handles(data: bytes, n_handles: int, where: str) -> list[tuple[int, int]]:
    """Offsets and sizes; what follows them has to be zeros."""
    numbers = []
    at = 0
    try:
        for _ in range(2 * n_handles):
            value, at = read_varint(data, at)
            numbers.append(value)
    except WireError as error:
        raise CheckpointError(f"{where} is damaged: {error}. Fetch the checkpoint anew.") from error
    if any(data[at:]):
        raise CheckpointError(
            f"{where} is damaged: bytes that should be zero are not. Fetch the checkpoint anew."
        )
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _read_block(data: bytes, offset: int, size: int, where: str) -> list[tuple[bytes, bytes]]:
    """The entries of the block at `offset`, its checksum verified."""
    end = offset + size
    if end + _TRAILER_BYTES > len(data) - _FOOTER_BYTES:
        raise CheckpointError(
            f"{where}: a block of {size} bytes at byte {offset} reaches beyond the file's {len(data)} bytes; "
            f"the file is truncated or damaged. Fetch the checkpoint anew."
        )
    kind, stored = struct.unpack("<BI", data[end : end + _TRAILER_BYTES])
    computed = masked_crc32c(data[offset : end + 1])
    if stored != computed:
        raise CheckpointError(
            f"{where}: the block of bytes {offset} to {end} is damaged (checksum {computed:#010x}, should be "
            f"{stored:#010x}). Fetch the checkpoint anew."
        )
    if kind != 0:
        name = "snappy" if kind == 1 else f"kind {kind}"
        raise CheckpointError(
            f"{where}: the block at byte {offset} is compressed ({name}), which TensorFlow's savers do not do "
            f"and rtsep does not read. Save the checkpoint anew with tf.compat.v1.train.Saver."
        )
    try:
        return _parse_entries(data[offset:end])
    except WireError as error:
        raise CheckpointError(f"{where}: the block at byte {offset} cannot be read: {error}.") from error


def _parse_entries(block: bytes) -> list[tuple[bytes, bytes]]:
    if len(block) < 4:
        raise WireError("it is too short to hold its number of restarts")
    (n_restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (n_restarts + 1)
    if end < 0:
        raise WireError(f"its {n_restarts} restarts do not fit into {len(block)} bytes")
    entries: list[tuple[bytes, bytes]] = []
    key, at = b"", 0
    while at < end:
        n_shared, at = read_varint(block, at)
        n_own, at = read_varint(block, at)
        n_value, at = read_varint(block, at)
        if n_shared > len(key) or at + n_own + n_value > end:
            raise WireError(f"the entry before byte {at} is longer than the block")
        key = key[:n_shared] + block[at : at + n_own]
        at += n_own
        entries.append((key, block[at : at + n_value]))
        at += n_value
    return entries
