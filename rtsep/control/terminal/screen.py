"""Shows pictures of a session: in place on a terminal, as plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from rich.console import Console
from rich.live import Live

from rtsep.control.player import Player
from rtsep.control.terminal.bars import ASCII, FLOOR_DBFS, UNICODE, clock
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.picture import draw, filled, health_chunks, help_chunks, said
from rtsep.errors import UsageError

PLAIN_LINE_EVERY_S = 1.0


class Screen:
    """Shows a session until it is left: a picture in place on a terminal, else a line now and then."""

    def __init__(self, console: Console, player: Player, hands: Hands) -> None:
        self._console, self._player, self._hands = console, player, hands
        self._marks = UNICODE if console.encoding.lower().startswith("utf") else ASCII
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = self._new_picture()
        self._size = console.size
        self._next_line_s = 0.0
        self._told, self._known = "", _copy(hands)

    def _new_picture(self) -> Live:
        return Live(console=self._console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()

    @property
    def is_in_place(self) -> bool:
        """Whether there is a picture, which stays where it is; not lines below one another."""
        return self._live is not None

    def say(self, text: str) -> None:
        """Print something above the picture, where it stays; what is one line is also the answer below it.

        Only for a picture in place. Anybody else who prints to its terminal prints into it.
        """
        if "\n" not in text:  # the picture may leave no room above
            self._hands.message = text
        self._console.print(text, markup=False, highlight=False)

    def begin_anew(self) -> None:
        """Forget where the picture was, since a terminal that has another size, or was a shell's, does not have it."""
        if self._live is None:
            return
        with self._console:  # all at once
            self._live.stop()
            self._console.clear()
            self._live = self._new_picture()
            self._live.start()

    def show(self) -> None:
        """Show how things stand now.

        There is no picture if something has gone that was just there: a stem of another model, or the terminal.
        """
        with suppress(UsageError):
            if self._live is None:
                self._show_lines()
                return
            with suppress(OSError):
                self._show_picture()

    def _show_picture(self) -> None:
        if (size := self._console.size) != self._size:
            self._size = size
            self.begin_anew()
        hands = _copy(self._hands)  # which fingers move meanwhile
        picture = draw(self._player, hands, size.width, self._marks, size.height)
        assert self._live is not None
        self._live.update(picture, refresh=True)

    def _show_lines(self) -> None:
        for line in self._news():
            self._print(line)
        if time.monotonic() >= self._next_line_s:
            self._print(plain_line(self._player))
            self._next_line_s = time.monotonic() + PLAIN_LINE_EVERY_S

    def _news(self) -> Iterator[str]:
        """What a key has changed: its answer, or the keys, or which row is selected now."""
        hands, board, known = _copy(self._hands), self._player.board, self._known
        if (answer := said(hands)) != self._told:
            self._told = answer
            if answer:
                yield answer
        if hands.notice != known.notice:
            yield from hands.notice
        if hands.n_helps != known.n_helps:
            helps = help_chunks(self._player, hands, is_short=False)
            yield from (line.plain.rstrip() for line in filled(helps, self._console.width))
        if (hands.page, hands.chosen) != (known.page, known.chosen):
            row = hands.look(board).row
            told = board.parameter(row.address).scale.tell(board[row.address]) if row.address else ""
            yield f"{self._marks.selected} {row.label} {told}".rstrip()
        self._known = hands

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _copy(hands: Hands) -> Hands:
    """Hands that do not move with them."""
    return replace(hands, chosen=dict(hands.chosen))


def plain_line(player: Player) -> str:
    """One line for logs and dumb terminals."""
    status = player.status()
    at_s = player.transport.position_s if player.transport else status.position_s
    levels = "  ".join(f"{stem} {max(rms, FLOOR_DBFS):.0f}" for stem, rms in status.rms_dbfs.items())
    health = "".join(chunk.plain for chunk in health_chunks(status))
    return f"{clock(at_s)}  {levels} dBFS  {health.rstrip()}"
