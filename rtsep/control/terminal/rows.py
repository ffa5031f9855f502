"""What of a board fits on a screen of text: a row for everything that has a fader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rtsep.board import Board

LEAST_STEMS = 3  # with two, a group is a stem


@dataclass(frozen=True)
class Row:
    """A fader with what belongs to it.

    Attributes
    ----------
    label
        As it is called on the screen.
    fader
        Address of what left and right move.
    folder
        Where its buttons are: ``/stem/vocals``; empty for a fader without any.
    number
        Of a stem, from 1; else 0.
    """

    label: str
    fader: str
    folder: str = ""
    number: int = 0

    def address(self, field: str) -> str:
        """Of one of its buttons."""
        return f"{self.folder}/{field}"


def rows(board: Board) -> tuple[Row, ...]:
    """All rows, in the order in which sound meets them: stems, direct inputs, groups, buses, and the whole mix."""
    addresses = list(board.parameters)
    stems = list(_named(addresses, "stem"))
    found = [Row(name, f"{folder}/gain_db", folder, i) for i, (name, folder) in enumerate(stems, 1)]
    kinds = ("direct", "group", "bus") if len(stems) >= LEAST_STEMS else ("direct", "bus")
    for kind in kinds:
        label = "all {}" if kind == "group" else "{}"
        found += [Row(label.format(n), f"{f}/gain_db", f) for n, f in _named(addresses, kind)]
    found += [Row(one.strip("/"), one) for one in ("/crossfade", "/separation") if one in addresses]
    return tuple(found)


def _named(addresses: list[str], kind: str) -> Iterator[tuple[str, str]]:
    """Name and folder of all that are of a kind and have a fader."""
    for address in addresses:
        parts = address.strip("/").split("/")
        if parts[0] == kind and parts[2:] == ["gain_db"]:
            yield parts[1], f"/{kind}/{parts[1]}"
