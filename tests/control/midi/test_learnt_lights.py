"""The light of a button that learns something else shows that from then on."""

from __future__ import annotations

from typing import Any

import pytest
from test_surface import MUTE, SOLO, Bench

from rtsep.control.midi.known import Chosen
from rtsep.control.midi.learn import read_wish, teach
from rtsep.control.midi.surface import Surface

PLAYS, LIT = {"shows": "plays"}, {"channel": 7, "lit": 21, "blink": 21, "blink_channel": 14}


def learnt(wish: str, *lines: dict[str, Any], **found: Any) -> tuple[Bench, Surface]:
    bench = Bench(*lines)
    new = teach(Chosen(bench.map, "test", "test"), read_wish(wish), "pad", {"channel": 1, **found})
    assert new.line == new.map.bindings[-1]
    return bench, bench.surface.with_map(new.map)


@pytest.mark.parametrize(
    ("light", "wish", "address", "off", "on"),
    [
        (PLAYS, MUTE, MUTE, "90647f", "906400"),
        (PLAYS, SOLO, SOLO, "906400", "90647f"),
        ({}, SOLO, SOLO, "906400", "90647f"),
        ({}, MUTE, MUTE, "90647f", "906400"),
        (PLAYS, f"{MUTE}=true", MUTE, "90647f", "906400"),
        ({"shows": "/record"}, "/bypass", "/bypass", "906400", "90647f"),
        (PLAYS | LIT, MUTE, MUTE, "966415", "966400"),
        ({"cc": [7, 8], "dark": 3}, "/bypass", "/bypass", "b00803", "b0087f"),
    ],
)
def test_it_shows_what_the_button_moves_in_the_colours_that_it_had(
    light: dict[str, Any], wish: str, address: str, off: str, on: str
) -> None:
    row = {"note": [99, 100], "to": "/stem/{n}/mute", "light": light}
    bench, surface = learnt(wish, row, note=100)
    for state, told in ((False, off), (True, on)):
        bench.board[address] = state
        assert bytes.fromhex(told) in surface.show()


@pytest.mark.parametrize("wish", ["/scene/recall=karaoke", "/scene/undo", "/stem/1/gain_db=-6"])
def test_what_is_done_once_has_no_light(wish: str) -> None:
    _, surface = learnt(wish, {"note": 100, "to": MUTE, "light": PLAYS}, note=100)
    assert surface.show() == []


def test_other_lights_stay_where_they_were() -> None:
    row = {"note": [99, 100], "to": "/stem/{n}/mute", "light": PLAYS}
    bench, surface = learnt("/bypass", row, note=100)
    assert [data.hex() for data in surface.show()] == ["90637f", "906400"]
    bench.board["/bypass"] = True
    assert [data.hex() for data in surface.show()] == ["90647f"]
