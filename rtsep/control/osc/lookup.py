"""Which addresses of the board a pattern means, remembered: to try all of them costs as much as to set them."""

from __future__ import annotations

from rtsep.board import Board
from rtsep.control.osc.patterns import compiled
from rtsep.errors import UsageError

MOST_REMEMBERED = 256  # patterns: a panel has dozens
LONGEST_GUESSED = 60  # characters of an address, of which the nearest is looked for: it takes their square


class Lookup:
    """What has been found, until the addresses of the board change."""

    def __init__(self) -> None:
        self._generation = -1
        self._found: dict[str, tuple[str, ...] | str] = {}  # or why there are none

    def cost(self, board: Board, pattern: str) -> int:
        """How many addresses must be tried to find what it means."""
        if self._generation != board.generation or len(self._found) >= MOST_REMEMBERED:
            self._found, self._generation = {}, board.generation
        return 0 if pattern in board or pattern in self._found else len(board.parameters)

    def find(self, board: Board, pattern: str) -> tuple[str, ...]:
        """The addresses that a pattern means, whose cost was asked for before.

        Raises
        ------
        UsageError
            None.
        """
        if pattern in board:
            return (pattern,)
        if pattern not in self._found:
            matches = compiled(pattern)  # which refuses the long ones
            found = tuple(address for address in board.parameters if matches(address))
            self._found[pattern] = found or _why_none(board, pattern)
        found_or_why = self._found[pattern]
        if isinstance(found_or_why, str):
            raise UsageError(found_or_why)
        return found_or_why


def _why_none(board: Board, pattern: str) -> str:
    if len(pattern) <= LONGEST_GUESSED:
        try:
            board.parameter(pattern)  # which says what is near
        except UsageError as error:
            return str(error)
    return f"there is no parameter {pattern!r}; /namespace lists all"
