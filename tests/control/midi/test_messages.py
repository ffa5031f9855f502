"""What is on a wire: messages come out of it, and no garbage ever does harm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.midi.messages import (
    NO_NUMBER,
    TOP,
    TOP_7,
    TOP_14,
    Assembler,
    Message,
    Parser,
    encoded,
)

CHANNELS, SEVEN, FOURTEEN = st.integers(1, 16), st.integers(0, TOP_7), st.integers(0, TOP_14)
PLAIN = st.one_of(
    st.builds(Message, st.just("note"), CHANNELS, SEVEN, SEVEN),
    st.builds(Message, st.just("cc"), CHANNELS, SEVEN, SEVEN),
    st.builds(Message, st.just("program"), CHANNELS, SEVEN, st.just(TOP_7)),
    st.builds(Message, st.just("bend"), CHANNELS, st.just(0), FOURTEEN),
)
CLOCK = st.lists(st.integers(0xF8, 0xFF), max_size=2).map(bytes)


def parsed(*pieces: bytes) -> list[Message]:
    parser = Parser()
    return [message for piece in pieces for message in parser.feed(piece)]


def assembled(*pieces: bytes) -> list[Message]:
    parser, assembler = Parser(), Assembler()
    return [
        whole for piece in pieces for message in parser.feed(piece) for whole in assembler.assemble(message)
    ]


@given(st.lists(PLAIN), st.data())
def test_what_is_said_is_heard_in_any_pieces_with_clock_between_any_two_bytes(
    messages: list[Message], data: st.DataObject
) -> None:
    wire = b"".join(piece for message in messages for piece in encoded(message))
    noisy = b"".join(bytes((byte,)) + data.draw(CLOCK) for byte in wire)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(noisy)), max_size=5)))
    pieces = [noisy[a:b] for a, b in zip([0, *cuts], [*cuts, len(noisy)], strict=True)]
    assert parsed(*pieces) == messages


@given(st.lists(st.binary(max_size=40)))
def test_random_bytes_never_raise_and_give_only_what_a_wire_can_say(pieces: list[bytes]) -> None:
    for message in assembled(*pieces):
        assert 1 <= message.channel <= 16
        assert 0 <= message.number < NO_NUMBER
        assert abs(message.value) <= TOP[message.kind]


def test_running_status_is_understood_and_ends_with_any_other_status() -> None:
    assert parsed(b"\xb0\x07\x01\x07\x02", b"\x08\x03\xf0\x01\x02\xf7\x07\x04") == [
        Message("cc", 1, 7, 1),
        Message("cc", 1, 7, 2),
        Message("cc", 1, 8, 3),
    ]


def test_sysex_clock_pressure_and_halves_are_left_out() -> None:
    assert (
        parsed(b"\xf0\x7e\x00\xb0\x07", b"\xf8", b"\xfe", b"\xd0\x40", b"\xa0\x01\x02", b"\xf2\x01\x02\x03")
        == []
    )
    assert parsed(b"\xb0\x07", b"\x90\x01\x02") == [Message("note", 1, 1, 2)]
    assert parsed(b"\x80\x01\x40", b"\x90\x01\x00") == [Message("note", 1, 1, 0)] * 2


def test_a_pair_of_controllers_is_one_value_that_never_steps_back() -> None:
    wire = (b"\xb0\x01\x40\x21\x10", b"\x01\x41\x21\x05\x01\x40\x21\x7f")
    values = [m.value for m in assembled(*wire) if m.kind == "cc14"]
    assert values == [
        0x40 << 7,
        0x40 << 7 | 0x10,
        0x41 << 7,
        0x41 << 7 | 5,
        0x40 << 7 | 0x7F,
        0x40 << 7 | 0x7F,
    ]


@given(CHANNELS, st.integers(0, NO_NUMBER - 1), FOURTEEN)
def test_an_nrpn_is_told_by_its_number(channel: int, number: int, value: int) -> None:
    told = [m for m in assembled(*encoded(Message("nrpn", channel, number, value))) if m.kind == "nrpn"]
    assert told[-1] == Message("nrpn", channel, number, value)


def test_a_registered_number_ends_an_nrpn_and_steps_move_it_by_one() -> None:
    assert [m for m in assembled(b"\xb0\x63\x00\x62\x05\x64\x00\x06\x10") if m.kind == "nrpn"] == []
    told = [
        m
        for m in assembled(b"\xb0\x63\x00\x62\x05\x06\x10\x60\x01\x61\x01\x61\x01")
        if m.kind in ("nrpn", "step")
    ]
    assert [(m.kind, m.value) for m in told] == [
        ("nrpn", 0x10 << 7),
        ("step", 1),
        ("nrpn", (0x10 << 7) + 1),
        ("step", -1),
        ("nrpn", 0x10 << 7),
        ("step", -1),
        ("nrpn", (0x10 << 7) - 1),
    ]
