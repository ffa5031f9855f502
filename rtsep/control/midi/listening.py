"""Listening to several ports at once, whichever of them are there, outside of a session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType

from rtsep.control.midi.maps import expression
from rtsep.control.midi.messages import Assembler, Message, Parser
from rtsep.control.midi.ports import Input, Ports
from rtsep.errors import DeviceError

LOOK_S = 0.005
PLUG_S = 0.5  # between two looks for ports


@dataclass
class Ear:
    """One port that is listened to."""

    input: Input
    parser: Parser = field(default_factory=Parser)
    assembler: Assembler = field(default_factory=Assembler)

    def take(self) -> list[Message]:
        """What has been said since."""
        said: list[Message] = []
        while (data := self.input.take()) is not None:
            for message in self.parser.feed(data):
                said.extend(self.assembler.assemble(message))
        return said


class Listening:
    """All ports of a name, while it is entered; those that go may come back.

    Parameters
    ----------
    wanted
        A part of the ports' names, or a regular expression; None: all.
    say
        Is told what comes and goes.

    Attributes
    ----------
    names : list of str
        The ports that are there.

    Raises
    ------
    RtsepError
        On entering: there is no such port, or no MIDI at all.
    """

    def __init__(self, wanted: str | None, say: Callable[[str], None]) -> None:
        self._wanted, self._say = wanted, say
        self._ears: dict[str, Ear] = {}
        self._plugged_s = 0.0

    def __enter__(self) -> Listening:
        self._fits = expression(self._wanted or "")
        with ExitStack() as stack:
            self._ports = Ports()
            stack.callback(self._close)
            self._plug()
            if not self._ears:
                raise DeviceError(self._missing())
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def names(self) -> list[str]:
        """See the class."""
        return list(self._ears)

    def rounds(self) -> Iterator[list[tuple[str, list[Message]]]]:
        """Every few milliseconds, for ever, what each port has said since; nothing of those that were silent.

        Raises
        ------
        DeviceError
            JACK's server is gone.
        """
        while True:
            if time.monotonic() - self._plugged_s >= PLUG_S:
                for name in self._plug():
                    self._say(f"{name} is {'there' if name in self._ears else 'gone; it is waited for'}")
            yield [(name, said) for name, ear in self._ears.items() if (said := ear.take())]
            time.sleep(LOOK_S)

    def _plug(self) -> list[str]:
        """Open what has come, close what has gone; their names."""
        self._plugged_s = time.monotonic()
        if not self._ports.is_alive:
            raise DeviceError("JACK's server is gone; start it, and this command, again")
        there = [name for name in self._ports.inputs() if self._fits.search(name)]
        gone = [name for name in self._ears if name not in there or self._ports.has_lost(name)]
        for name in gone:
            self._ears.pop(name).input.close()
        come = [name for name in there if name not in self._ears]
        for name in come:
            with suppress(DeviceError):  # another look in a second
                self._ears[name] = Ear(self._ports.open_input(name))
        return gone + [name for name in come if name in self._ears]

    def _close(self) -> None:
        for ear in self._ears.values():
            ear.input.close()
        self._ears.clear()
        self._ports.close()

    def _missing(self) -> str:
        """Why there is nothing to listen to."""
        there = self._ports.inputs()
        if fitting := [name for name in there if self._fits.search(name)]:
            return f"{', '.join(fitting)} cannot be opened; has another program taken it?"
        if self._wanted is None or not there:
            return "no MIDI controller is plugged in"
        return f"there is no MIDI port {self._wanted!r}; there are: {', '.join(there) or 'none'}"
