"""OSC (Open Sound Control 1.0, over UDP): the addresses of the board, on a network.

A message sets what its address or pattern matches; without a value it asks, or presses a button. Beside the board's
own addresses there are::

    ADDRESS/position 0..1     sets by the position of the fader, as controllers do
    /subscribe [PORT]         every change is sent here from now on, for a minute after the last message
    /unsubscribe
    /namespace [PATTERN]      one reply for each parameter: address, unit, lowest, highest, default, what it does

Answers go to whoever asked. Switches are sent as 1 and 0, which all controllers understand. What is wrong is
answered by ``/error TEXT`` and counted; nothing that comes in can end the session.
"""

from __future__ import annotations

import contextlib
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from rtsep.board import Board, Feed
from rtsep.control.player import Player
from rtsep.errors import DeviceError, UsageError
from rtsep.parameters import Parameter
from rtsep.scales import Gain, Range, Value

SUBSCRIBED_S = 60.0
MOST_CLIENTS = 16
MOST_MESSAGES_PER_S = 2000  # a fader under a hand sends a hundred
MOST_WAIT_S = 10.0  # a bundle may be for later, but not for next week
MOST_PATTERN = 200
MOST_STARS = 6  # more make matching slow, and nobody needs them
METERS_HZ = 20.0
DATAGRAM_BYTES = 65535
POSITION = "/position"

Address = tuple[str, int]


@dataclass
class Client:
    """Somebody who is told of changes.

    Attributes
    ----------
    feed
        What is to be sent.
    until_s
        When it is forgotten, by `time.monotonic`; those of the settings never are.
    """

    feed: Feed
    until_s: float


class Budget:
    """Messages that may be dealt with: so many a second, and a second's worth at once."""

    def __init__(self, per_s: float) -> None:
        self._per_s, self._left, self._at_s = per_s, per_s, time.monotonic()

    def take(self) -> bool:
        """Whether there is one left."""
        now_s = time.monotonic()
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


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
    n_malformed, n_refused, n_dropped : int
        Datagrams that are no OSC, messages that were answered by an error, and those that were too many.

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
        self._timers: set[threading.Timer] = set()
        self.n_malformed = self.n_refused = self.n_dropped = 0

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
            self._clients[address] = self._client(address, math.inf)
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
        for timer in list(self._timers):
            timer.cancel()
        with contextlib.suppress(OSError):  # wakes the listener, where closing alone does not
            self._socket.sendto(b"", self._socket.getsockname())
        self._threads[1].join()
        self._socket.close()
        self._threads[0].join()
        for client in self._clients.values():
            client.feed.close()

    # --- listening ---

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                datagram, sender = self._socket.recvfrom(DATAGRAM_BYTES)
            except OSError:  # an answer that nobody took, or the end
                continue
            if not self._over.is_set():
                self._receive(datagram, (sender[0], sender[1]))

    def _receive(self, datagram: bytes, sender: Address) -> None:
        try:
            messages = OscPacket(datagram).messages
        except Exception:  # the parser trusts what it reads: anything can happen in it
            self.n_malformed += 1
            return
        now_s = time.time()
        due = [timed.message for timed in messages if timed.time <= now_s]
        self._act(due, sender)
        for timed in messages:
            if timed.time > now_s:
                self._act_later(timed.message, sender, timed.time - now_s)

    def _act_later(self, message: Any, sender: Address, wait_s: float) -> None:
        if wait_s > MOST_WAIT_S or len(self._timers) >= MOST_MESSAGES_PER_S:
            self._refuse(sender, f"{message.address}: at most {MOST_WAIT_S:g} s ahead, please")
            return

        def act() -> None:
            self._timers.discard(timer)
            self._act([message], sender)

        timer = threading.Timer(wait_s, act)
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _act(self, messages: Sequence[Any], sender: Address) -> None:
        """Do what they say; those of one bundle at one instant."""
        with self._board.together():
            for message in messages:
                if not self._budget.take():
                    self.n_dropped += 1
                    continue
                try:
                    self._do(str(message.address), list(message.params), sender)
                except UsageError as error:
                    self._refuse(sender, str(error))
                except Exception as error:  # no message may end the surface
                    self._refuse(sender, f"an error in rtsep: {error!r}")
        with self._lock:
            if (client := self._clients.get(sender)) is not None:
                client.until_s = max(client.until_s, time.monotonic() + SUBSCRIBED_S)

    def _do(self, address: str, values: list[Any], sender: Address) -> None:
        if address == "/subscribe":
            self._subscribe(sender, values)
        elif address == "/unsubscribe":
            self._forget(sender)
        elif address == "/namespace":
            for found in self._matching(str(values[0]) if values else "//*"):
                self._send(sender, "/namespace", *described(self._board.parameter(found)))
        else:
            self._set_or_ask(address, values, sender)

    def _set_or_ask(self, pattern: str, values: list[Any], sender: Address) -> None:
        by_position = pattern.endswith(POSITION)
        origin = origin_of(sender)
        for address in self._matching(pattern.removesuffix(POSITION)):
            parameter = self._board.parameter(address)
            if not values and parameter.kind != "momentary":
                self._tell_one(sender, address, self._board[address])
            elif by_position:
                self._board.move(address, as_position(values), origin)
            else:
                self._board.set(address, values[0] if values else parameter.default, origin)

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

    # --- telling ---

    def _client(self, address: Address, until_s: float) -> Client:
        return Client(self._board.feed(origin_of(address), self._news.set), until_s)

    def _subscribe(self, sender: Address, values: list[Any]) -> None:
        port = values[0] if values else sender[1]
        if type(port) is not int or not 0 < port < 65536:
            raise UsageError(f"/subscribe {port!r}: a port is a number from 1 to 65535")
        address = (sender[0], port)
        with self._lock:
            if address not in self._clients:
                if len(self._clients) >= MOST_CLIENTS:
                    raise UsageError(f"{MOST_CLIENTS} clients are subscribed already, which is the most")
                self._clients[address] = self._client(address, time.monotonic() + SUBSCRIBED_S)
            client = self._clients[address]
            client.until_s = max(client.until_s, time.monotonic() + SUBSCRIBED_S)
        client.feed.put(self._board.values)

    def _forget(self, address: Address) -> None:
        with self._lock:
            if (client := self._clients.pop(address, None)) is not None:
                client.feed.close()

    def _tell(self) -> None:
        """Send what is new, and the meters, until the end."""
        while not self._over.is_set():
            self._news.wait(1 / METERS_HZ)
            self._news.clear()
            now_s = time.monotonic()
            for address, client in list(self._clients.items()):
                if client.until_s < now_s:
                    self._forget(address)
                    continue
                for changed, value in client.feed.take().items():
                    self._tell_one(address, changed, value)
            self._tell_meters(now_s)

    _next_meters_s = 0.0

    def _tell_meters(self, now_s: float) -> None:
        if not self._clients or now_s < self._next_meters_s:
            return
        self._next_meters_s = now_s + 1 / METERS_HZ
        status = self._player.status()
        for address in list(self._clients):
            for stem, peak_dbfs in status.peak_dbfs.items():
                self._send(address, f"/meter/{stem}", peak_dbfs, status.rms_dbfs[stem])
            self._send(address, "/meter/main", status.main_dbfs)
            self._send(address, "/status", status.load, status.n_late_blocks, status.n_xruns)

    def _tell_one(self, to: Address, address: str, value: Value) -> None:
        self._send(to, address, int(value) if isinstance(value, bool) else value)
        parameter = self._board.parameters.get(address)
        if parameter is not None and isinstance(parameter.scale, (Gain, Range)):
            self._send(to, address + POSITION, parameter.scale.position(value))

    def _refuse(self, sender: Address, text: str) -> None:
        self.n_refused += 1
        self._send(sender, "/error", text)

    def _send(self, to: Address, address: str, *values: Any) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        with contextlib.suppress(OSError):  # nobody there, or the net is down: UDP is told and forgotten
            self._socket.sendto(builder.build().dgram, to)


