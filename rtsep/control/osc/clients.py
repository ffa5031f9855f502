"""Who is told of changes over OSC, and for how long."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from rtsep.board import Board, Feed
from rtsep.errors import DeviceError, UsageError

SUBSCRIBED_S = 60.0
MOST_CLIENTS = 16

Address = tuple[str, int]


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
        When it is forgotten, by `time.monotonic`; those of the settings never are (`is_kept`).
    is_lost
        Whether something could not be sent to it.
    """

    sender: Address
    feed: Feed
    until_s: float
    is_lost: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether it is one of the settings, whoever has subscribed it since."""
        return self.until_s == math.inf


class Clients:
    """Everybody who is told. Its lock is never held while the board's is asked for.

    Parameters
    ----------
    board
        Gives what they follow.
    wake
        Called when there is something to send.
    """

    def __init__(self, board: Callable[[], Board], wake: Callable[[], None]) -> None:
        self._board, self._wake = board, wake
        self._lock = threading.Lock()
        self._clients: dict[Address, Client] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def keep(self, addresses: Iterable[Address]) -> None:
        """Tell these until the end, though they never ask."""
        for address in dict.fromkeys(addresses):
            self._put(address, Client(address, self._board().feed(origin_of(address), self._wake), math.inf))

    def close(self) -> None:
        """Tell nobody any more."""
        self._forget(lambda client: True)

    def all(self) -> list[tuple[Address, Client]]:
        """Where to send, and what."""
        with self._lock:
            return list(self._clients.items())

    def origin_of(self, sender: Address) -> str:
        """Who moves the board when a sender does.

        Most panels send from another port than they listen at. So who comes from the machine of a client of the
        settings is taken for that client, if there is but one of that machine, and unless the sender has subscribed
        itself.
        """
        with self._lock:
            clients = list(self._clients.values())
        fixed = [one for one in clients if one.is_kept and one.sender[0] == sender[0]]
        if len(fixed) != 1 or any(one.sender == sender for one in clients):
            return origin_of(sender)
        return fixed[0].feed.origin

    def lose(self, to: Address) -> bool:
        """Something could not be sent there: whether that is a client, and the first time."""
        with self._lock:
            client = self._clients.get(to)
            is_news = client is not None and not client.is_lost
            if client is not None:
                client.is_lost = True
        return is_news

    def subscribe(self, sender: Address, port: object) -> None:
        """Tell a port of a sender's machine from now on.

        Raises
        ------
        UsageError
            It is none, or there are too many.
        """
        if type(port) is not int or not 0 < port < 65536:
            raise UsageError(f"/subscribe {port!r}: a port is a number from 1 to 65535")
        to = (sender[0], port)
        if to not in self._clients and len(self._clients) >= MOST_CLIENTS:
            raise UsageError(f"{MOST_CLIENTS} clients are subscribed already, which is the most")
        feed = self._board().feed(origin_of(sender), self._wake, snapshot=True)
        before = self._clients.get(to)  # whoever asks last for a port is who moves what is shown there
        until_s = max(before.until_s if before else 0.0, time.monotonic() + SUBSCRIBED_S)
        self._put(to, Client(sender, feed, until_s))

    def unsubscribe(self, sender: Address) -> None:
        """Forget what a sender has subscribed; a client of the settings is what it was before that."""
        for to, client in self.all():
            if client.is_kept and client.sender == sender != to:
                feed = self._board().feed(origin_of(to), self._wake, snapshot=True)
                self._put(to, Client(to, feed, math.inf))
        self._forget(lambda client: client.sender == sender and not client.is_kept)

    def renew(self, sender: Address) -> None:
        """A sender has said something: what it has subscribed lasts longer."""
        with self._lock:
            for client in self._clients.values():
                if client.sender == sender:
                    client.until_s = max(client.until_s, time.monotonic() + SUBSCRIBED_S)

    def forget_silent(self, now_s: float) -> None:
        """Forget those who have not said anything for too long."""
        self._forget(lambda client: client.until_s < now_s)

    def _put(self, to: Address, client: Client) -> None:
        """Have it in the place of whoever is told there until now."""
        with self._lock:
            before, self._clients[to] = self._clients.get(to), client
        if before:
            before.feed.close()

    def _forget(self, is_over: Callable[[Client], bool]) -> None:
        with self._lock:
            over = {to: client for to, client in self._clients.items() if is_over(client)}
            for to in over:
                del self._clients[to]
        for client in over.values():
            client.feed.close()


def origin_of(address: Address) -> str:
    """The name of a client on the board."""
    return f"osc:{address[0]}:{address[1]}"


def resolved(clients: Iterable[Address], listener: socket.socket) -> list[Address]:
    """Where clients are, whose names are looked up once: whoever tells them must not wait for that.

    Parameters
    ----------
    clients
        Hosts, by name or address, and ports.
    listener
        What they will be told by, bound.

    Raises
    ------
    DeviceError
        A name is not known.
    UsageError
        Nothing gets there from where it is bound, or it is bound there itself.
    """
    here, port = listener.getsockname()[:2]
    found = [_resolved(client, listener.family) for client in clients]
    for there, its_port in found:
        if its_port == port and _is_bound_at(listener, there):
            raise UsageError(
                f"OSC listens at {here}:{port} itself, so its client {there}:{its_port} cannot be there. Give the "
                f"port at which that client listens, or leave it out"
            )
        if ip_address(here).is_loopback and not ip_address(there).is_loopback:
            raise UsageError(
                f"OSC listens at {here}:{port}, from where nothing gets to {there}:{its_port}. Listen at the address "
                f"that this machine has for that client, or at all (--osc 0.0.0.0:{port}; whoever reaches it moves "
                f"the mix), or leave the client out"
            )
    return found


def _is_bound_at(listener: socket.socket, host: str) -> bool:
    """Whether what is sent to its port of a host comes to the listener itself."""
    here = listener.getsockname()[0]
    if host == here or not ip_address(here).is_unspecified:
        return bool(host == here)
    with socket.socket(listener.family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True  # an address of this machine, at all of which it listens


def _resolved(client: Address, family: int) -> Address:
    host, port = client
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)[0][4]
    except (OSError, UnicodeError) as error:
        version = "IPv6" if family == socket.AF_INET6 else "IPv4"
        reason = getattr(error, "strerror", None) or error
        raise DeviceError(
            f"OSC cannot find its client {host}:{port}: {reason}. Give its {version} address, as that is what OSC "
            f"listens at, or leave it out"
        ) from error
    return str(found[0]), int(found[1])
