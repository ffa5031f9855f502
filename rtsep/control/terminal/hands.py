"""What the keys remember between two presses."""

from __future__ import annotations

from dataclasses import dataclass

from rtsep.control.player import Player
from rtsep.control.terminal.prompts import Prompt
from rtsep.control.terminal.rows import Row, rows


@dataclass
class Hands:
    """What the keys remember.

    `selected` counts rows from 0; `message` answers the last key; `prompt` is a line that is being written; `learns`:
    the next key says what a controller shall move; `shows_keys`: the screen has all keys, not only the most important;
    `quit` asks for the end, `reload` for the settings to be read anew; `can_press` says whether any key can come,
    `can_reload` whether there are settings to be read.
    """

    selected: int = 0
    message: str = ""
    prompt: Prompt | None = None
    learns: bool = False
    shows_keys: bool = False
    quit: bool = False
    reload: bool = False
    can_reload: bool = False
    can_press: bool = True


def selected(hands: Hands, player: Player) -> Row:
    """The row that is selected; a model that came while it played may make fewer than there were."""
    found = rows(player.board)
    return found[min(hands.selected, len(found) - 1)]
