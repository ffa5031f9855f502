"""The surface: a socket, the thread that listens to it, and the one that tells what is new."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket, TimedMessage

from rtsep.board import Board
from rtsep.control.crew import Crew, Guard
from rtsep.control.osc import limits
from rtsep.control.osc.clients import Address, Clients, resolved
from rtsep.control.osc.limits import Budget, Later
from rtsep.control.osc.messages import ERROR, METER, PLACE, STATUS, Messages, Reply, complaint, stand
from rtsep.control.osc.outline import check_outline
from rtsep.control.player import Player
from rtsep.errors import DeviceError, UsageError

METERS_HZ = 20.0
DATAGRAM_BYTES = 65535


class OscSurface:
    """Listens for messages, and tells of changes, while it is entered.

    Parameters
    ----------
    player
        The session.
    host, port
        Where to listen; port 0: any that is free.
    clients
        Those who are told of every change from the start.
    say
        Tells a person something.

    Attributes
    ----------
    n_malformed, n_refused, n_dropped, n_unsent, n_failed : int
        Datagrams that are no OSC, errors that were answered, messages that were too many, what the network did not
        take, and what failed where nobody could be answered.

    Raises
    ------
    DeviceError
        On entering: the port is taken, the host is none of this machine, or that of a client is not known.
    UsageError
        On entering: a client is elsewhere, and this listens to its own machine only.
    """

    def __init__(
        self,
        player: Player,
        host: str,
        port: int,
        clients: Sequence[Address] = (),
        say: Callable[[str], None] = print,
    ) -> None:
        self._player, self._where = player, (host, port)
        self._fixed = tuple(clients)
        self._guard, self._news = Guard("OSC", say), threading.Event()
        self._crew = Crew(self._guard)
        self._clients = Clients(lambda: self._board, self._news.set)
        self._messages = Messages(lambda: self._board, self._clients)
        self._budget = Budget(limits.MOST_MESSAGES_PER_S)
        self._later = Later()
        self._next_meters_s = 0.0
        self.n_malformed = self.n_refused = self.n_dropped = self.n_unsent = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    @property
    def n_failed(self) -> int:
        """See above."""
        return self._guard.n_failed

    @property
    def counts(self) -> dict[str, int]:
        """What went wrong; see above."""
        names = ("n_malformed", "n_refused", "n_dropped", "n_unsent", "n_failed")
        return {name: getattr(self, name) for name in names}

    @property
    def _board(self) -> Board:
        return self._player.board

    def __enter__(self) -> OscSurface:
        family = socket.AF_INET6 if ":" in self._where[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        with contextlib.ExitStack() as if_it_fails:
            if_it_fails.callback(self._socket.close)
            self._bind()
            self._clients.keep(resolved(self._fixed, self._socket))
            if_it_fails.pop_all()
        self._crew.start({"rtsep-osc": self._listen, "rtsep-osc-tell": self._tell})
        return self

    def _bind(self) -> None:
        try:
            self._socket.bind(self._where)
        except OSError as error:
            host, port = self._where
            raise DeviceError(
                f"OSC cannot listen at {host}:{port}: {error.strerror or error}. Give a port that is free and an "
                f"address of this machine: --osc 127.0.0.1:9000"
            ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.end(self._news.set, self._hang_up)
        self._clients.close()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):  # wakes the listener, where closing alone does not
            self._socket.sendto(b"", self._socket.getsockname())
        self._socket.close()

    # --- listening ---

    def _listen(self) -> None:
        while not self._crew.over.is_set():
            with self._guard:
                try:
                    datagram, sender = self._socket.recvfrom(DATAGRAM_BYTES)
                except OSError:  # an answer that nobody took, or the end
                    self._crew.over.wait(0.001)
                    continue
                if not self._crew.over.is_set():
                    self._receive(datagram, (sender[0], sender[1]))

    def _receive(self, datagram: bytes, sender: Address) -> None:
        messages = self._read(datagram, sender)
        now_s = time.time()
        for at_s, bundle in itertools.groupby(messages, lambda timed: max(timed.time, now_s)):
            parts = [timed.message for timed in bundle]
            if at_s > now_s:
                self._act_later(parts, sender, at_s)
            else:
                self._act(parts, sender)

    def _read(self, datagram: bytes, sender: Address) -> list[TimedMessage]:
        """The messages of a datagram, by their times, if they are paid for."""
        price = limits.price_of(datagram)
        if not self._budget.take(price):  # before a look at it: rubbish takes time too
            self.n_dropped += 1
            return []
        try:
            check_outline(datagram)
            messages = OscPacket(datagram).messages
        except UsageError as error:
            self._answer(sender, [complaint(error)])
            return []
        except Exception:  # the parser trusts what it reads: anything can happen in it
            self.n_malformed += 1
            return []
        if not self._budget.take(max(0, len(messages) - price)):
            self.n_dropped += len(messages)
            return []
        return messages

    def _act_later(self, messages: list[Any], sender: Address, at_s: float) -> None:
        if at_s - time.time() > limits.MOST_WAIT_S:
            text = f"a bundle is for {limits.MOST_WAIT_S:g} s ahead at most, please"
            self._answer(sender, [(ERROR, text)])
        elif self._later.put(at_s, messages, sender):
            self._news.set()  # the teller sees to it in time
        else:
            text = f"{limits.MOST_WAITING} bundles wait already, which is the most"
            self._answer(sender, [(ERROR, text)])

    def _act(self, messages: Sequence[Any], sender: Address) -> None:
        replies = self._messages.act(messages, sender, self._budget)
        self._clients.renew(sender)
        self._answer(sender, replies)

    # --- telling ---

    def _tell(self) -> None:
        """Send what is new, and the meters, and see to the bundles that have waited, until the end."""
        while not self._crew.over.is_set():
            self._news.wait(min(1 / METERS_HZ, self._later.wait_s))
            self._news.clear()
            with self._guard:
                for messages, sender in self._later.take():
                    self._act(messages, sender)
                now_s = time.monotonic()
                self._clients.forget_silent(now_s)
                self._tell_changes()
                self._tell_meters(now_s)

    def _tell_changes(self) -> None:
        for to, client in self._clients.all():
            for changed, value in client.feed.take().items():
                with self._guard:
                    for reply in stand(self._board, changed, value):
                        self._send(to, *reply)

    def _tell_meters(self, now_s: float) -> None:
        if not self._clients or now_s < self._next_meters_s:
            return
        self._next_meters_s = now_s + 1 / METERS_HZ
        told = list(self._meters())
        for to, _ in self._clients.all():
            for reply in told:
                self._send(to, *reply)

    def _meters(self) -> Iterator[Reply]:
        """What changes all the time, under addresses that set nothing: some panels send back what they are told."""
        status, transport = self._player.status(), self._player.transport
        for stem, peak_dbfs in status.peak_dbfs.items():
            yield (f"{METER}{stem}", peak_dbfs, status.rms_dbfs[stem])
        yield (f"{METER}main", status.main_dbfs)
        yield (STATUS, status.load, status.n_late_blocks, status.n_xruns)
        if transport is not None:
            yield (PLACE, transport.position_s, transport.duration_s)

    def _answer(self, sender: Address, replies: Iterable[Reply]) -> None:
        for reply in replies:
            self.n_refused += reply[0] == ERROR
            self._send(sender, *reply)

    def _send(self, to: Address, address: str, *values: Any) -> None:
        with self._guard:
            builder = OscMessageBuilder(encodable(address))
            for value in values:
                builder.add_arg(encodable(value) if isinstance(value, str) else value)
            datagram = builder.build().dgram
            try:
                self._socket.sendto(datagram, to)
            except OSError as error:  # the net is down, or the way there is closed
                self._lose(to, error)

    def _lose(self, to: Address, error: OSError) -> None:
        """Count what could not be sent; whoever plays hears of each client that stays dark, once."""
        if self._crew.over.is_set():
            return
        self.n_unsent += 1
        if self._clients.lose(to):
            raise DeviceError(
                f"nothing can be sent to {to[0]}:{to[1]}: {error.strerror or error}. See whether that is where the "
                f"client is, and this machine is on its network; it is tried on"
            ) from error


def encodable(text: str) -> str:
    """A text that UTF-8 can write: names of files may hold half characters, which become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
