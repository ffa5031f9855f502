"""A line that is written key by key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Prompt:
    """A line that is being written.

    Attributes
    ----------
    label
        What for.
    done
        Gets it, when Enter is pressed.
    text
        As far as it is written.
    """

    label: str
    done: Callable[[str], None]
    text: str = ""

    def write(self, key: str) -> None:
        """Go on with it, by a key that does not end it."""
        if key in ("KEY_BACKSPACE", "KEY_DELETE"):
            self.text = self.text[:-1]
        elif len(key) == 1 and key.isprintable():
            self.text += key
