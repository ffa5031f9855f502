"""The mixer as a picture of text: a meter and a fader per stem, latency, load, and the tape.

`draw` makes one picture from one look at the session and a width; nothing here keeps time. `Screen` shows
pictures: in place on a terminal, as plain lines anywhere else.
"""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rtsep.board import Board
from rtsep.control.keys import BINDINGS, Hands, scene_names
from rtsep.control.player import Player, Status, Transport
from rtsep.control.rows import Row, rows
from rtsep.errors import UsageError
from rtsep.scales import as_number
from rtsep.stream import Latency

FLOOR_DBFS = -60.0
#: Where a meter turns yellow and red.
ZONES_DBFS = ((-18.0, "green"), (-6.0, "yellow"), (0.0, "red"))
PLAIN_LINE_EVERY_S = 1.0

NAME_COLUMNS = 13  # fewer on a narrow screen
GAIN_COLUMNS = 9
FLAG_COLUMNS = 9
LEAST_METER_COLUMNS = 4
#: Buttons of a row, as they are shown when they are pressed.
BUTTONS = (
    ("mute", "M", "bold white on red"),
    ("solo", "S", "bold black on yellow"),
    ("invert", "I", "bold white on blue"),
    ("cue", "C", "bold black on green"),
)
N_SCENE_KEYS = 12
#: Marker, number, spaces between the columns.
OTHER_COLUMNS = 6


@dataclass(frozen=True)
class Marks:
    """The characters of a picture, for terminals with and without Unicode."""

    rms: str
    peak: str
    rest: str
    selected: str
    line: str
    playing: str
    paused: str
    knob: str
    cursor: str


UNICODE = Marks("█", "▒", "·", "▸", "─", "▶", "‖", "┃", "▏")
ASCII = Marks("#", "=", ".", ">", "-", ">", "|", "|", "_")


def draw(player: Player, hands: Hands, width: int, marks: Marks = UNICODE) -> Text:
    """One picture of the session.

    Parameters
    ----------
    player
        What is shown.
    hands
        What is selected and marked.
    width
        Columns of the terminal; no line of the mixer is longer.
    marks
        The characters to draw with.
    """
    return Text("\n").join(_lines(player, hands, width, marks))


def _lines(player: Player, hands: Hands, width: int, marks: Marks) -> Iterator[Text]:
    status, board = player.status(), player.board
    found = rows(board)
    for place, row in enumerate(found):
        is_selected = place == min(hands.selected, len(found) - 1)
        yield _row_line(row, board, status, is_selected, width, marks)
    yield Text("")
    transport = player.transport
    if transport is None:
        yield Text(f"live   {clock(status.position_s)}")
    else:
        yield _transport_line(transport, hands, width, marks)
    yield health_line(status, is_dry=bool(board["/bypass"]), records=bool(board.get("/record")))
    yield from _filled(scene_chunks(board), width)
    yield from _filled(latency_chunks(player.latency), width)
    yield from _filled(help_chunks(player, hands), width)
    for line in textwrap.wrap(_said(hands, marks.cursor), width, drop_whitespace=False) or [""]:
        yield Text(line, style="italic")


def _said(hands: Hands, cursor: str = "") -> str:
    """The answer to the last key, or the line that is being written."""
    return hands.message if hands.prompt is None else f"{hands.prompt.label}{hands.prompt.text}{cursor}"


def _row_line(row: Row, board: Board, status: Status, selected: bool, width: int, marks: Marks) -> Text:
    """``▸1 vocals       ████▒▒······   -12.0 dB MS    L25``."""
    columns = _meter_columns(width)
    name = row.label[: _name_columns(width)].ljust(_name_columns(width))
    line = Text(f"{marks.selected if selected else ' '}{row.number or ' '} {name} ")
    if selected:
        line.stylize("bold")
    if (level := _level(row, status)) is not None:
        line.append(meter(*level, columns, marks))
    else:
        line.append(slider(board.position(row.fader), columns, marks))
    value = board.parameter(row.fader).scale.tell(board[row.fader])
    line.append(f" {value:>{GAIN_COLUMNS}} ")
    return line.append_text(_flags(row, board))


def _level(row: Row, status: Status) -> tuple[float, float] | None:
    """Peak and RMS in dBFS of what is measured."""
    if row.number:
        return status.peak_dbfs.get(row.label, -math.inf), status.rms_dbfs.get(row.label, -math.inf)
    return (status.main_dbfs, status.main_dbfs) if row.folder == "/bus/main" else None


def slider(position: float, width: int, marks: Marks) -> Text:
    """Where a fader without a meter stands: ``────┃─────``."""
    place = round(position * (width - 1))
    bar = Text(marks.line * place, style="dim")
    bar.append(marks.knob, style="bold")
    return bar.append(marks.line * (width - 1 - place), style="dim")


def _name_columns(width: int) -> int:
    return max(
        4, min(NAME_COLUMNS, width - OTHER_COLUMNS - GAIN_COLUMNS - FLAG_COLUMNS - LEAST_METER_COLUMNS)
    )


def _meter_columns(width: int) -> int:
    rest = width - OTHER_COLUMNS - _name_columns(width) - GAIN_COLUMNS - FLAG_COLUMNS
    return max(LEAST_METER_COLUMNS, rest)


