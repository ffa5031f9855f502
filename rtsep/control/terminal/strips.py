"""The rows of a page as lines of text: a strip with its meter, or one parameter with its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from rtsep import scales
from rtsep.board import Board
from rtsep.control.player import Status
from rtsep.control.terminal.bars import Marks, meter, slider
from rtsep.control.terminal.hands import Hands, View
from rtsep.control.terminal.rows import MIXER, SESSION, Row, head, rows
from rtsep.parameters import Parameter
from rtsep.scales import as_number

NAME_COLUMNS = 13  # fewer on a narrow screen
GAIN_COLUMNS = 9
FLAG_COLUMNS = 9
LEAST_METER_COLUMNS = 4
#: Marker, number, spaces between the columns.
OTHER_COLUMNS = 6
#: Marker and two more before the name of a parameter, a space behind it.
MARGIN_COLUMNS = 4
#: Whose values have a column of their own.
SHORT = (scales.Gain, scales.Range, scales.Switch)
#: Buttons of a row, as they are shown when they are pressed.
BUTTONS = (
    ("mute", "M", "bold white on red"),
    ("solo", "S", "bold black on yellow"),
    ("invert", "I", "bold white on blue"),
    ("cue", "C", "bold black on green"),
)


@dataclass(frozen=True)
class Look:
    """What rows are drawn from: one look at a session, and the columns and characters to do it with."""

    board: Board
    status: Status
    levels: Mapping[str, tuple[float, float]]  # peak and RMS in dBFS, by the folder of a row
    width: int
    marks: Marks


def page_lines(look: Look, hands: Hands, view: View) -> list[Text]:
    """A line for every row of a page, without saying which is selected."""
    if view.page == MIXER:
        return [strip_line(look, row) for row in view.rows]
    longest = max(_name_columns(look.width), *(len(row.label) for row in view.rows))
    columns = min(longest, look.width - MARGIN_COLUMNS - LEAST_METER_COLUMNS - 1 - GAIN_COLUMNS)
    return [_parameter_line(look, hands, row, columns) for row in view.rows]


def head_line(look: Look, page: str) -> Text:
    """What is above the rows of a page: the strip that they belong to."""
    return strip_line(look, head(look.board, page))


def strip_line(look: Look, row: Row) -> Text:
    """`` 1 vocals       ████▒▒······   -12.0 dB MS    L25``."""
    board, columns = look.board, _name_columns(look.width)
    line = Text(f" {row.number or ' '} {_name(row, columns, look.marks)} ")
    if not row.address:
        line.append(_cut(_choices(board), look.width - line.cell_len, look.marks))
        return line
    line.append_text(_bar(look, row, _meter_columns(look.width)))
    value = board.parameter(row.address).scale.tell(board[row.address])
    line.append(f" {value:>{GAIN_COLUMNS}} ")
    return line.append_text(_flags(row, board))


def _bar(look: Look, row: Row, columns: int) -> Text:
    """A meter where something is measured, else where the fader stands."""
    if (level := look.levels.get(row.folder)) is not None:
        return meter(*level, columns, look.marks)
    return slider(look.board.position(row.address), columns, look.marks)


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
        is_on = bool(board.get(row.beside(field)))
        flags.append(letter if is_on else " ", style=style if is_on else "")
    if pan := as_number(board.get(row.beside("pan"), 0.0)):
        flags.append(f" {'L' if pan < 0 else 'R'}{abs(100 * pan):.0f}")
    return flags


def _choices(board: Board) -> str:
    """What is chosen for the whole session: ``song.flac  2stems  quality``; of a path the name."""
    parameters = [board.parameter(row.address) for row in rows(board, SESSION)]
    return "  ".join(PurePath(str(board[one.address])).name for one in parameters if _is_choice(one))


def _is_choice(parameter: Parameter) -> bool:
    return parameter.kind == "held" and isinstance(parameter.scale, scales.Text)


def _parameter_line(look: Look, hands: Hands, row: Row, columns: int) -> Text:
    """``   pan          ──────┃─────     0.00``, or what it does, where there is nothing to draw."""
    parameter = look.board.parameter(row.address)
    line = Text(f"   {_name(row, columns, look.marks)} ")
    room = look.width - line.cell_len
    if parameter.kind != "momentary" and not isinstance(parameter.scale, SHORT):
        return line.append_text(_text(look, hands, parameter, room))
    told = "" if parameter.kind == "momentary" else parameter.scale.tell(look.board[row.address])
    room -= 1 + max(GAIN_COLUMNS, len(told))
    if parameter.kind == "held" and not isinstance(parameter.scale, scales.Switch):
        line.append_text(slider(look.board.position(row.address), room, look.marks))
    else:
        line.append(_cut(parameter.what, room, look.marks).ljust(room), style="dim")
    return line.append(f" {told:>{GAIN_COLUMNS}}", style="bold" if told == "on" else "")


def _text(look: Look, hands: Hands, parameter: Parameter, room: int) -> Text:
    """A choice between its arrows, highlighted while it is not taken; a text that is only told without them."""
    now = look.board[parameter.address]
    value = hands.leafed(parameter.address, now)
    told = parameter.scale.tell(value)
    if not _is_choice(parameter):
        return Text(_cut(told, room, look.marks))
    shown = Text(f"{look.marks.back} ", style="dim")
    shown.append(_cut(told, room - 4, look.marks), style="reverse" if value != now else "")
    return shown.append(f" {look.marks.on}")


def _name(row: Row, columns: int, marks: Marks) -> str:
    return set_cell_size(_cut(row.label, columns, marks), columns)


def _cut(text: str, columns: int, marks: Marks) -> str:
    """A text in so many columns, with a sign where something is left out."""
    if cell_len(text) <= columns:
        return text
    return f"{set_cell_size(text, max(0, columns - len(marks.more)))}{marks.more}"


def pointed(lines: list[Text], place: int, n_lines: int, marks: Marks) -> Iterator[Text]:
    """So many of the lines as there is room for, with a mark at the selected one, and at ends that are none."""
    first = min(max(0, place - n_lines // 2), len(lines) - n_lines)
    last = first + n_lines - 1
    for number in range(first, last + 1):
        is_cut = (number == first > 0, number == last < len(lines) - 1)
        mark = (
            marks.selected
            if number == place
            else marks.above
            if is_cut[0]
            else marks.below
            if is_cut[1]
            else " "
        )
        line = Text.assemble(mark, lines[number][1:])
        if number == place:
            line.stylize("bold")
        yield line
