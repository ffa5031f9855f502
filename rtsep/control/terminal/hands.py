"""What the keys remember between two presses."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtsep.board import Board
from rtsep.control.terminal.prompts import Prompt
from rtsep.control.terminal.rows import MIXER, Row, head, rows
from rtsep.scales import Value


@dataclass
class Hands:
    """What the keys remember.

    Attributes
    ----------
    page
        The one that is open; see `rtsep.control.terminal.rows`.
    chosen
        Page to the row that is selected there: its address, and its place, which counts when the address is gone.
    leaf
        Address and value of a choice that is looked at and not taken yet.
    message
        Answers the last key, or is what was said since.
    prompt
        A line that is being written.
    learns
        The next key says what a controller shall move.
    n_helps
        How often help was asked for; see `rtsep.control.terminal.picture.help_lines`.
    quit, reload
        It shall end; the settings shall be read anew.
    can_press, can_reload
        Whether any key can come; whether there are settings to be read.
    invitation
        Lines that say how to come to the web mixer, if there is one.
    notice
        Lines that stand in place of the picture until the next key.
    """

    page: str = MIXER
    chosen: dict[str, tuple[str, int]] = field(default_factory=dict)
    leaf: tuple[str, Value] | None = None
    message: str = ""
    prompt: Prompt | None = None
    learns: bool = False
    n_helps: int = 0
    quit: bool = False
    reload: bool = False
    can_reload: bool = False
    can_press: bool = True
    invitation: tuple[str, ...] = ()
    notice: tuple[str, ...] = ()

    def look(self, board: Board) -> View:
        """The page that is open, if it is still there, and else the mixer."""
        page = self.page
        if not (found := rows(board, page)):
            page, found = MIXER, rows(board)
        address, place = self.chosen.get(page, ("", 0))
        places = [i for i, row in enumerate(found) if row.address == address]
        return View(page, found, places[0] if page in self.chosen and places else min(place, len(found) - 1))

    def choose(self, page: str, found: tuple[Row, ...], place: int) -> None:
        """Open a page, and select a row of it."""
        self.page, self.leaf = page, None
        self.chosen[page] = found[place].address, place

    def leafed(self, address: str, now: Value) -> Value:
        """What a choice shows: what was leafed to, and else what it is now."""
        return self.leaf[1] if self.leaf is not None and self.leaf[0] == address else now


@dataclass(frozen=True)
class View:
    """A page as it is now, and which of its rows is selected, from 0."""

    page: str
    rows: tuple[Row, ...]
    place: int

    @property
    def row(self) -> Row:
        """The one that is selected."""
        return self.rows[self.place]

    def strip(self, board: Board) -> Row:
        """The row of the mixer that is selected, or whose page is open."""
        return self.row if self.page == MIXER else head(board, self.page)
