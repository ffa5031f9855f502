"""The porter: a process that holds the MIDI ports for a session.

Opening or closing a port keeps the interpreter (`rtmidi` does not let go of it): 15 to 40 ms on JACK, half a second
beside a client that died. Beside the engine that would be an update that comes late. So the ports are opened, closed,
polled and sent to in here, and the session gets bytes through a pipe, which wakes it when there is something.

==========  =========================================================================================
to porter   ``open`` (once: the name of a virtual port, or none), ``listen`` (an input, and outputs for its lights, the
            best first), ``send`` (an input, and messages for its lights), ``dark`` (an input, and the messages that put
            out its lights: sent at the end, whatever ends; those that are not named again at once)
back        ``ready`` (once: the inputs and outputs that there are) or ``failed`` (at any time, why), ``there`` (inputs
            and outputs, whenever they change), ``opened`` (an input, and whether it has lights), ``refused`` (an
            input), ``heard`` (an input, and messages)
==========  =========================================================================================

Messages are texts of hexadecimal digits. A port that goes is closed here; the session sees it go by ``there``.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from rtsep.control.midi.messages import lamp_of
from rtsep.control.midi.ports import Input, Output, Ports
from rtsep.control.process import FAILED
from rtsep.control.wire import LINE_BYTES, line, read_line
from rtsep.errors import DeviceError

ACTIVE_S = 0.0005  # between two looks while something is moved ...
IDLE_S = 0.001  # ... and while nothing was
ACTIVE_FOR_S = 3.0
PLUG_S = 0.2  # between two looks for ports
MOST_AT_ONCE = 256  # messages of one port in one line


@dataclass
class Held:
    """A port that is open.

    Attributes
    ----------
    input, output
        The controller, and its lights if it has any.
    dark
        What puts each of them out.
    """

    input: Input
    output: Output | None
    dark: list[bytes] = field(default_factory=list)

    def send(self, messages: Iterable[bytes]) -> None:
        """To its lights."""
        if self.output is not None:
            self.output.send(messages)

    def close(self) -> None:
        """Put out its lights, and let it go."""
        self.send(self.dark)
        self.input.close()
        if self.output is not None:
            self.output.close()


class Porter:
    """Does what the session asks, and tells what there is.

    Parameters
    ----------
    ports
        Those of the system.
    virtual
        The name of a port for other programs to connect to, or None.
    out
        Where messages for the session go.
    """

    def __init__(self, ports: Ports, virtual: str | None, out: BinaryIO) -> None:
        self._ports, self._virtual, self._write = ports, virtual, out
        self._held: dict[str, Held] = {}
        self._there: tuple[list[str], list[str]] = [], []
        if virtual is not None:
            self._held[virtual] = Held(*ports.open_virtual(virtual))

    def run(self, orders: queue.SimpleQueue[bytes], is_over: threading.Event) -> None:
        """Work until the session says nothing any more, or until it is over."""
        self._there = self._ports.inputs(), self._ports.outputs()
        self.tell("ready", self._there)
        heard_s = looked_s = time.monotonic()
        while not is_over.is_set():
            with suppress(queue.Empty):
                while text := orders.get_nowait():
                    self._obey(*read_line(text))
                return
            now_s = time.monotonic()
            if self._take_all():
                heard_s = now_s
            if now_s - looked_s >= PLUG_S:
                looked_s = now_s
                self._look()
            time.sleep(ACTIVE_S if now_s - heard_s < ACTIVE_FOR_S else IDLE_S)

    def tell(self, kind: str, content: object) -> None:
        """Say something to the session."""
        self._write.write(line(kind, content))
        self._write.flush()

    def close(self) -> None:
        """Let all ports go."""
        for name in list(self._held):
            self._leave(name)
        self._ports.close()

    def _obey(self, kind: str, content: Any) -> None:
        if kind == "listen":
            self._listen(*content)
            return
        name, texts = content
        held, messages = self._held.get(name), [bytes.fromhex(text) for text in texts]
        if held is None:
            return
        if kind == "send":
            held.send(messages)
        elif kind == "dark":
            lamps = {lamp_of(message) for message in messages}
            held.send(message for message in held.dark if lamp_of(message) not in lamps)
            held.dark = messages

    def _take_all(self) -> bool:
        """Whether anything had come."""
        is_any = False
        for name, held in self._held.items():
            messages: list[str] = []
            while len(messages) < MOST_AT_ONCE and (data := held.input.take()) is not None:
                messages.append(data.hex())
            if messages:
                self.tell("heard", [name, messages])
                is_any = True
        return is_any

    def _look(self) -> None:
        """Tell which ports there are, if they are others, and close those that have gone.

        Raises
        ------
        DeviceError
            The system's server is gone, and a new one could not be reached from here.
        """
        there = self._ports.inputs(), self._ports.outputs()
        if not self._ports.is_alive:
            raise DeviceError("JACK's server is gone")
        held = [name for name in self._held if name != self._virtual]
        for name in [name for name in held if name in there[0] and self._ports.has_lost(name)]:
            self._leave(name)  # it was gone for a moment: what is there now has never been opened
            self.tell("there", ([other for other in there[0] if other != name], there[1]))
            self._there = [], []
        if there == self._there:
            return
        self._there = there
        for name in [name for name in held if name not in there[0]]:
            self._leave(name)
        self.tell("there", there)

    def _listen(self, name: str, lights: Sequence[str]) -> None:
        self._leave(name)
        try:
            input_ = self._ports.open_input(name)
        except DeviceError:
            self.tell("refused", name)
            self._there = [], []  # so that it is told of again
            return
        output = self._first(lights)
        self._held[name] = Held(input_, output)
        self.tell("opened", [name, output is not None])

    def _first(self, names: Sequence[str]) -> Output | None:
        """The first of these ports that opens."""
        for name in names:
            with suppress(DeviceError):
                return self._ports.open_output(name)
        return None

    def _leave(self, name: str) -> None:
        if (held := self._held.pop(name, None)) is not None:
            held.close()


def read_orders(stream: BinaryIO) -> queue.SimpleQueue[bytes]:
    """Lines of a pipe, read on a thread; the last one is empty."""
    orders = queue.SimpleQueue[bytes]()

    def read() -> None:
        text = b"."
        while text:
            text = stream.readline(LINE_BYTES)
            orders.put(text)

    threading.Thread(target=read, daemon=True).start()
    return orders


def main() -> None:
    """Hold ports for the process that started this one; signals of the terminal are its affair."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    is_over = threading.Event()  # the ports are let go first: a JACK client that is killed holds others up
    signal.signal(signal.SIGTERM, lambda number, frame: is_over.set())
    orders, out, porter = read_orders(sys.stdin.buffer), sys.stdout.buffer, None
    _, virtual = read_line(orders.get())
    try:
        porter = Porter(Ports(), virtual, out)
        porter.run(orders, is_over)
    except DeviceError as error:
        with suppress(OSError):
            out.write(line(FAILED, str(error)))
            out.flush()
    except OSError:  # nobody listens any more
        pass
    finally:
        if porter is not None:
            porter.close()
        os._exit(0)  # without waiting for the thread that reads


if __name__ == "__main__":
    main()
