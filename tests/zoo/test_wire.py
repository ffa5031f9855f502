"""The wire format against the examples of its document, and against nonsense."""

from __future__ import annotations

import contextlib

import pytest
from bundle_writer import varint
from hypothesis import given
from hypothesis import strategies as st

from rtsep.zoo.wire import WireError, number, read_message, read_varint, signed, strings


def test_the_documents_examples() -> None:
    # protobuf.dev, "Encoding": a = 150; b = "testing"; nested; and -2 as ten bytes.
    assert read_message(bytes.fromhex("089601")) == {1: [150]}
    assert read_message(bytes.fromhex("120774657374696e67")) == {2: [b"testing"]}
    assert read_message(strings(read_message(bytes.fromhex("1a03089601")), 3)[0]) == {1: [150]}
    assert number(read_message(bytes.fromhex("08feffffffffffffffff01")), 1) == -2
    assert read_message(bytes.fromhex("0d01000000110200000000000000")) == {1: [1], 2: [2]}


@given(st.integers(0, 2**64 - 1), st.binary(max_size=5))
def test_numbers_come_back(value: int, rest: bytes) -> None:
    data = varint(value)
    assert read_varint(data + rest, 0) == (value, len(data))
    assert signed(value) % 2**64 == value
    assert -(2**63) <= signed(value) < 2**63


@pytest.mark.parametrize(
    "data", ["80", "ffffffffffffffffffff01", "ffffffffffffffffff7f", "088000", "0b", "00", "0a05ff", "0dffff"]
)
def test_what_breaks_off_or_is_not_known_is_refused(data: str) -> None:
    with pytest.raises(WireError, match="byte"):
        read_message(bytes.fromhex(data))


def test_fields_of_the_wrong_kind_are_refused() -> None:
    message = read_message(bytes.fromhex("0896011200"))
    with pytest.raises(WireError, match="field 2"):
        number(message, 2)
    with pytest.raises(WireError, match="field 1"):
        strings(message, 1)
    assert number(message, 9) == 0
    assert strings(message, 9) == []


@given(st.binary(max_size=80))
def test_nothing_else_is_ever_raised(data: bytes) -> None:
    with contextlib.suppress(WireError):
        read_message(data)