def _flags(row: Row, board: Board) -> Text:
    """Buttons that are pressed, and the pan where it is turned: ``MSIC L25``."""
    flags = Text()
    for field, letter, style in BUTTONS:
        is_on = row.address(field) in board and board[row.address(field)]
        flags.append(letter if is_on else " ", style=style if is_on else "")
    pan = as_number(board[row.address("pan")]) if row.address("pan") in board else 0.0
    if pan:
        flags.append(f" {'L' if pan < 0 else 'R'}{abs(100 * pan):.0f}")
    return flags


def scene_chunks(board: Board) -> Iterator[Text]:
    """``scenes F1 everything  F2 karaoke ..``, with the one that was recalled in bold."""
    yield Text("scenes ", style="dim")
    for number, name in enumerate(scene_names(board), 1):
        style = "bold" if name == board["/scene/current"] else "dim"
        yield Text.assemble((f"F{number} " if number <= N_SCENE_KEYS else "", "dim"), (name, style), "  ")


def meter(peak_dbfs: float, rms_dbfs: float, width: int, marks: Marks = UNICODE) -> Text:
    """A bar from the floor to 0 dBFS: full up to the RMS, shaded up to the peak."""
    n_rms, n_peak = _columns(rms_dbfs, width), _columns(peak_dbfs, width)
    bar = Text()
    for column in range(width):
        if column >= max(n_rms, n_peak):
            bar.append(marks.rest * (width - column), style="dim")
            break
        at_dbfs = FLOOR_DBFS * (1 - column / width)
        colour = next(colour for top_dbfs, colour in ZONES_DBFS if at_dbfs < top_dbfs)
        bar.append(marks.rms if column < n_rms else marks.peak, style=colour)
    return bar


def _columns(level_dbfs: float, width: int) -> int:
    """How far a level reaches, in columns."""
    share = 1 - max(FLOOR_DBFS, min(level_dbfs, 0.0)) / FLOOR_DBFS
    return round(share * width)


def _transport_line(transport: Transport, hands: Hands, width: int, marks: Marks) -> Text:
    """``▶ 0:42 ────╂───A────B──── 3:21``: where the tape stands, and the loop's marks."""
    now, end = clock(transport.position_s), clock(transport.duration_s)
    columns = max(4, width - len(now) - len(end) - 4)
    bar = [marks.line] * columns
    for mark, at_s in (("A", hands.loop_start_s), ("B", hands.loop_end_s), ("O", transport.position_s)):
        if at_s is not None and transport.duration_s > 0:
            bar[min(columns - 1, max(0, int(at_s / transport.duration_s * columns)))] = mark
    return Text(f"{marks.paused if transport.paused else marks.playing} {now} {''.join(bar)} {end}")


def health_line(status: Status, *, is_dry: bool = False, records: bool = False) -> Text:
    """Load, late blocks, xruns, and whether the mixture is heard in place of stems; red where they hurt."""
    line = Text("load ")
    line.append(f"{status.load:.0%}", style="red" if status.load > 1 else "green")
    line.append("   late ")
    line.append(f"{status.n_late_blocks} blocks", style="red" if status.n_late_blocks else "")
    line.append("   xruns ")
    line.append(f"{status.n_xruns}", style="red" if status.n_xruns else "")
    if status.n_moves:
        line.append(f"   update {status.update_hops} hops, changed {status.n_moves} times", style="yellow")
    line.append("   mixture" if status.is_late else "", style="red")
    line.append("   dry" if is_dry else "", style="bold yellow")
    return line.append("   recording" if records else "", style="bold red")


def help_chunks(player: Player, hands: Hands) -> Iterator[Text]:
    """The keys that work here, or the most important of them, each with what it does."""
    if not hands.can_press:
        yield Text.assemble(("Ctrl-C", "bold"), " ends it", style="dim")
        return
    for binding in BINDINGS:
        if binding.works(player, hands) and (binding.is_basic or hands.shows_keys):
            yield Text.assemble((binding.label, "bold"), " ", binding.what, "  ", style="dim")


def latency_chunks(latency: Latency) -> Iterator[Text]:
    """``latency 128.0 ms = card 5.8 + window 92.9 + ...``, cut where a line may end."""
    total, _, parts = str(latency).partition(" = ")
    yield Text(f"latency {total} = ", style="dim")
    *first, last = parts.split(" + ")
    for part in first:
        yield Text(f"{part} + ", style="dim")
    yield Text(last, style="dim")


def _filled(chunks: Iterable[Text], width: int) -> Iterator[Text]:
    """Chunks in lines of at most `width` columns (a longer chunk has a line of its own)."""
    line = Text()
    for chunk in chunks:
        if line.cell_len and line.cell_len + len(chunk.plain.rstrip()) > width:
            yield line
            line = Text()
        line.append_text(chunk)
    yield line


def plain_line(player: Player) -> str:
    """One line for logs and dumb terminals."""
    status = player.status()
    at_s = player.transport.position_s if player.transport else status.position_s
    levels = "  ".join(f"{stem} {max(rms, FLOOR_DBFS):.0f}" for stem, rms in status.rms_dbfs.items())
    return f"{clock(at_s)}  {levels} dBFS  {health_line(status).plain}"


def clock(time_s: float) -> str:
    """Seconds as ``m:ss``, or ``h:mm:ss``."""
    minutes, seconds = divmod(max(0, int(time_s)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


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
        if (said := _said(self._hands)) != self._told:
            self._told = said
            if said:
                self._console.print(said, markup=False, highlight=False, soft_wrap=True)
        if time.monotonic() >= self._next_line_s:
            self._console.print(plain_line(self._player), markup=False, highlight=False, soft_wrap=True)
            self._next_line_s = time.monotonic() + PLAIN_LINE_EVERY_S
