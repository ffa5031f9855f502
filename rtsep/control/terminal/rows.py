"""What of a board is on which page of a screen of text: every parameter has one row, on one page.

::

    MIXER                     what has a fader, and a last row for all the rest
      │ Tab
      ├─▶ /stem/vocals        all that is in the folder of the row: mute, pan, sends, route ...
      └─▶ SESSION             what belongs to no strip: model, input, scenes, recording, the tape machine ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rtsep.board import Board

LEAST_STEMS = 3  # with two, a group is a stem
MIXER, SESSION = "", "/"
#: In this order they stand on a page: what can be moved, what can be done, what can only be read.
KINDS = ("held", "momentary", "told")


@dataclass(frozen=True)
class Row:
    """A parameter with what belongs to it.

    Attributes
    ----------
    label
        As it is called on the screen.
    address
        Of what left and right move; empty for a row that only opens a page.
    folder
        Where its buttons are: ``/stem/vocals``; empty for a fader without any.
    number
        Of a stem, from 1; else 0.
    """

    label: str
    address: str = ""
    folder: str = ""
    number: int = 0

    def beside(self, field: str) -> str:
        """The address of one of its buttons."""
        return f"{self.folder}/{field}"

    @property
    def page(self) -> str:
        """What opens behind it."""
        return self.folder or SESSION


def rows(board: Board, page: str = MIXER) -> tuple[Row, ...]:
    """All rows of a page; none if nothing opens it (any more)."""
    mixer = tuple(_mixer(board))
    if page == MIXER:
        return mixer
    if page == SESSION:
        return tuple(_session(board, mixer))
    if page not in {row.page for row in mixer}:
        return ()
    return tuple(Row(address.removeprefix(f"{page}/"), address, page) for address in _inside(board, page))


def head(board: Board, page: str) -> Row:
    """The row of the mixer behind which a page opens."""
    return next((row for row in reversed(rows(board)) if row.page == page), Row("session"))


def _mixer(board: Board) -> Iterator[Row]:
    """In the order in which sound meets them: stems, direct inputs, groups, buses, and the whole mix."""
    addresses = list(board.parameters)
    stems = list(_named(addresses, "stem"))
    for number, (name, folder) in enumerate(stems, 1):
        yield Row(name, f"{folder}/gain_db", folder, number)
    for kind in ("direct", "group", "bus") if len(stems) >= LEAST_STEMS else ("direct", "bus"):
        label = "all {}" if kind == "group" else "{}"
        for name, folder in _named(addresses, kind):
            yield Row(label.format(name), f"{folder}/gain_db", folder)
    for address in ("/crossfade", "/separation"):
        if address in addresses:
            yield Row(address.strip("/"), address)
    yield Row("session")


def _named(addresses: Sequence[str], kind: str) -> Iterator[tuple[str, str]]:
    """Name and folder of all that are of a kind and have a fader."""
    for address in addresses:
        parts = address.strip("/").split("/")
        if parts[0] == kind and parts[2:] == ["gain_db"]:
            yield parts[1], f"/{kind}/{parts[1]}"


def _inside(board: Board, folder: str) -> list[str]:
    return [address for address in board.parameters if address.startswith(f"{folder}/")]


def _session(board: Board, mixer: Sequence[Row]) -> Iterator[Row]:
    """Everything that has no row and lies in the folder of none; what has the shorter address first."""
    placed = {row.address for row in mixer}
    placed.update(address for row in mixer if row.folder for address in _inside(board, row.folder))
    found = [one for one in board.parameters.values() if one.address not in placed]
    for one in sorted(found, key=lambda one: (KINDS.index(one.kind), one.address.count("/"))):
        yield Row(one.address.strip("/"), one.address)
