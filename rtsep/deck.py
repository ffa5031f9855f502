"""The buttons of a tape machine: pressed at once, done beside.

A jump may have to read the file first, and a disk that sleeps takes seconds. So a button notes what is wanted, and
where the music was then; no hand on another fader waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rtsep.errors import UsageError
from rtsep.transport import Transport
from rtsep.wishes import Ask


class Deck:
    """The buttons.

    Parameters
    ----------
    transport
        Gives the tape machine that there is now, if any.
    ask
        Has something done beside.
    """

    def __init__(self, transport: Callable[[], Transport | None], ask: Ask) -> None:
        self._transport, self._ask = transport, ask
        self._lock = threading.Lock()
        self._jump_s = 0.0  # what is to be jumped by, of all presses that are not done yet
        self._mark: tuple[Path, float] | None = None  # a loop's start in a file, while it has no end
        self._wanted: bool | None = None  # whether it shall play, until that is done

    @property
    def has_tape(self) -> bool:
        """Whether there is a tape machine."""
        return self._transport() is not None

    @property
    def plays(self) -> bool:
        """Whether it plays, or is about to."""
        if (wanted := self._wanted) is not None:
            return wanted
        now = self._transport()
        return now is not None and not now.paused

    def _tape(self) -> Transport:
        if (now := self._transport()) is None:
            raise UsageError("a card cannot be paused or wound")
        return now

    def _do(self, what: str, act: Callable[[], None]) -> None:
        """Have it done beside; it asks for the tape machine that there is then, which may be none any more.

        Raises
        ------
        UsageError
            There is none now.
        """
        self._tape()

        def wish() -> str:
            act()
            return ""

        self._ask(what, "", wish)

    def play(self, on: bool) -> None:
        """Play, or stand still."""

        def act() -> None:
            try:
                self._tape().pause(not on)
            finally:
                if self._wanted == on:
                    self._wanted = None

        self._tape()  # or it is refused, and nothing is wanted
        self._wanted = on
        self._do("play", act)

    def seek(self, delta_s: float) -> None:
        """Jump by so much; two presses are two jumps."""

        def act() -> None:
            with self._lock:
                jump_s, self._jump_s = self._jump_s, 0.0
            if jump_s:
                self._tape().seek(jump_s)

        self._tape()
        with self._lock:
            self._jump_s += delta_s
        self._do("jump", act)

    @property
    def position_s(self) -> float:
        """The place in the file that is heard now."""
        now = self._transport()
        return 0.0 if now is None else now.position_s

    @property
    def duration_s(self) -> float:
        """The length of the file; 0 where it does not say."""
        now = self._transport()
        return 0.0 if now is None else now.duration_s

    def seek_to(self, position_s: float) -> None:
        """Jump to a place, wherever a press before it would have led."""
        with self._lock:
            self._jump_s = 0.0
        self._do("place", lambda: self._tape().seek_to(position_s))

    @property
    def loop_start_s(self) -> float:
        """Where the loop begins, or will when it has an end: at the start of the file if nobody said."""
        now, mark = self._transport(), self._mark
        if now is None:
            return 0.0
        if mark is not None and mark[0] == now.path:
            return mark[1]
        return 0.0 if now.loop_s is None else now.loop_s[0]

    @property
    def loop_end_s(self) -> float:
        """Where the loop ends; 0 without one."""
        now = self._transport()
        return 0.0 if now is None or now.loop_s is None else now.loop_s[1]

    def begin_loop(self) -> None:
        """A loop begins at what is heard now; until it has an end there is none."""
        tape = self._tape()
        self._mark = tape.path, tape.position_s
        self._do("loop", lambda: self._tape().loop(None, None))

    def end_loop(self) -> None:
        """It ends at what is heard now, and is played; without a start, from the start of the file.

        Raises
        ------
        UsageError
            It is too short.
        """
        mark, start_s, end_s = self._mark, self.loop_start_s, self._tape().position_s
        self._tape().check_loop(start_s, end_s)

        def act() -> None:
            now = self._tape()
            now.loop(start_s, end_s)
            if mark is not None and mark[0] == now.path and self._mark is mark:  # it knows it now
                self._mark = None

        self._do("loop", act)

    def leave_loop(self) -> None:
        """There is none any more."""
        self._mark = None
        self._do("loop", lambda: self._tape().loop(None, None))
