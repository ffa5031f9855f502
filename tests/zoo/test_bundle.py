"""Reading checkpoints without TensorFlow: the real ones, ones made here, and damaged ones."""

from __future__ import annotations

import contextlib
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bundle_writer import entry, header, table, write_bundle, write_index
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.errors import CheckpointError
from rtsep.zoo.bundle import Bundle
from rtsep.zoo.sstable import read_table

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def spoilt(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a golden checkpoint, for spoiling."""
    return Path(shutil.copytree(shared / "golden" / "2stems", tmp_path_factory.mktemp("spoilt") / "2stems"))


def test_the_published_index_parses_to_its_149_variables(golden: Path) -> None:
    bundle = Bundle(golden / "official-2stems-index" / "model")
    assert len(bundle.variables) == 149
    assert bundle.n_shards == 1
    assert bundle.variables["conv2d_6/kernel"].shape == (4, 4, 1, 2)
    assert bundle.variables["conv2d_transpose/kernel"].shape == (5, 5, 256, 512)
    assert bundle.variables["global_step"].dtype_code == 9
    ends = sorted((v.offset, v.offset + v.size_bytes) for v in bundle.variables.values())
    assert all(end == start for (_, end), (start, _) in pairwise(ends))  # no gap, no overlap
    assert ends[-1][1] == 78_614_080


@pytest.mark.parametrize(("name", "n_variables"), [("2stems", 149), ("4stems", 297), ("5stems", 371)])
def test_golden_checkpoints_read_whole(golden: Path, name: str, n_variables: int) -> None:
    bundle = Bundle(golden / name / "model")
    assert len(bundle.variables) == n_variables
    n_bytes = sum(bundle.read(variable).nbytes for variable in bundle.variables)
    assert n_bytes == (golden / name / "model.data-00000-of-00001").stat().st_size


@pytest.mark.parametrize(("n_shards", "n_per_block"), [(1, 1000), (3, 7), (100, 1)])
def test_any_number_of_shards_and_blocks(tmp_path: Path, n_shards: int, n_per_block: int) -> None:
    arrays = {
        f"net_{n}/{part}": RNG.normal(size=(n, 3)).astype(dtype)
        for n in range(40)
        for part, dtype in (
            ("kernel", "float32"),
            ("half", "float16"),
            ("double", "float64"),
            ("step", "int64"),
        )
    }
    write_bundle(tmp_path / "model", arrays, n_shards=n_shards, n_per_block=n_per_block)
    bundle = Bundle(tmp_path / "model")
    assert bundle.n_shards == n_shards
    assert bundle.variables.keys() == arrays.keys()
    for name, array in arrays.items():
        read = bundle.read(name)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=60), max_size=60), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_any_table_comes_back(entries: dict[bytes, bytes], n_per_block: int) -> None:
    assert read_table(table(entries, n_per_block=n_per_block), "table") == entries


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_flipped_bit_of_the_index_is_found(spoilt: Path, data: st.DataObject) -> None:
    whole = (spoilt / "model.index").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= data.draw(st.integers(1, 255))
    (spoilt / "flipped.index").write_bytes(flipped)
    with pytest.raises(CheckpointError, match="byte"):
        Bundle(spoilt / "flipped")


def test_every_bit_of_the_footer_counts(golden: Path) -> None:
    whole = (golden / "official-2stems-index" / "model.index").read_bytes()
    for at in range(len(whole) - 48, len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            with pytest.raises(CheckpointError):
                read_table(bytes(flipped), "flipped")


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_an_index_cut_anywhere_is_found(spoilt: Path, data: st.DataObject) -> None:
    whole = (spoilt / "model.index").read_bytes()
    (spoilt / "cut.index").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(CheckpointError, match=r"truncated|missing"):
        Bundle(spoilt / "cut")


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_other_file_is_refused(content: bytes) -> None:
    with pytest.raises(CheckpointError):
        read_table(content, "anything")


@given(st.binary(min_size=1, max_size=30), st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_nonsense_under_right_checksums_is_refused_or_read(spoilt: Path, key: bytes, value: bytes) -> None:
    write_index(spoilt / "nonsense", {b"": header(1), key: value})
    with contextlib.suppress(CheckpointError):  # and nothing else is ever raised
        bundle = Bundle(spoilt / "nonsense")
        (variable,) = bundle.variables
        bundle.read(variable)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_of_the_data_names_its_variable(spoilt: Path, data: st.DataObject) -> None:
    whole = (spoilt / "model.data-00000-of-00001").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= data.draw(st.integers(1, 255))
    shutil.copyfile(spoilt / "model.index", spoilt / "bad.index")
    (spoilt / "bad.data-00000-of-00001").write_bytes(flipped)
    bundle = Bundle(spoilt / "bad")
    (hit,) = (v for v in bundle.variables.values() if v.offset <= at < v.offset + v.size_bytes)
    with pytest.raises(CheckpointError, match=f"{hit.name!r}, bytes {hit.offset} to .* is damaged"):
        bundle.read(hit.name)


def test_truncated_and_missing_data_are_told_apart(spoilt: Path) -> None:
    whole = (spoilt / "model.data-00000-of-00001").read_bytes()
    shutil.copyfile(spoilt / "model.index", spoilt / "short.index")
    bundle = Bundle(spoilt / "short")
    with pytest.raises(CheckpointError, match=r"short.data-00000-of-00001 is missing.*1 data file"):
        bundle.read("conv2d/kernel")
    (spoilt / "short.data-00000-of-00001").write_bytes(whole[:-1])
    bundle.read("conv2d/kernel")
    with pytest.raises(CheckpointError, match=r"'global_step' lies at bytes .* truncated"):
        bundle.read("global_step")


ONE = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({b"": header(1, endianness=1), b"w": entry(ONE, 0, 0)}, "big-endian"),
        ({b"": header(1, min_consumer=2), b"w": entry(ONE, 0, 0)}, "version 2"),
        ({b"": header(0), b"w": entry(ONE, 0, 0)}, "0 data files"),
        ({b"": b"\xff", b"w": entry(ONE, 0, 0)}, "header cannot be read"),
        ({b"w": entry(ONE, 0, 0)}, "no header"),
        ({b"": header(1), b"w": entry(ONE, 1, 0)}, "'w' lies nowhere"),
        ({b"": header(1), b"w": b"\x0a\xff"}, "'w' cannot be read"),
        ({b"": header(1), b"w": entry(ONE, 0, 0, dtype=7)}, "'w' is of TensorFlow's type 7"),
        ({b"": header(1), b"w": entry(ONE, 0, 0, dtype=14)}, "'w' is of TensorFlow's type 14"),
        ({b"": header(1), b"w": entry(ONE, 0, 0, sliced=True)}, "'w' is stored in slices"),
        ({b"": header(1), b"w": entry(ONE, 0, 0, dtype=2)}, "'w' of shape .* needs 48 bytes, but 24"),
        ({b"": header(1), b"v": entry(ONE, 0, 0)}, "no variable 'w'"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, entries: dict[bytes, bytes], message: str) -> None:
    write_index(tmp_path / "model", entries)
    (tmp_path / "model.data-00000-of-00001").write_bytes(ONE.tobytes())
    with pytest.raises(CheckpointError, match=message):
        Bundle(tmp_path / "model").read("w")


def test_a_compressed_index_is_named(tmp_path: Path) -> None:
    write_index(tmp_path / "model", {b"": header(1)}, kind=1)
    with pytest.raises(CheckpointError, match=r"compressed \(snappy\)"):
        Bundle(tmp_path / "model")


def test_keys_out_of_order_are_refused() -> None:
    sound = table({b"a": b"1", b"b": b"2"}, n_per_block=1)
    blocks = sound[: sound.index(b"a1") - 3], sound[sound.index(b"a1") - 3 :]
    assert blocks[0] == b""
    length = len(sound[sound.index(b"a1") - 3 : sound.index(b"b2") - 3])
    swapped = sound[length : 2 * length] + sound[:length] + sound[2 * length :]
    with pytest.raises(CheckpointError, match="not in order"):
        read_table(swapped, "swapped")


def test_a_missing_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.index cannot be read"):
        Bundle(tmp_path / "model")
