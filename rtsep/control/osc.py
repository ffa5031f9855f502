"""OSC (Open Sound Control 1.0, over UDP): the addresses of the board, on a network.

A message sets what its address or pattern matches; without a value it asks, or presses a button that it names
exactly (a pattern presses none). A bundle is heard at one instant, and may be for later. Beside the board's own
addresses there are::

    ADDRESS/position 0..1     sets by the position of the fader, as controllers do; of a gain, 1 is 10 dB
    /subscribe [PORT]         every change but the sender's own is sent here (to that port) from now on, for a minute
                              after the sender's last message
    /unsubscribe              ends what this sender has subscribed
    /namespace [PATTERN]      one reply for each parameter: address, unit, lowest, highest, default, what it does

Answers go to whoever asked. Switches are sent as 1 and 0, which all controllers understand. What is wrong is
answered by ``/error TEXT``, one for each address, and counted; nothing that comes in can end the session.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from rtsep.board import Board, Feed
from rtsep.control.patterns import compiled
from rtsep.control.player import Player
from rtsep.errors import DeviceError, UsageError
from rtsep.parameters import Parameter
from rtsep.scales import Gain, Range, Value

SUBSCRIBED_S = 60.0
MOST_CLIENTS = 16
MOST_MESSAGES_PER_S = 2000  # a fader under a hand sends a hundred
MOST_WAIT_S = 10.0  # a bundle may be for later, but not for next week
MOST_WAITING = 1000  # bundles
METERS_HZ = 20.0
DATAGRAM_BYTES = 65535
POSITION = "/position"

Address = tuple[str, int]
Reply = tuple[Any, ...]  # an address of OSC, and the values


@dataclass
class Client:
    """Somebody who is told of changes.

    Attributes
    ----------
    sender
        Who subscribed, from which port: what comes from there is not told, and keeps the subscription.
    feed
        What is to be sent.
    until_s
        When it is forgotten, by `time.monotonic`; those of the settings never are.
    """

    sender: Address
    feed: Feed
    until_s: float


class Budget:
    """Messages that may be dealt with: so many a second, and a second's worth at once."""

    def __init__(self, per_s: float) -> None:
        self._per_s, self._left, self._at_s = per_s, per_s, time.monotonic()

    def take(self, n_messages: int) -> bool:
        """Whether there are so many left: all of a bundle, or none."""
        now_s = time.monotonic()
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < n_messages:
            return False
        self._left -= n_messages
        return True


