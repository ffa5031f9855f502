"""A line that is written key by key, and completed by Tab; and what is written in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rtsep.board import Board
from rtsep.scales import Scale, Switch, Text, Value

SWITCH_WORDS = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}


@dataclass
class Prompt:
    """A line that is being written.

    Attributes
    ----------
    label
        What for.
    done
        Gets it, when Enter is pressed.
    lines
        Gives lines that it might become, of which Tab chooses.
    text
        As far as it is written.
    hint
        How it might go on, if Tab left a choice.
    """

    label: str
    done: Callable[[str], None]
    lines: Callable[[str], Iterable[str]] = lambda text: ()
    text: str = ""
    hint: str = ""

    def write(self, key: str) -> None:
        """Go on with it, by a key that does not end it."""
        self.hint = ""
        if key == "KEY_TAB":
            self._complete()
        elif key in ("KEY_BACKSPACE", "KEY_DELETE"):
            self.text = self.text[:-1]
        elif len(key) == 1 and key.isprintable():
            self.text += key

    def _complete(self) -> None:
        """Write on as far as there is no choice; what is to choose of is shown, of a path only the next part."""
        found = [line for line in self.lines(self.text) if line.startswith(self.text)]
        if not found:
            self.hint = "nothing begins so"
            return
        self.text = _common(found)
        if len(found) > 1:
            begin = max(self.text.rfind("/"), self.text.rfind(" ")) + 1
            parts = [line[begin : line.find("/", len(self.text)) + 1 or None].strip() for line in found]
            self.hint = "  ".join(dict.fromkeys(parts))


def _common(lines: Sequence[str]) -> str:
    """What all lines begin with."""
    first, last = min(lines), max(lines)  # between which all others lie
    differ = (i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differ, len(first))]


def typed(scale: Scale, text: str) -> Value:
    """A value as it is typed.

    Raises
    ------
    UsageError
        It is none of the scale's.
    """
    text = text.strip()
    return scale.check(SWITCH_WORDS.get(text.lower(), text) if isinstance(scale, Switch) else text)


def words(scale: Scale) -> tuple[str, ...]:
    """What can be typed, where that can be listed."""
    if isinstance(scale, Switch):
        return ("on", "off")
    return scale.options if isinstance(scale, Text) else ()


def split(board: Board, line: str) -> tuple[str, str | None]:
    """An address, in which there may be spaces, and the value behind it, if there is any."""
    known = [address for address in board.parameters if f"{line} ".startswith(f"{address} ")]
    address = max(known, key=len, default=line.partition(" ")[0])
    return address, line[len(address) + 1 :] if len(line) > len(address) else None


def address_lines(board: Board, text: str) -> Iterable[str]:
    """All addresses that can be set; behind one of them its values."""
    address, value = split(board, text)
    if address in board and value is not None:
        return [f"{address} {word}" for word in words(board.parameter(address).scale)]
    return [f"{address} " for address, parameter in board.parameters.items() if parameter.kind != "told"]
