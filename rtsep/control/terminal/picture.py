"""The mixer as a picture of text: a page of rows, and below it the tape, the engine, scenes, latency, keys and answers.

`draw` makes one picture from one look at the session and the size of a terminal; nothing here keeps time. Where there
is little room, parts make way for rows, each when fewer of them can be seen than it is worth.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from rtsep.board import Board
from rtsep.control.player import Player, Status, Transport
from rtsep.control.terminal.bars import UNICODE, Marks, clock
from rtsep.control.terminal.hands import Hands, View
from rtsep.control.terminal.keys import BINDINGS, scene_names
from rtsep.control.terminal.rows import MIXER
from rtsep.control.terminal.strips import Look, head_line, page_lines, pointed
from rtsep.scales import as_number
from rtsep.stream import Latency

N_SCENE_KEYS = 12
MOST_ANSWER_LINES = 4
N_ABOUT_LINES = 2
LEAST_ROWS = 3  # that help leaves
LEAST_COLUMNS = 8  # a narrower terminal has the left part of a picture
ALL_ROWS = math.inf


@dataclass(frozen=True)
class Part:
    """Lines below the rows, and how many rows are worth more than they; 0: they always stay."""

    lines: Sequence[Text]
    makes_way_for: float = 0.0


def draw(player: Player, hands: Hands, width: int, marks: Marks = UNICODE, height: float = math.inf) -> Text:
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
    height
        Lines of the terminal.
    """
    width = max(width, LEAST_COLUMNS)
    look = Look(player.board, player.status(), player.levels(), width, marks)
    view = hands.look(player.board)
    lines = page_lines(look, hands, view)
    top = [] if view.page == MIXER else [head_line(look, view.page)]
    parts = _fitting(list(_parts(player, look, hands, view, height)), len(lines), height - len(top))
    below = [line for part in parts for line in part.lines]
    n_rows = int(min(len(lines), max(1, height - len(top) - len(below))))
    return Text("\n").join([*top, *pointed(lines, view.place, n_rows, marks), *below])


def _fitting(parts: list[Part], n_rows: int, height: float) -> list[Part]:
    """The parts that stay: what makes way for most rows goes first, and only if so many are not seen else."""
    for part in sorted(parts, key=lambda part: -part.makes_way_for):
        room = height - sum(len(one.lines) for one in parts)
        if room < min(n_rows, part.makes_way_for):
            parts = [one for one in parts if one is not part]
    return parts


def _parts(player: Player, look: Look, hands: Hands, view: View, height: float) -> Iterator[Part]:
    """What stands below the rows, from top to bottom."""
    board, width, transport = look.board, look.width, player.transport
    answer = _answer_lines(hands, look, int(max(1, min(MOST_ANSWER_LINES, height - LEAST_ROWS))))
    helps, is_asked = help_lines(player, hands, width, height - LEAST_ROWS - 1 - len(answer))
    if view.page == MIXER:
        yield Part([Text("")], ALL_ROWS)
    else:
        yield Part(_about_lines(board, view, width), 4)
    if transport is None:
        yield Part([Text(f"live   {clock(look.status.position_s)}")], 1)
    else:
        yield Part([_transport_line(transport, board, width, look.marks)], 1)
    health = health_chunks(look.status, is_dry=bool(board["/bypass"]), records=bool(board.get("/record")))
    yield Part(list(filled(health, width)), 4)
    yield Part(list(filled(scene_chunks(board), width)), ALL_ROWS if is_asked else 8)
    yield Part(list(filled(latency_chunks(player.latency), width)), ALL_ROWS)
    yield Part(helps, 0 if is_asked else 6)
    yield Part(answer)


def said(hands: Hands, cursor: str = "") -> str:
    """The answer to the last key, or the line that is being written."""
    prompt = hands.prompt
    return hands.message if prompt is None else f"{prompt.label}{prompt.text}{cursor}"


def _answer_lines(hands: Hands, look: Look, n_lines: int) -> list[Text]:
    """Of an answer the beginning, of what is being written the end, where it is too long for a few lines."""
    lines = textwrap.wrap(said(hands, look.marks.cursor), look.width, drop_whitespace=False) or [""]
    if (prompt := hands.prompt) is None:
        return [Text(line, style="italic") for line in lines[:n_lines]]
    hints = textwrap.wrap(prompt.hint, look.width, max_lines=N_ABOUT_LINES, placeholder=" ..")
    return [
        *(Text(line, style="italic") for line in lines[-n_lines:]),
        *(Text(hint, style="dim") for hint in hints),
    ]