class Later:
    """Bundles that wait for their time, which is by the clock on the wall, as their senders have it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count()  # of two at one time the first one goes first
        self._heap: list[tuple[float, int, list[Any], Address]] = []

    def put(self, at_s: float, messages: list[Any], sender: Address) -> bool:
        """Whether there was room for it."""
        with self._lock:
            if len(self._heap) >= MOST_WAITING:
                return False
            heapq.heappush(self._heap, (at_s, next(self._ids), messages, sender))
            return True

    def take(self) -> Iterator[tuple[list[Any], Address]]:
        """Those whose time has come, whole."""
        while True:
            with self._lock:
                if not self._heap or self._wait_s() > 0:
                    return
                _, _, messages, sender = heapq.heappop(self._heap)
            yield messages, sender

    @property
    def wait_s(self) -> float:
        """How long until the next is due."""
        with self._lock:
            return self._wait_s() if self._heap else math.inf

    def _wait_s(self) -> float:
        wait_s = self._heap[0][0] - time.time()
        return wait_s if 0 < wait_s <= MOST_WAIT_S else 0.0  # more: the clock was set back


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

    Attributes
    ----------
    n_malformed, n_refused, n_dropped, n_failed : int
        Datagrams that are no OSC, errors that were answered, messages that were too many, and what failed in rtsep
        itself where nobody could be answered.

    Raises
    ------
    DeviceError
        On entering: the port is taken, or the host is none of this machine.
    """

    def __init__(self, player: Player, host: str, port: int, clients: Sequence[Address] = ()) -> None:
        self._player, self._where = player, (host, port)
        self._fixed = tuple(clients)
        self._clients: dict[Address, Client] = {}
        self._lock = threading.Lock()
        self._news, self._over = threading.Event(), threading.Event()
        self._budget = Budget(MOST_MESSAGES_PER_S)
        self._later = Later()
        self.n_malformed = self.n_refused = self.n_dropped = self.n_failed = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    @property
    def _board(self) -> Board:
        return self._player.board

    def __enter__(self) -> OscSurface:
        family = socket.AF_INET6 if ":" in self._where[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.bind(self._where)
        except OSError as error:
            self._socket.close()
            host, port = self._where
            raise DeviceError(
                f"OSC cannot listen at {host}:{port}: {error.strerror or error}. Give a port that is free and an "
                f"address of this machine: --osc 127.0.0.1:9000"
            ) from error
        for address in self._fixed:
            feed = self._board.feed(origin_of(address), self._news.set)
            self._clients[address] = Client(address, feed, math.inf)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._listen, self._tell)]
        for thread, name in zip(self._threads, ("rtsep-osc", "rtsep-osc-tell"), strict=True):
            thread.name = name
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._news.set()
        with contextlib.suppress(OSError):  # wakes the listener, where closing alone does not
            self._socket.sendto(b"", self._socket.getsockname())
        self._threads[1].join()
        self._socket.close()
        self._threads[0].join()
        for client in self._clients.values():
            client.feed.close()

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """Whatever fails in this block is counted, and ends no thread."""
        try:
            yield
        except Exception:
            self.n_failed += 1

    # --- listening ---

    def _listen(self) -> None:
        while not self._over.is_set():
            with self._going_on():
                try:
                    datagram, sender = self._socket.recvfrom(DATAGRAM_BYTES)
                except OSError:  # an answer that nobody took, or the end
                    self._over.wait(0.001)
                    continue
                if not self._over.is_set():
                    self._receive(datagram, (sender[0], sender[1]))

    def _receive(self, datagram: bytes, sender: Address) -> None:
        try:
            messages = OscPacket(datagram).messages  # sorted by time
        except Exception:  # the parser trusts what it reads: anything can happen in it
            self.n_malformed += 1
            return
        if not self._budget.take(len(messages)):
            self.n_dropped += len(messages)
            return
        now_s = time.time()
        for at_s, bundle in itertools.groupby(messages, lambda timed: max(timed.time, now_s)):
            parts = [timed.message for timed in bundle]
            if at_s > now_s:
                self._act_later(parts, sender, at_s)
            else:
                self._act(parts, sender)

    def _act_later(self, messages: list[Any], sender: Address, at_s: float) -> None:
        if at_s - time.time() > MOST_WAIT_S:
            self._answer(sender, [("/error", f"a bundle is for {MOST_WAIT_S:g} s ahead at most, please")])
        elif self._later.put(at_s, messages, sender):
            self._news.set()  # the teller sees to it in time
        else:
            self._answer(sender, [("/error", f"{MOST_WAITING} bundles wait already, which is the most")])

    def _act(self, messages: Sequence[Any], sender: Address) -> None:
        """Do what they say, at one instant; the answers are sent after it, with no lock held."""
        replies: list[Reply] = []
        try:
            with self._board.together():
                for message in messages:
                    replies.extend(self._replies(message, sender))
        except Exception as error:
            replies.append(complaint(error))
        self._renew(sender)
        self._answer(sender, replies)

    def _replies(self, message: Any, sender: Address) -> Iterator[Reply]:
        try:
            yield from self._do(str(message.address), list(message.params), sender)
        except Exception as error:  # no message may stop the others of its bundle
            yield complaint(error)

    def _do(self, address: str, values: list[Any], sender: Address) -> Iterator[Reply]:
        if address == "/subscribe":
            self._subscribe(sender, values)
        elif address == "/unsubscribe":
            self._forget(lambda client: client.sender == sender)
        elif address == "/namespace":
            for found in self._matching(str(values[0]) if values else "//*"):
                yield ("/namespace", *described(self._board.parameter(found)))
        else:
            yield from self._set_or_ask(address, values, origin_of(sender))

    def _set_or_ask(self, pattern: str, values: list[Any], origin: str) -> Iterator[Reply]:
        by_position, pattern = pattern.endswith(POSITION), pattern.removesuffix(POSITION)
        addresses = self._matching(pattern)
        if not values and pattern not in self._board:  # who asks with a pattern presses nothing
            addresses = [a for a in addresses if self._board.parameter(a).kind != "momentary"]
            if not addresses:
                raise UsageError(f"{pattern}: a button is pressed by its whole address, or with a value")
        for address in addresses:
            try:
                if not values and self._board.parameter(address).kind != "momentary":
                    yield from self._stand(address, self._board[address])
                elif by_position:
                    self._board.move(address, as_position(values), origin)
                else:
                    value = values[0] if values else self._board.parameter(address).default
                    self._board.set(address, value, origin)
            except Exception as error:  # the others of the pattern can
                yield complaint(error)

    def _matching(self, pattern: str) -> list[str]:
        """The addresses that a pattern means.

        Raises
        ------
        UsageError
            None.
        """
        if pattern in self._board:
            return [pattern]
        matches = compiled(pattern)
        found = [address for address in self._board.parameters if matches(address)]
        if not found:
            self._board.parameter(pattern)  # which says what is near
        return found

    # --- telling: `_lock` is never held while the board's is asked for ---

    def _subscribe(self, sender: Address, values: list[Any]) -> None:
        port = values[0] if values else sender[1]
        if type(port) is not int or not 0 < port < 65536:
            raise UsageError(f"/subscribe {port!r}: a port is a number from 1 to 65535")
        to = (sender[0], port)
        if to not in self._clients and len(self._clients) >= MOST_CLIENTS:
            raise UsageError(f"{MOST_CLIENTS} clients are subscribed already, which is the most")
        feed = self._board.feed(origin_of(sender), self._news.set, snapshot=True)
        with self._lock:
            before = self._clients.get(to)  # whoever asks last for a port is who moves what is shown there
            until_s = max(before.until_s if before else 0.0, time.monotonic() + SUBSCRIBED_S)
            self._clients[to] = Client(sender, feed, until_s)
        if before:
            before.feed.close()

    def _renew(self, sender: Address) -> None:
        with self._lock:
            for client in self._clients.values():
                if client.sender == sender:
                    client.until_s = max(client.until_s, time.monotonic() + SUBSCRIBED_S)

    def _forget(self, is_over: Callable[[Client], bool]) -> None:
        with self._lock:
            over = {to: client for to, client in self._clients.items() if is_over(client)}
            for to in over:
                del self._clients[to]
        for client in over.values():
            client.feed.close()

    def _tell(self) -> None:
        """Send what is new, and the meters, and see to the bundles that have waited, until the end."""
        while not self._over.is_set():
            self._news.wait(min(1 / METERS_HZ, self._later.wait_s))
            self._news.clear()
            with self._going_on():
                for messages, sender in self._later.take():
                    self._act(messages, sender)
                now_s = time.monotonic()
                self._forget(lambda client, now_s=now_s: client.until_s < now_s)  # type: ignore[misc]
                self._tell_changes()
                self._tell_meters(now_s)

    def _everybody(self) -> list[tuple[Address, Client]]:
        with self._lock:
            return list(self._clients.items())

    def _tell_changes(self) -> None:
        for to, client in self._everybody():
            for changed, value in client.feed.take().items():
                with self._going_on():
                    for reply in self._stand(changed, value):
                        self._send(to, *reply)

    _next_meters_s = 0.0

    def _tell_meters(self, now_s: float) -> None:
        if not self._clients or now_s < self._next_meters_s:
            return
        self._next_meters_s = now_s + 1 / METERS_HZ
        status = self._player.status()
        for to, _ in self._everybody():
            for stem, peak_dbfs in status.peak_dbfs.items():
                self._send(to, f"/meter/{stem}", peak_dbfs, status.rms_dbfs[stem])
            self._send(to, "/meter/main", status.main_dbfs)
            self._send(to, "/status", status.load, status.n_late_blocks, status.n_xruns)

    def _stand(self, address: str, value: Value) -> Iterator[Reply]:
        """Where a parameter stands, as it is told; of a fader also as a position."""
        yield (address, int(value) if isinstance(value, bool) else value)
        parameter = self._board.parameters.get(address)
        if parameter is not None and isinstance(parameter.scale, (Gain, Range)):
            yield (address + POSITION, parameter.scale.position(value))

    def _answer(self, sender: Address, replies: Iterable[Reply]) -> None:
        for reply in replies:
            self.n_refused += reply[0] == "/error"
            self._send(sender, *reply)

    def _send(self, to: Address, address: str, *values: Any) -> None:
        with self._going_on():
            builder = OscMessageBuilder(encodable(address))
            for value in values:
                builder.add_arg(encodable(value) if isinstance(value, str) else value)
            datagram = builder.build().dgram
            with contextlib.suppress(OSError):  # nobody there, or the net is down: UDP is told and forgotten
                self._socket.sendto(datagram, to)


