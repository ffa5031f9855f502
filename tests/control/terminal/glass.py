"""What a person sees on a terminal: the little of an xterm that rtsep and rich make use of."""

from __future__ import annotations

import re

PIECE = re.compile(r"\x1b\[(?P<words>[0-9;?]*)(?P<verb>[A-Za-z])|(?P<move>[\r\n])|(?P<mark>[^\x1b])")


class Glass:
    """Lines of text, and a cursor; lines that leave it at the top are kept in `gone`."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.lines = [""] * height
        self.gone: list[str] = []
        self.row = self.column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Show what a program has written; the last piece may not be whole yet."""
        text, at = self._rest + text, 0
        while (piece := PIECE.match(text, at)) is not None:
            at = piece.end()
            if piece["verb"]:
                self._do(piece["verb"], piece["words"])
            elif piece["move"] == "\r":
                self.column = 0
            elif piece["move"]:
                self._line_feed()
            else:
                self._put(piece["mark"])
        self._rest = text[at:]

    def seen(self) -> list[str]:
        """What is to be read now."""
        return [line.rstrip() for line in self.lines]

    def _put(self, mark: str) -> None:
        if self.column == self.width:
            self.column = 0
            self._line_feed()
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + mark + line[self.column + 1 :]
        self.column += 1

    def _line_feed(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.gone.append(self.lines.pop(0))
            self.lines.append("")
            self.row -= 1

    def _do(self, verb: str, words: str) -> None:
        if verb == "A":
            self.row = max(0, self.row - int(words or 1))
        elif verb == "H":
            self.row = self.column = 0
        elif (verb, words) == ("K", "2"):
            self.lines[self.row] = ""
        elif (verb, words) == ("J", "2"):
            self.lines = [""] * len(self.lines)
        else:
            assert verb in "mhlu", f"{verb} with {words!r} is not known here"
