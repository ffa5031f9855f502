"""The session's side of the web mixer: tells the server what there is, and sets what pages ask for.

Two threads, which sleep: one writes what has changed and thirty times a second how it stands (only while a page is
open), one reads. What a page asks for is set on the reading thread at once. A message of a page is confirmed together
with the values of all that it set, read afterwards: so a page that ignores, of what it moves itself, everything until
its last message is confirmed, ends where the board does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rtsep.board import NOBODY, Feed
from rtsep.control.crew import Crew, Guard
from rtsep.control.player import Player
from rtsep.control.process import Kept, Process
from rtsep.control.web.invitation import invite, is_loopback, names_of_this_machine
from rtsep.control.web.picture import draw_status, draw_values, draw_world
from rtsep.control.web.spectrum import Spectrum
from rtsep.control.wire import line
from rtsep.errors import DeviceError, UsageError

PICTURE_S = 1 / 32  # a bit more than 30 a second
LEAST_TURN_S = 0.008  # between two messages, whatever moves
LOOK_S = 0.5  # at the parameters themselves
MOST_ERRORS = 64
MODULE, NAME = __package__, "The web mixer"
BROKEN_S, BROKEN_AT = 0.1, 20  # between pictures that fail; and how many in a row are worth a word


class WebSurface:
    """The web mixer, while it is entered.

    Parameters
    ----------
    player
        The session.
    host, port
        Where the server listens; port 0: any that is free.
    token
        What pages must know; needed unless `host` is this machine alone.
    say
        Tells a person something.

    Attributes
    ----------
    n_refused : int
        Settings that were refused.

    Raises
    ------
    UsageError
        There is no token, but others can come.
    DeviceError
        On entering: it cannot listen there.
    """

    def __init__(
        self, player: Player, host: str, port: int, token: str = "", say: Callable[[str], None] = print
    ) -> None:
        if not token and not is_loopback(host):
            raise UsageError(f"the web mixer at {host} is open to others, so it needs a token")
        self._player, self._where, self._token, self._say = player, (host, port), token, say
        self._guard, self._drawing = (Guard(NAME, say, patience) for patience in (1, BROKEN_AT))
        self._crew, self._news = Crew(self._guard), threading.Event()
        self._notes = Notes()
        self._n_pages, self._is_new = 0, True
        self.n_refused = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._where[1]

    @property
    def server_pid(self) -> int:
        """The number of the server's process."""
        return self._server.process.pid

    @property
    def n_restarts(self) -> int:
        """Servers that ended by themselves."""
        return self._server.n_restarts

    @property
    def counts(self) -> dict[str, int]:
        """What went wrong: settings that were refused, servers that ended, and what failed in here."""
        n_failed = self._guard.n_failed + self._drawing.n_failed
        return {"n_refused": self.n_refused, "n_restarts": self.n_restarts, "n_failed": n_failed}

    def invitation(self) -> list[str]:
        """Lines that say how to come to the page."""
        return list(invite(self._where[0], self.port, self._token))

    def __enter__(self) -> WebSurface:
        self._server = Kept(
            self._start, self._hear, self._forget_pages, self._begin_anew, self._say, "The web mixer's server"
        )
        self._feed = self._player.board.feed(NOBODY, self._news.set)
        self._crew.start({"rtsep-web": self._tell, "rtsep-web-hear": self._server.listen})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.end(self._news.set, self._server.end)
        self._server.close()
        self._feed.close()

    def _start(self, over: threading.Event) -> Process:
        process = start_server(*self._where, self._token, over)
        self._where = (self._where[0], int(process.answer))  # the same after a restart
        return process

    # --- telling ---

    def _tell(self) -> None:
        teller = Teller(self._player, self._feed, self._notes)
        next_s = 0.0
        while not self._crew.over.wait(LEAST_TURN_S):
            now_s = time.monotonic()
            self._news.wait(max(0.0, next_s - now_s) if self._n_pages else LOOK_S)
            self._news.clear()
            is_new, self._is_new = self._is_new, False
            messages: list[bytes] = []
            with self._drawing:  # the session may be changing: the next turn sees and tells it whole
                messages += teller.changes(anew=is_new)
                if self._n_pages and (now_s := time.monotonic()) >= next_s:
                    next_s = max(next_s + PICTURE_S, now_s)
                    messages += teller.picture()
            if self._drawing.n_in_a_row:
                self._is_new = True
                self._crew.over.wait(BROKEN_S)
                continue
            for message in messages:
                self._server.send(message)

    # --- hearing ---

    def _hear(self, kind: str, content: Any) -> None:
        with self._guard:  # the next message may be in order
            if kind == "set":
                self._set(*content)
            elif kind == "pages":
                self._n_pages = content
        self._news.set()

    def _forget_pages(self) -> None:
        self._n_pages = 0
        self._notes.take()  # nobody waits for these any more

    def _begin_anew(self) -> None:
        """Another server knows nothing yet; pages find it by themselves."""
        self._is_new = True
        self._news.set()

    def _set(self, page: int, n: int, sets: list[tuple[str, Any]]) -> None:
        board = self._player.board
        for address, value in sets:
            try:
                board.set(address, value, f"web:{page}")
            except UsageError as error:
                self._refuse(page, n, address, str(error))
            except Exception as error:  # of a page's making or not, the session goes on
                self._refuse(page, n, address, f"an error in rtsep: {error!r}")
        self._notes.note(page, n, [address for address, _ in sets])

    def _refuse(self, page: int, n: int, address: str, text: str) -> None:
        self.n_refused += 1
        self._notes.refuse(page, n, address, text)


