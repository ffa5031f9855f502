"""The server, in a process of its own: pages come in by `rtsep.control.web.guard`, and are told of the world.

Messages of the session come from standard input, and its end is the end of the server; what pages ask for goes to
standard output. The library is websockets: it serves the few files of the page too, and brings nothing else along.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from itertools import count
from typing import Any, BinaryIO, ClassVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from rtsep.control.web import guard
from rtsep.control.web.files import read_files
from rtsep.control.web.guard import MalformedError
from rtsep.control.web.lobby import Lobby
from rtsep.control.web.world import Page, World
from rtsep.control.wire import LINE_BYTES, line, read_line

SOCKET_PATH = "/session"
NICENESS = 5  # a late picture is seen, a late engine is heard
GET = b"GET "
STATUS_START = b'{"status":'
REFUSED = 1008  # of a websocket: against the rules
WRONG_TOKEN = "This is not the token: open the link that rtsep printed at its start, or scan its QR code."


class Connection(ServerConnection):
    """One that is in the lobby of this process until it has said its token."""

    lobby: ClassVar[Lobby[ServerConnection]] = Lobby(guard.STRANGERS)
    _is_get: bool | None = None  # until it has said anything

    def connection_made(self, transport: Any) -> None:
        """Begin; who has to leave for it does so at once."""
        super().connection_made(transport)
        host, *_ = transport.get_extra_info("peername") or ("",)  # without one it is gone already
        if (unlucky := self.lobby.enter(self, host)) is not None:
            unlucky.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Have the library read it, which says nothing to what is not GET, or has a body: that is answered here."""
        if self._is_get is None:
            self._is_get = GET.startswith(data[: len(GET)])
            if not self._is_get:
                text = _response(
                    HTTPStatus.METHOD_NOT_ALLOWED, "There is only GET.", headers={"Allow": "GET"}
                )
                self.transport.write(text.serialize())
                self.transport.write_eof()  # who does not leave then is not read, and sent away in time
        if self._is_get:
            super().data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Make room."""
        self.lobby.leave(self)
        super().connection_lost(error)


class Server:
    """Pages on one side, the session on the other.

    Parameters
    ----------
    token
        What a page must say first; empty: nothing.
    names
        Names of this machine, by which it may be asked.
    out
        Where messages for the session go.
    """

    def __init__(self, token: str, names: Sequence[str], out: BinaryIO) -> None:
        self._token, self._names, self._out = token, frozenset(name.lower() for name in names), out
        self._files, self._world = read_files(), World()
        self._numbers = count(1)
        self._news: dict[int, asyncio.Event] = {}
        self._writing = asyncio.Lock()

    async def run(self, host: str, port: int, lines: AsyncIterator[bytes]) -> None:
        """Serve until the session says nothing any more."""
        listening = serve(
            self.talk,
            host,
            port,
            process_request=self.answer,
            create_connection=Connection,
            compression=None,  # a short message is not worth it, and a bomb cannot be sent
            max_size=guard.MESSAGE_BYTES,
            max_queue=4,
            open_timeout=guard.TOKEN_WAIT_S,
            close_timeout=1,
            server_header=None,
        )
        async with listening as server:
            await self._tell("listening", server.sockets[0].getsockname()[1])
            async for text in lines:
                self._hear(text)

    # --- files, and who may open a websocket ---

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """A file or a refusal; None opens a websocket."""
        hosts = request.headers.get_all("Host")
        host = hosts[0] if len(hosts) == 1 else ""
        if not guard.is_host_allowed(host, self._names):
            return _response(HTTPStatus.MISDIRECTED_REQUEST, "This server has another name.")
        if request.path == SOCKET_PATH:
            origins = request.headers.get_all("Origin")
            if not guard.is_origin_allowed(origins[0] if len(origins) == 1 else None, host):
                return _response(HTTPStatus.FORBIDDEN, "Only a page of this server may open this.")
            if len(self._world.pages) >= guard.PAGES:
                return _response(HTTPStatus.SERVICE_UNAVAILABLE, f"{guard.PAGES} pages are open already.")
            return None
        file = self._files.get(request.path)
        if file is None:
            return _response(HTTPStatus.NOT_FOUND, "There is nothing of that name.")
        return _response(
            HTTPStatus.OK, file.content, file.kind, {"Content-Security-Policy": guard.policy(host)}
        )

    # --- a page ---

    async def talk(self, connection: ServerConnection) -> None:
        """All of the life of a page."""
        with contextlib.suppress(ConnectionClosed):
            first = asyncio.ensure_future(connection.recv())
            await asyncio.wait([first], timeout=guard.TOKEN_WAIT_S)
            if not first.done():
                first.cancel()
                await connection.close(REFUSED, "no token came")
            elif not guard.is_token_right(await first, self._token):
                await connection.close(REFUSED, WRONG_TOKEN)
            elif len(self._world.pages) >= guard.PAGES:
                await connection.close(REFUSED, f"{guard.PAGES} pages are open already")
            else:
                Connection.lobby.leave(connection)  # pages have places of their own
                await self._follow(connection)

    async def _follow(self, connection: ServerConnection) -> None:
        page, news = Page(next(self._numbers)), asyncio.Event()
        self._world.pages[page.number], self._news[page.number] = page, news
        news.set()
        telling = asyncio.create_task(self._tell_page(connection, page, news))
        try:
            await self._tell("pages", len(self._world.pages))
            await self._hear_page(connection, page, news)
        finally:
            telling.cancel()
            del self._world.pages[page.number], self._news[page.number]
            await self._tell("pages", len(self._world.pages))

    async def _tell_page(self, connection: ServerConnection, page: Page, news: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionClosed):
            while await news.wait():
                news.clear()
                for message in self._world.lacking(page):
                    await connection.send(message)

    async def _hear_page(self, connection: ServerConnection, page: Page, news: asyncio.Event) -> None:
        """Pass on what a page asks for. Who asks too often waits: what it sends meanwhile stays in the network."""
        bucket = guard.Bucket(guard.MESSAGES_PER_S, guard.MESSAGES_AT_ONCE)
        now_s = asyncio.get_running_loop().time
        async for text in connection:
            await asyncio.sleep(bucket.wait_s(now_s()))
            try:
                move = guard.read_sets(text)
            except MalformedError as error:
                page.refuse(str(error))
                news.set()
            else:
                await self._tell("set", [page.number, move.n, move.sets])

    # --- the session ---

    def _hear(self, text: bytes) -> None:
        if text.startswith(STATUS_START):  # thirty a second, for pages to read
            self._world.see(text.decode("ascii").rstrip())
        else:
            kind, content = read_line(text)
            {"world": self._world.describe, "news": self._world.learn}[kind](content)
        for news in self._news.values():
            news.set()

    async def _tell(self, kind: str, content: Any) -> None:
        """In a thread: while the session is slow to listen, only who has something to say waits."""
        async with self._writing:
            await asyncio.to_thread(self._write, line(kind, content))

    def _write(self, text: bytes) -> None:
        with contextlib.suppress(OSError):  # its end is seen where it is heard
            self._out.write(text)
            self._out.flush()


def _response(
    status: HTTPStatus,
    content: str | bytes,
    kind: str = "text/plain; charset=utf-8",
    headers: dict[str, str] | None = None,
) -> Response:
    body = content if isinstance(content, bytes) else f"{content}\n".encode()
    own = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, status.phrase, Headers({**guard.HEADERS, **own, **(headers or {})}), body)


async def read_lines(stream: BinaryIO) -> AsyncIterator[bytes]:
    """Lines of a pipe, read on a thread: not every system can do it otherwise. A few at most wait here."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes](4)

    def read() -> None:
        text = b"."
        while text:
            text = stream.readline(LINE_BYTES)
            asyncio.run_coroutine_threadsafe(queue.put(text), loop).result()

    threading.Thread(target=read, daemon=True).start()
    while text := await queue.get():
        yield text


async def run(stream: BinaryIO, out: BinaryIO) -> None:
    """Serve as the first message says; what goes wrong then is answered."""
    lines = read_lines(stream)
    kind, content = read_line(await anext(lines))
    assert kind == "open"
    try:
        await Server(content["token"], content["names"], out).run(content["host"], content["port"], lines)
    except OSError as error:
        out.write(line("failed", error.strerror or str(error)))
        out.flush()


def main() -> None:
    """Serve for the process that started this one; signals of the terminal are its affair."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    logging.disable()  # nobody reads it, and a token must not be in it
    asyncio.run(run(sys.stdin.buffer, sys.stdout.buffer))
    os._exit(0)  # without waiting for the thread that reads
