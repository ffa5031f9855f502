"""The mixer as a picture of text: a meter and a fader per stem, latency, load, and the tape.

`draw` makes one picture from one look at the session and a width; nothing here keeps time.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator

from rich.text import Text

from rtsep.board import Board
from rtsep.control.player import Player, Status, Transport
from rtsep.control.terminal.bars import UNICODE, Marks, clock, meter, slider
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keys import BINDINGS, scene_names
from rtsep.control.terminal.rows import Row, rows
from rtsep.stream import Latency

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
        yield _transport_line(transport, board, width, marks)
    yield health_line(status, is_dry=bool(board["/bypass"]), records=bool(board.get("/record")))
    yield from _filled(scene_chunks(board), width)
    yield from _filled(latency_chunks(player.latency), width)
    yield from _filled(help_chunks(player, hands), width)
    for line in textwrap.wrap(said(hands, marks.cursor), width, drop_whitespace=False) or [""]:
        yield Text(line, style="italic")


def said(hands: Hands, cursor: str = "") -> str:
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
    pan = float(board[row.address("pan")]) if row.address("pan") in board else 0.0
    if pan:
        flags.append(f" {'L' if pan < 0 else 'R'}{abs(100 * pan):.0f}")
    return flags


def scene_chunks(board: Board) -> Iterator[Text]:
    """``scenes F1 everything  F2 karaoke ..``, with the one that was recalled in bold."""
    yield Text("scenes ", style="dim")
    for number, name in enumerate(scene_names(board), 1):
        style = "bold" if name == board["/scene/current"] else "dim"
        yield Text.assemble((f"F{number} " if number <= N_SCENE_KEYS else "", "dim"), (name, style), "  ")


def _transport_line(transport: Transport, board: Board, width: int, marks: Marks) -> Text:
    """``▶ 0:42 ────╂───A────B──── 3:21``: where the tape stands, and the loop's marks."""
    now, end = clock(transport.position_s), clock(transport.duration_s)
    columns = max(4, width - len(now) - len(end) - 4)
    bar = [marks.line] * columns
    for mark, at_s in (*_loop_marks(board), ("O", transport.position_s)):
        if transport.duration_s > 0:
            bar[min(columns - 1, max(0, int(at_s / transport.duration_s * columns)))] = mark
    return Text(f"{marks.paused if transport.paused else marks.playing} {now} {''.join(bar)} {end}")


def _loop_marks(board: Board) -> Iterator[tuple[str, float]]:
    """Where the loop begins, or will, and where it ends."""
    start_s, end_s = (float(board.get(f"/transport/loop_{end}_s", 0.0)) for end in ("start", "end"))
    if start_s or end_s:
        yield "A", start_s
    if end_s:
        yield "B", end_s


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