def start_server(host: str, port: int, token: str, over: threading.Event) -> Process:
    """A server that listens; its answer is the port.

    Raises
    ------
    DeviceError
        It cannot listen there.
    """
    try:
        names = names_of_this_machine()
        return Process(MODULE, {"host": host, "port": port, "token": token, "names": names}, over)
    except DeviceError as error:
        raise DeviceError(
            f"the web mixer cannot listen at {host}:{port}: {error}. Give an address of this machine and a port "
            f"that is free, as in --web 127.0.0.1:8737"
        ) from None


class Notes:
    """What is to be confirmed to pages; written by one thread and taken by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._addresses: set[str] = set()
        self._errors: list[tuple[int, int, str, str]] = []

    def note(self, page: int, n: int, addresses: list[str]) -> None:
        """A message was done, which set these."""
        with self._lock:
            self._done[page] = n
            self._addresses.update(addresses)

    def refuse(self, page: int, n: int, address: str, text: str) -> None:
        """A value was refused; of very many the last are told."""
        with self._lock:
            self._errors = [*self._errors[1 - MOST_ERRORS :], (page, n, address, text)]

    def take(self) -> tuple[dict[int, int], set[str], list[tuple[int, int, str, str]]]:
        """All since the last call: page to message, addresses, errors."""
        with self._lock:
            taken = self._done, self._addresses, self._errors
            self._done, self._addresses, self._errors = {}, set(), []
        return taken


class Teller:
    """Makes the messages for the server."""

    def __init__(self, player: Player, feed: Feed, notes: Notes) -> None:
        self._player, self._feed, self._notes = player, feed, notes
        self._generation, self._looked_s = -1, 0.0
        self._world: dict[str, Any] = {}
        self._spectrum: Spectrum | None = None
        self._rate_hz = 0

    def changes(self, *, anew: bool) -> list[bytes]:
        """What is new since the last call, or everything."""
        world = self._new_world(anew=anew)
        done, addresses, errors = self._notes.take()
        values: Mapping[str, Any] = self._feed.take()
        board = self._player.board
        parameters = board.parameters
        mine = {a for a in addresses if a in parameters and parameters[a].kind != "momentary"}
        values = draw_values({**values, **{address: board[address] for address in mine}})
        messages = [world] if world is not None else []
        if values or done or errors:
            content = {"values": values, "done": list(done.items()), "errors": errors}
            messages.append(line("news", content))
        return messages

    def _new_world(self, *, anew: bool) -> bytes | None:
        """All parameters and their values, if they are other ones; looked at now and then."""
        board, now_s = self._player.board, time.monotonic()
        if not anew and board.generation == self._generation and now_s < self._looked_s + LOOK_S:
            return None
        self._looked_s = now_s
        generation = board.generation
        world = draw_world(self._player)
        is_other = anew or world != self._world
        self._generation, self._world = generation, world
        return line("world", {"world": world, "values": draw_values(board.values)}) if is_other else None

    def picture(self) -> list[bytes]:
        """How it stands now."""
        rate_hz = self._player.latency.sample_rate_hz
        if self._spectrum is None or self._rate_hz != rate_hz:
            self._spectrum, self._rate_hz = Spectrum(rate_hz), rate_hz
        return [line("status", draw_status(self._player, self._spectrum))]