def origin_of(address: Address) -> str:
    """The name of a client on the board."""
    return f"osc:{address[0]}:{address[1]}"


def described(parameter: Parameter) -> Iterator[Any]:
    """A parameter in a reply: address, unit, lowest, highest, default, and what it does."""
    scale, default = parameter.scale, parameter.default
    yield from (parameter.address, scale.unit)
    is_number = isinstance(scale, (Gain, Range))
    yield from (scale.value_at(0.0), scale.value_at(1.0)) if is_number else ("", scale.allowed)
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


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Callable[[str], object]:
    """A pattern of OSC 1.0 (``* ? [a-z] [!a-z] {one,two}``), with 1.1's ``//``, as a function that matches.

    Raises
    ------
    UsageError
        It is no pattern, or a monstrous one.
    """
    if len(pattern) > MOST_PATTERN or pattern.count("*") > MOST_STARS or not pattern.startswith("/"):
        raise UsageError(
            f"{pattern[:40]!r} is no address: it begins with / and has at most {MOST_STARS} stars"
        )
    try:
        return re.compile("".join(_translated(pattern))).fullmatch
    except re.error as error:
        raise UsageError(f"{pattern!r} is no pattern: {error}") from None


_TOKEN = re.compile(r"//|\*+|\?|\[(!?)([^\]]*)\]|\{([^}]*)\}|.", re.DOTALL)


def _translated(pattern: str) -> Iterator[str]:
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if text == "//":
            yield "/(?:.*/)?"
        elif text[0] == "*":
            yield "[^/]*"
        elif text == "?":
            yield "[^/]"
        elif text[0] == "[" and len(text) > 1:
            yield f"[{'^' if token[1] else ''}{_escaped_class(token[2])}]"
        elif text[0] == "{" and len(text) > 1:
            yield "(?:" + "|".join(map(re.escape, token[3].split(","))) + ")"
        else:
            yield re.escape(text)


def _escaped_class(text: str) -> str:
    """What stands between brackets, in which only a hyphen means something."""
    return re.sub(r"[\\\]\[^&~|]", r"\\\g<0>", text)
