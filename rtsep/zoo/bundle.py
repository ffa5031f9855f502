"""TensorFlow's checkpoints ("tensor bundles"), read without TensorFlow.

A checkpoint ``NAME`` is an index, ``NAME.index``, and its data in shards, ``NAME.data-00000-of-00002`` and so on.
The index is a sorted string table: the empty key leads to a `BundleHeaderProto`, every other key is a variable's
name and leads to a `BundleEntryProto`, which says where its bytes lie. Every block and every tensor has a checksum,
and no number is given out before its checksum was compared.

Sources: TensorFlow, ``core/protobuf/tensor_bundle.proto``, ``core/framework/{types,tensor_shape}.proto``,
``core/util/tensor_bundle/tensor_bundle.h``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.errors import CheckpointError
from rtsep.zoo.sstable import masked_crc32c, read_table
from rtsep.zoo.wire import Message, WireError, number, read_message, strings

INDEX_SUFFIX = ".index"

# DataType of types.proto -> numpy; complex, quantised, bfloat16, string, resource and variant are not here.
_DTYPES = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "<u1",
    5: "<i2",
    6: "<i1",
    9: "<i8",
    10: "|b1",
    19: "<f2",
    22: "<u4",
    23: "<u8",
}

# Field numbers of tensor_bundle.proto and tensor_shape.proto.
_HEADER_N_SHARDS, _HEADER_ENDIANNESS, _HEADER_VERSION = 1, 2, 3
_VERSION_MIN_CONSUMER = 2
_ENTRY_DTYPE, _ENTRY_SHAPE, _ENTRY_SHARD, _ENTRY_OFFSET, _ENTRY_SIZE, _ENTRY_CRC, _ENTRY_SLICES = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
)
_SHAPE_DIM, _SHAPE_UNKNOWN_RANK, _DIM_SIZE = 2, 3, 1

_BUNDLE_VERSION = 1  # what this reader understands


@dataclass(frozen=True)
class Variable:
    """Where a variable lies, as the index tells.

    Attributes
    ----------
    name
        Its name in the graph, ``conv2d_3/kernel`` for instance.
    dtype_code
        TensorFlow's `DataType`: 1 is float32, 9 int64.
    shape
        Empty for a single number.
    shard, offset, size_bytes
        Its bytes: which data file, from where, how many.
    crc32c
        Their masked checksum.
    is_sliced
        Whether its values are stored in pieces, elsewhere.
    """

    name: str
    dtype_code: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size_bytes: int
    crc32c: int
    is_sliced: bool


class Bundle:
    """A checkpoint, its index read and verified; data is read when asked for.

    Parameters
    ----------
    prefix
        The path without ``.index``.

    Attributes
    ----------
    variables
        Name -> `Variable`, in the order of their names.
    n_shards
        Number of data files.

    Raises
    ------
    CheckpointError
        The index is missing, foreign, truncated or damaged.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.index = prefix.with_name(prefix.name + INDEX_SUFFIX)
        try:
            data = self.index.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{self.index} cannot be read: {error.strerror or error}.") from error
        table = read_table(data, str(self.index))
        if b"" not in table:
            raise CheckpointError(
                f"{self.index} is a sorted string table, but no checkpoint: it has no header."
            )
        self.n_shards = self._read_header(table.pop(b""))
        entries = (self._read_entry(key, value) for key, value in table.items())
        self.variables = {entry.name: entry for entry in entries}

    def read(self, name: str) -> NDArray[np.generic]:
        """A variable's values, their checksum verified.

        Raises
        ------
        CheckpointError
            There is no such variable, its data is missing, truncated or damaged, or of a kind that is not read.
        """
        if name not in self.variables:
            raise CheckpointError(f"{self.index} has no variable {name!r}.")
        variable = self.variables[name]
        dtype = self._dtype_of(variable)
        data = self._read_bytes(variable)
        computed = masked_crc32c(data)
        if computed != variable.crc32c:
            raise CheckpointError(
                f"{self._shard(variable)}: variable {name!r}, bytes {variable.offset} to "
                f"{variable.offset + variable.size_bytes}, is damaged (checksum {computed:#010x}, should be "
                f"{variable.crc32c:#010x}). Fetch the checkpoint anew."
            )
        return np.frombuffer(data, dtype=dtype).reshape(variable.shape)

    def _read_header(self, data: bytes) -> int:
        """The number of shards; refuses what this reader would misread."""
        try:
            header = read_message(data)
            version = read_message((strings(header, _HEADER_VERSION) or [b""])[-1])
            n_shards, endianness = number(header, _HEADER_N_SHARDS), number(header, _HEADER_ENDIANNESS)
            min_consumer = number(version, _VERSION_MIN_CONSUMER)
        except WireError as error:
            raise CheckpointError(f"{self.index}: the header cannot be read: {error}.") from error
        if endianness != 0:
            raise CheckpointError(
                f"{self.index}: the checkpoint was written big-endian, which rtsep does not read. "
                f"Save it anew on a little-endian machine (x86, ARM)."
            )
        if min_consumer > _BUNDLE_VERSION:
            raise CheckpointError(
                f"{self.index}: the checkpoint asks for a reader of version {min_consumer}; "
                f"this one knows version {_BUNDLE_VERSION}."
            )
        if n_shards < 1:
            raise CheckpointError(f"{self.index}: the header names {n_shards} data files.")
        return n_shards

    def _read_entry(self, key: bytes, data: bytes) -> Variable:
        name = key.decode("utf-8", errors="backslashreplace")
        try:
            entry = read_message(data)
            variable = Variable(
                name=name,
                dtype_code=number(entry, _ENTRY_DTYPE),
                shape=_shape(entry),
                shard=number(entry, _ENTRY_SHARD),
                offset=number(entry, _ENTRY_OFFSET),
                size_bytes=number(entry, _ENTRY_SIZE),
                crc32c=number(entry, _ENTRY_CRC),
                is_sliced=bool(strings(entry, _ENTRY_SLICES)),
            )
        except WireError as error:
            raise CheckpointError(f"{self.index}: variable {name!r} cannot be read: {error}.") from error
        if not 0 <= variable.shard < self.n_shards or variable.offset < 0 or variable.size_bytes < 0:
            raise CheckpointError(
                f"{self.index}: variable {name!r} lies nowhere: data file {variable.shard} of {self.n_shards}, "
                f"byte {variable.offset}, {variable.size_bytes} bytes."
            )
        return variable

    def _dtype_of(self, variable: Variable) -> np.dtype[np.generic]:
        """The numpy dtype of a variable that can be read whole."""
        if variable.is_sliced:
            raise CheckpointError(
                f"{self.index}: variable {variable.name!r} is stored in slices (it was partitioned), which rtsep "
                f"does not read. Save the checkpoint anew from a model without a partitioner."
            )
        if variable.dtype_code not in _DTYPES:
            raise CheckpointError(
                f"{self.index}: variable {variable.name!r} is of TensorFlow's type {variable.dtype_code}; "
                f"rtsep reads plain numbers only (types {', '.join(map(str, _DTYPES))})."
            )
        dtype: np.dtype[np.generic] = np.dtype(_DTYPES[variable.dtype_code])
        needed = math.prod(variable.shape) * dtype.itemsize
        if needed != variable.size_bytes:
            raise CheckpointError(
                f"{self.index}: variable {variable.name!r} of shape {variable.shape} needs {needed} bytes, "
                f"but {variable.size_bytes} are stored; the index is not consistent."
            )
        return dtype

    def _read_bytes(self, variable: Variable) -> bytes:
        file = self._shard(variable)
        try:
            with file.open("rb") as stream:
                stream.seek(0, 2)
                file_bytes = stream.tell()
                if variable.offset + variable.size_bytes > file_bytes:
                    raise CheckpointError(
                        f"{file} has {file_bytes} bytes, but variable {variable.name!r} lies at bytes "
                        f"{variable.offset} to {variable.offset + variable.size_bytes}: the file is truncated. "
                        f"Fetch the checkpoint anew."
                    )
                stream.seek(variable.offset)
                return stream.read(variable.size_bytes)
        except FileNotFoundError as error:
            raise CheckpointError(
                f"{file} is missing: the checkpoint has {self.n_shards} data file(s), and variable "
                f"{variable.name!r} lies in this one. Put it beside {self.index.name}."
            ) from error
        except OSError as error:
            raise CheckpointError(f"{file} cannot be read: {error.strerror or error}.") from error

    def _shard(self, variable: Variable) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}.data-{variable.shard:05d}-of-{self.n_shards:05d}")


def _shape(entry: Message) -> tuple[int, ...]:
    shapes = strings(entry, _ENTRY_SHAPE)
    if not shapes:
        return ()
    shape = read_message(shapes[-1])
    if number(shape, _SHAPE_UNKNOWN_RANK):
        raise WireError("its rank is unknown")
    sizes = tuple(number(read_message(dim), _DIM_SIZE) for dim in strings(shape, _SHAPE_DIM))
    if any(size < 0 for size in sizes):
        raise WireError(f"its shape {sizes} has a negative size")
    return sizes
