"""Shows pictures of a session: in place on a terminal, as plain lines anywhere else."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.live import Live

from rtsep.control.player import Player
from rtsep.control.terminal.bars import ASCII, FLOOR_DBFS, UNICODE, clock
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.picture import draw, health_line, said
from rtsep.errors import UsageError

PLAIN_LINE_EVERY_S = 1.0


def plain_line(player: Player) -> str:
    """One line for logs and dumb terminals."""
    status = player.status()
    at_s = player.transport.position_s if player.transport else status.position_s
    levels = "  ".join(f"{stem} {max(rms, FLOOR_DBFS):.0f}" for stem, rms in status.rms_dbfs.items())
    return f"{clock(at_s)}  {levels} dBFS  {health_line(status).plain}"


class Screen:
    """Shows a session until it is left: a picture in place on a terminal, else a line now and then."""

    def __init__(self, console: Console, player: Player, hands: Hands) -> None:
        self._console, self._player, self._hands = console, player, hands
        self._marks = UNICODE if console.encoding.lower().startswith("utf") else ASCII
        self._live = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._next_line_s = 0.0
        self._told = ""

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self) -> None:
        """Show how things stand now, but for a picture in which something has gone that was just there."""
        with suppress(UsageError):
            self._show()

    def _show(self) -> None:
        if self._live is not None:
            width = self._console.width
            self._live.update(draw(self._player, self._hands, width, self._marks), refresh=True)
            return
        if (news := said(self._hands)) != self._told:
            self._told = news
            if news:
                self._console.print(news, markup=False, highlight=False, soft_wrap=True)
        if time.monotonic() >= self._next_line_s:
            self._console.print(plain_line(self._player), markup=False, highlight=False, soft_wrap=True)
            self._next_line_s = time.monotonic() + PLAIN_LINE_EVERY_S