def _about_lines(board: Board, view: View, width: int) -> list[Text]:
    """What the selected parameter does, and its values; as many lines of any, so that nothing below jumps."""
    parameter = board.parameter(view.row.address)
    allowed = "" if parameter.kind == "told" else f" ({parameter.scale.allowed})"
    about = f"{parameter.address}: {parameter.what}{allowed}"
    lines = textwrap.wrap(about, width, max_lines=N_ABOUT_LINES, placeholder=" ..")
    lines += [""] * (N_ABOUT_LINES - len(lines))
    return [Text(line, style="dim") for line in lines]


def scene_chunks(board: Board) -> Iterator[Text]:
    """``scenes F1 everything  F2 karaoke ..``, with the one that was recalled in bold."""
    yield Text("scenes ", style="dim")
    for number, name in enumerate(scene_names(board), 1):
        style = "bold" if name == board["/scene/current"] else "dim"
        yield Text.assemble((f"F{number} " if number <= N_SCENE_KEYS else "", "dim"), (name, style), "  ")


def _transport_line(transport: Transport, board: Board, width: int, marks: Marks) -> Text:
    """``▶ 0:42 ────O───A────B──── 3:21``: where the tape stands, and the loop's marks."""
    now, end = clock(transport.position_s), clock(transport.duration_s)
    columns = max(4, width - len(now) - len(end) - 4)
    bar = [marks.line] * columns
    for mark, at_s in (*_loop_marks(board), ("O", transport.position_s)):
        if transport.duration_s > 0:
            bar[min(columns - 1, max(0, int(at_s / transport.duration_s * columns)))] = mark
    return Text(f"{marks.paused if transport.paused else marks.playing} {now} {''.join(bar)} {end}")


def _loop_marks(board: Board) -> Iterator[tuple[str, float]]:
    """Where the loop begins, or will, and where it ends."""
    start_s, end_s = (as_number(board.get(f"/transport/loop_{end}_s", 0.0)) for end in ("start", "end"))
    if start_s or end_s:
        yield "A", start_s
    if end_s:
        yield "B", end_s


def health_chunks(status: Status, *, is_dry: bool = False, records: bool = False) -> Iterator[Text]:
    """Load, late blocks, xruns, and whether the mixture is heard in place of stems; red where they hurt."""
    for name, value, hurts in (
        ("load", f"{status.load:.0%}", status.load > 1),
        ("late", f"{status.n_late_blocks} blocks", status.n_late_blocks),
        ("xruns", f"{status.n_xruns}", status.n_xruns),
    ):
        fine = "green" if name == "load" else ""
        yield Text.assemble(f"{name} ", (value, "red" if hurts else fine), "   ")
    if status.n_moves:
        yield Text(f"update {status.update_hops} hops, changed {status.n_moves} times   ", style="yellow")
    for word, is_so, style in (
        ("mixture", status.is_late, "red"),
        ("dry", is_dry, "bold yellow"),
        ("recording", records, "bold red"),
    ):
        if is_so:
            yield Text(f"{word}   ", style=style)


def help_lines(player: Player, hands: Hands, width: int, room: float) -> tuple[list[Text], bool]:
    """The most important keys, or all of them, and whether these.

    Each time that help is asked for, as many lines follow as there is room for, and behind the last the short form.
    """
    every = list(filled(help_chunks(player, hands, is_short=False), width))
    room = int(min(len(every), max(1, room)))
    page = hands.n_helps % (math.ceil(len(every) / room) + 1)
    if page:
        return every[(page - 1) * room : page * room], True
    return list(filled(help_chunks(player, hands, is_short=True), width)), False


def help_chunks(player: Player, hands: Hands, *, is_short: bool) -> Iterator[Text]:
    """The keys that work here, or the most important of them, each with what it does."""
    if not hands.can_press:
        yield Text.assemble(("Ctrl-C", "bold"), " ends it", style="dim")
        return
    for binding in BINDINGS:
        if binding.works(player, hands) and (binding.is_basic or not is_short):
            yield Text.assemble((binding.label, "bold"), " ", binding.what, "  ", style="dim")


def latency_chunks(latency: Latency) -> Iterator[Text]:
    """``latency 128.0 ms = card 5.8 + window 92.9 + ...``, cut where a line may end."""
    total, _, parts = str(latency).partition(" = ")
    yield Text(f"latency {total} = ", style="dim")
    *first, last = parts.split(" + ")
    for part in first:
        yield Text(f"{part} + ", style="dim")
    yield Text(last, style="dim")


def filled(chunks: Iterable[Text], width: int) -> Iterator[Text]:
    """Chunks in lines of at most `width` columns (a longer chunk has a line of its own)."""
    line = Text()
    for chunk in chunks:
        if line.cell_len and line.cell_len + len(chunk.plain.rstrip()) > width:
            line.rstrip()
            yield line
            line = Text()
        line.append_text(chunk)
    line.rstrip()
    yield line