def origin_of(address: Address) -> str:
    """The name of a client on the board."""
    return f"osc:{address[0]}:{address[1]}"


def complaint(error: Exception) -> Reply:
    """What is answered when something cannot be done."""
    return ("/error", str(error) if isinstance(error, UsageError) else f"an error in rtsep: {error!r}")


def encodable(text: str) -> str:
    """A text that UTF-8 can write: names of files may hold half characters, which become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def described(parameter: Parameter) -> Iterator[Any]:
    """A parameter in a reply: address, unit, lowest, highest, default, and what it does.

    Highest is what is allowed: 24 dB for a gain, though its fader ends at 10 dB, which is position 1.
    """
    scale, default = parameter.scale, parameter.default
    yield from (parameter.address, scale.unit)
    match scale:
        case Gain():
            yield from (-math.inf, scale.high_db)
        case Range():
            yield from (scale.low, scale.high)
        case _:
            yield from ("", scale.allowed)
    yield int(default) if isinstance(default, bool) else default
    yield parameter.what


def as_position(values: Sequence[Any]) -> float:
    """The position in a message.

    Raises
    ------
    UsageError
        There is none.
    """
    if values and isinstance(values[0], (int, float)) and 0 <= values[0] <= 1:
        return float(values[0])
    raise UsageError(
        f"{POSITION}: a position is a number from 0 to 1, not {values[0] if values else 'nothing'!r}"
    )
