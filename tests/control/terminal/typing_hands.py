"""Keys that are pressed one after another, and where hands stand then."""

from __future__ import annotations

from session import StillSession

from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keys import press

ESCAPE = "KEY_ESCAPE"


def type_keys(session: StillSession, hands: Hands, *keys: str) -> None:
    for key in keys:
        press(key, hands, session)


def selected(hands: Hands, session: StillSession) -> str:
    return hands.look(session.board).row.address


def at(number: int, session: StillSession) -> Hands:
    """Hands that have selected a stem."""
    hands = Hands()
    press(str(number), hands, session)
    return hands


def loop_of(session: StillSession) -> tuple[float, float]:
    board = session.board
    return float(board["/transport/loop_start_s"]), float(board["/transport/loop_end_s"])


def open_row(hands: Hands, session: StillSession, label: str) -> None:
    """Go down to a row of the page that is open."""
    for _ in hands.look(session.board).rows:
        if hands.look(session.board).row.label == label:
            return
        press("KEY_DOWN", hands, session)
    raise AssertionError(f"there is no {label}")
