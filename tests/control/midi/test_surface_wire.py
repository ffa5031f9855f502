"""Whatever is on the wire: rubbish, half messages, clock and SysEx move nothing."""

from __future__ import annotations

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from midi_bench import GAIN, MUTE, PAN, SOLO, Bench

WIRED = (
    {"cc": 7, "to": GAIN, "pickup": False},
    {"note": 1, "to": MUTE, "shift": SOLO},
    {"cc14": 3, "to": PAN},
    {"bend": True, "to": "/crossfade", "pickup": False},
    {"nrpn": 133, "to": "/separation"},
    {"step": 133, "to": "/stem/drums/pan"},
    {"program": 5, "to": "/bypass", "value": True},
)
#: What a complete message with one of these beginnings may move; the numbers of the map come up often.
MOVES = {
    (0x80, 1): {MUTE, SOLO},
    (0x90, 1): {MUTE, SOLO},
    (0xB0, 7): {GAIN},
    (0xB0, 3): {PAN},
    (0xB0, 35): {PAN},
    (0xB0, 6): {"/separation"},
    (0xB0, 38): {"/separation"},
    (0xB0, 96): {"/stem/drums/pan", "/separation"},
    (0xB0, 97): {"/stem/drums/pan", "/separation"},
    (0xC0, 5): {"/bypass"},
}
OFTEN = st.sampled_from(
    [
        *range(0x80, 0x100),
        0x80,
        0x90,
        0xB0,
        0xB0,
        0xC0,
        0xE0,
        0xF0,
        0xF7,
        0xF8,
        1,
        3,
        5,
        6,
        7,
        35,
        38,
        96,
        97,
        98,
        99,
    ]
)


def complete(wire: bytes) -> set[str]:
    """What the complete messages of a wire may move, read in another way than by a parser: cut at every status."""
    moved: set[str] = set()
    for status, data in re.findall(
        rb"([\x80-\xf7])([\x00-\x7f]*)", re.sub(rb"[\xf8-\xff]", b"", wire), re.DOTALL
    ):
        kind = status[0] & 0xF0
        size = 1 if kind in (0xC0, 0xD0) else 2
        for at in range(0, len(data) - size + 1, size):
            moved |= {"/crossfade"} if kind == 0xE0 else MOVES.get((kind, data[at]), set())
    return moved


@settings(max_examples=500, deadline=None)
@given(st.lists(st.lists(st.one_of(OFTEN, st.integers(0, 255)), max_size=40).map(bytes), max_size=8))
def test_random_bytes_never_raise_nor_move_what_no_complete_message_names(pieces: list[bytes]) -> None:
    bench = Bench(*WIRED, shift={"note": 2})
    before = bench.board.values
    for piece in pieces:
        bench.surface.hear(piece)
        bench.surface.show()
    after = bench.board.values
    moved = {address for address in after if after[address] != before[address]}
    assert moved <= complete(b"".join(pieces))
    assert bench.said == []


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_message_that_is_cut_off_anywhere_moves_nothing(data: st.DataObject) -> None:
    bench = Bench(*WIRED, shift={"note": 2})
    before = bench.board.values
    whole = data.draw(st.sampled_from([b"\xb0\x07\x7f", b"\x90\x01\x40", b"\xe0\x00\x00", b"\xc0\x05"]))
    clock = st.lists(st.integers(0xF8, 0xFF), max_size=2).map(bytes)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for byte in cut:
        bench.surface.hear(data.draw(clock) + bytes((byte,)) + data.draw(clock))
    bench.surface.hear(
        data.draw(st.sampled_from([b"", b"\xf0\x01\x02\xf7\x40\x40", b"\xf2\x01\x02\x40", b"\xd3\x40"]))
    )
    assert bench.board.values == before


def test_clock_and_sysex_move_nothing() -> None:
    bench = Bench({"cc": 7, "to": GAIN, "pickup": False})
    bench.surface.hear(b"\xf8\xf0\x7e\x07\x40\xf7\xfe\xb0\xf8\x07\xf8\x00")
    assert bench.board[GAIN] == -math.inf
