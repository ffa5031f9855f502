"""Which control is moved: told from any plausible movement of it, or left open, and never another one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rtsep.control.midi.messages import FINE, Assembler, Message, Parser, encoded
from rtsep.control.midi.recognise import ENCODINGS, LARGEST, recognise

CHANNEL = 3
Said = list[tuple[str, int, int]]  # kind, number, value


def movements(*said: Said) -> list[list[Message]]:
    """What an assembler makes of movements on the wire."""
    parser, assembler, heard = Parser(), Assembler(), []
    for movement in said:
        heard.append([])
        for kind, number, value in movement:
            for data in encoded(Message(kind, CHANNEL, number, value)):  # type: ignore[arg-type]
                heard[-1] += [whole for one in parser.feed(data) for whole in assembler.assemble(one)]
    return heard


def cc(number: int, *values: int) -> Said:
    return [("cc", number, value) for value in values]


def found(*said: Said, is_pressed: bool = False) -> dict[str, Any] | None:
    line = recognise(movements(*said), is_pressed=is_pressed)
    if line is not None:
        assert line.pop("channel") == CHANNEL
    return line


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (cc(7, *range(20, 60)), {"cc": 7}),
        (cc(7, 40, 40, 41, 41, 39, 30), {"cc": 7}),
        (cc(1, 1, 1, 2, 1, 127, 127, 126), {"cc": 1, "encoder": "twos_complement"}),
        (cc(1, 1, 1, 2, 65, 65, 66), {"cc": 1, "encoder": "signed_bit"}),
        (cc(1, 65, 65, 65, 63, 63, 63), {"cc": 1, "encoder": "binary_offset"}),
        ([("cc14", 5, value) for value in range(0, 16000, 333)], {"cc14": 5}),
        ([("nrpn", 300, value) for value in range(0, 16000, 333)], {"nrpn": 300}),
        ([("note", 36, 100), ("note", 36, 0)], {"note": 36}),
        ([("program", 4, 127)], {"program": 4}),
        ([("bend", 0, value) for value in (8192, 9000, 9500)], {"bend": True}),
        ([("step", 0, 1), ("step", 0, 1), ("step", 0, -1)], {"step": 0}),
    ],
    ids=str,
)
def test_the_kind_of_a_control_is_recognised(said: Said, expected: dict[str, Any]) -> None:
    assert found(said, is_pressed=bool({"note", "program"} & expected.keys())) == expected


@pytest.mark.parametrize(
    "said",
    [
        cc(1, 1, 1, 1, 2),  # a knob turned to one side, or the bottom of a fader
        cc(1, 1, 2, 3, 4),
        cc(1, 127, 127, 127),
        cc(1, 1, 127),
        cc(1, 1, 2, 126, 127),  # a strip that is touched at both ends
        cc(1, 60, 62, 66, 68),  # a fader that leaps over the middle, or a knob that is spun
        cc(1, 63, 64, 65, 64, 63),  # nobody touches it
        cc(1, 50),
        cc(1, 0),  # a button that was pressed before
        [("note", 36, 0)],
        [("bend", 0, 8192)],
        cc(99, 1) + cc(98, 5),  # a number is named, and not set
        [],
        [
            one for n in (2, 12, 24) for one in cc(101, 0) + cc(100, 0) + cc(6, n) + cc(38, 0)
        ],  # the range of the bend
        [("cc14", 5, 300)],
    ],
    ids=str,
)
def test_what_two_controls_could_have_said_is_left_open(said: Said) -> None:
    assert found(said) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            [("note", 104, 127), *[("bend", 0, v) for v in range(0, 9000, 500)], ("note", 104, 0)],
            {"bend": True},
        ),
        (cc(0, 1) + cc(32, 2) + [("program", 7, 127)], {"program": 7}),
        ((cc(0, 1) + cc(32, 2) + [("program", 7, 127)]) * 4, {"program": 7}),
        (cc(0, *range(0, 50, 2)) + cc(32, 127, 0), {"cc": 0}),  # a nanoKONTROL2's fader and its button
        (cc(7, *range(50)) + cc(8, 60, 61), {"cc": 7}),
        ([*cc(1, *range(50)), ("note", 36, 100)], {"cc": 1}),
    ],
    ids=str,
)
def test_what_is_said_beside_it_does_not_count(said: Said, expected: dict[str, Any]) -> None:
    assert found(said, is_pressed="program" in expected) == expected


def test_the_last_movement_is_meant_and_the_earlier_ones_of_its_control_count() -> None:
    knob = cc(16, 1, 1, 1)
    assert found(knob, cc(16, 127, 127)) == {"cc": 16, "encoder": "twos_complement"}
    assert found(knob, cc(17, *range(30, 90))) == {"cc": 17}
    assert found(knob, cc(17, 127, 127)) is None


# --- any plausible movement ---


@st.composite
def paths(draw: st.DrawFn, top: int = 127, fastest: int = 60) -> list[int]:
    """Of a fader: from anywhere, back and forth, slow and fast, with values said once or twice, to both ends."""
    n_times = draw(st.integers(1, 2))
    at = draw(st.integers(0, top))
    path = [at]
    for target in draw(st.lists(st.integers(0, top), min_size=1, max_size=3)):
        while at != target:
            step = draw(st.integers(1, fastest))
            at = min(target, at + step) if target > at else max(target, at - step)
            path.append(at)
    return [value for value in path for _ in range(n_times)]


@st.composite
def turns(draw: st.DrawFn) -> list[int]:
    """Of a knob without ends, in steps: to either side, slow and spun."""
    steps: list[int] = []
    for side in draw(st.lists(st.sampled_from([-1, 1]), min_size=1, max_size=4)):
        steps += [side * n for n in draw(st.lists(st.integers(1, LARGEST), min_size=1, max_size=8))]
    return steps


def cut(values: Sequence[int], places: Sequence[int]) -> Iterator[Sequence[int]]:
    ends = sorted({0, len(values), *(place % len(values) for place in places)})
    yield from (values[a:b] for a, b in itertools.pairwise(ends))


NUMBERS = st.integers(0, 127)
PLACES = st.lists(st.integers(0, 200), max_size=3)


@settings(max_examples=400, deadline=None)
@given(NUMBERS, paths(), PLACES, st.booleans())
def test_a_fader_is_never_taken_for_another_control(
    number: int, path: list[int], places: list[int], is_pressed: bool
) -> None:
    parts = [cc(number, *part) for part in cut(path, places)]
    for n in range(1, len(parts) + 1):
        line = found(*parts[:n], is_pressed=is_pressed)
        # Of two rests in a row at one place, with one word each, a button could be the reason.
        said_twice = all(len(part) == 1 for part in parts[:n])
        assert line in (None, {"cc": number}) or (said_twice and is_pressed)


@settings(max_examples=150, deadline=None)
@given(NUMBERS, paths(), st.integers(1, 40))
def test_a_fader_that_goes_its_whole_way_is_recognised(number: int, path: list[int], step: int) -> None:
    sweep = [*range(0, 127, step), 127]
    assert found(cc(number, *path), cc(number, *sweep)) == {"cc": number}
    assert found(cc(number, *path), cc(number, *reversed(sweep))) == {"cc": number}


@settings(max_examples=400, deadline=None)
@given(NUMBERS, st.sampled_from(sorted(ENCODINGS)), turns(), PLACES)
def test_a_knob_without_ends_is_never_taken_for_another_control(
    number: int, encoding: Any, steps: list[int], places: list[int]
) -> None:
    wire = {step: value for value, step in ENCODINGS[encoding].items()}
    parts = [cc(number, *(wire[step] for step in part)) for part in cut(steps, places)]
    for n in range(1, len(parts) + 1):
        assert found(*parts[:n]) in (None, {"cc": number, "encoder": encoding})


@settings(max_examples=150, deadline=None)
@given(NUMBERS, st.sampled_from(sorted(ENCODINGS)), turns(), st.integers(3, 8), st.integers(2, 8))
def test_a_knob_that_is_turned_slowly_to_both_sides_is_recognised(
    number: int, encoding: Any, steps: list[int], n_there: int, n_back: int
) -> None:
    wire = {step: value for value, step in ENCODINGS[encoding].items()}
    slowly = [1] * n_there + [-1] * n_back
    expected = {"cc": number, "encoder": encoding}
    for movement in (slowly, [-step for step in slowly]):
        assert found(cc(number, *(wire[step] for step in movement))) == expected
        assert found(cc(number, *(wire[step] for step in [*steps, *movement]))) == expected


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 31), paths(16383, 4000), st.booleans(), st.booleans())
def test_a_fader_of_14_bits_is_recognised_with_either_half_first(
    number: int, path: list[int], is_fine_first: bool, says_changes_only: bool
) -> None:
    said: Said = []
    before = (-1, -1)
    for value in path:
        halves = [("cc", number, value >> 7), ("cc", number + FINE, value & 127)]
        is_new = [halves[0][2] != before[0], halves[1][2] != before[1]]
        if says_changes_only:
            halves = [half for half, new in zip(halves, is_new, strict=True) if new]
        said += reversed(halves) if is_fine_first else halves
        before = (value >> 7, value & 127)
    line = found(said)
    assert line in (None, {"cc14": number})
    assume(max(path) - min(path) > 1000 and len({value >> 7 for value in path}) > 3)
    assert line == {"cc14": number}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["bend", "nrpn"]), st.integers(0, 16382), paths(16383, 4000))
def test_other_faders_of_14_bits_are_recognised(kind: str, number: int, path: list[int]) -> None:
    said = [(kind, 0 if kind == "bend" else number, value) for value in path]
    expected = {"bend": True} if kind == "bend" else {"nrpn": number}
    line = found(said)
    assert line in (None, expected)
    assume(len(set(path)) >= 3 and max(path) - min(path) > 1000)
    assert line == expected


# --- buttons ---


@pytest.mark.parametrize(
    ("presses", "expected"),
    [
        ([cc(40, 127, 0)], {"cc": 40}),
        ([cc(40, 127), cc(40, 0)], None),  # held down for long; or it latches
        ([cc(40, 127), cc(40, 0), cc(40, 127, 0)], {"cc": 40}),
        ([cc(40, 127), cc(40, 0), cc(40, 127)], {"cc": 40, "press": "each"}),
        ([cc(40, 127)], None),
        ([cc(40, 127), cc(40, 127)], {"cc": 40, "press": "each"}),
        ([cc(40, 100), cc(40, 100)], {"cc": 40, "press": "each"}),
        ([cc(40, 1), cc(40, 1)], None),
        ([cc(40, 0), cc(40, 0)], None),
    ],
    ids=str,
)
def test_buttons_that_spring_back_that_latch_and_that_say_only_on(
    presses: list[Said], expected: dict[str, Any] | None
) -> None:
    assert found(*presses, is_pressed=True) == expected


def test_a_word_that_is_said_again_and_again_moves_no_fader() -> None:
    assert found(*[cc(40, 127)] * 5) is None
    assert found(*[cc(40, 100)] * 5) is None


CONTROLS = st.sampled_from(["cc", "note", "bend", "program", "nrpn", "cc14", "step"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(CONTROLS, st.integers(0, 31), st.sampled_from([0, 1])), max_size=8), max_size=4
    )
)
def test_whatever_is_said_it_never_raises_and_names_what_was_said(said: list[Said]) -> None:
    heard = {(m.kind, m.number) for movement in movements(*said) for m in movement}
    line = found(*said)
    if line is not None:
        kind = next(iter(line))
        assert (kind, 0 if kind == "bend" else line[kind]) in heard
