"""Learning: what kind of control was moved, and what becomes of the map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rtsep.config import parse
from rtsep.control.midi.learn import recognise, save, with_line
from rtsep.control.midi.maps import Line, Map, read_map
from rtsep.control.midi.messages import Assembler, Message, Parser, encoded


def heard(kind: str, number: int, *values: int) -> list[Message]:
    parser, assembler = Parser(), Assembler()
    wire = [data for value in values for data in encoded(Message(kind, 3, number, value))]  # type: ignore[arg-type]
    return [whole for data in wire for message in parser.feed(data) for whole in assembler.assemble(message)]


@pytest.mark.parametrize(
    ("kind", "number", "values", "expected"),
    [
        ("cc", 7, range(20, 60), {"cc": 7}),
        ("cc", 40, (127, 0), {"cc": 40}),
        ("cc", 1, (1, 1, 2, 1, 127, 127, 126), {"cc": 1, "encoder": "twos_complement"}),
        ("cc", 1, (1, 1, 2, 65, 65, 66), {"cc": 1, "encoder": "signed_bit"}),
        ("cc", 1, (65, 65, 66, 63, 62, 63), {"cc": 1, "encoder": "binary_offset"}),
        ("cc14", 5, range(0, 16000, 333), {"cc14": 5}),
        ("nrpn", 300, range(0, 16000, 333), {"nrpn": 300}),
        ("note", 36, (100, 0), {"note": 36}),
        ("program", 4, (127,), {"program": 4}),
        ("bend", 0, (8192, 9000, 9500), {"bend": True}),
    ],
)
def test_the_kind_of_a_control_is_recognised(
    kind: str, number: int, values: Any, expected: dict[str, Any]
) -> None:
    assert recognise(heard(kind, number, *values)) == {**expected, "channel": 3}


def test_a_knob_turned_to_one_side_only_cannot_be_told_yet() -> None:
    assert recognise(heard("cc", 1, 1, 1, 1, 2)) is None
    assert recognise([]) is None


def test_what_a_control_moved_before_is_told_and_taken_from_its_row(tmp_path: Path) -> None:
    row = {"cc": [1, 2, 3], "to": "/stem/{n}/gain_db"}
    old = parse({"bindings": [row, {"note": 1, "to": "/bypass"}], "match": "pad"}, Map, "test")
    new, conflicts = with_line(
        old, Line.model_validate({"cc": 2, "channel": 1, "to": "/crossfade"}), "my pad"
    )
    assert conflicts == ["CC 2 moved /stem/2/gain_db"]
    assert {b.key: b.to for b in new.each()} == {
        ("cc", None, 1): "/stem/1/gain_db",
        ("cc", None, 3): "/stem/3/gain_db",
        ("note", None, 1): "/bypass",
        ("cc", 1, 2): "/crossfade",
    }
    save(new, tmp_path / "midi" / "pad.yaml")
    assert read_map(tmp_path / "midi" / "pad.yaml").each() == new.each()
