"""The server, attacked: with real sockets, from outside."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_guard import MALFORMED
from visitors import TOKEN, Visitor, WatchedSession, ask, get
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rtsep.control.web import guard
from rtsep.control.web.files import TABLE
from rtsep.control.web.link import WebSurface, start_server
from rtsep.control.wire import line
from rtsep.errors import DeviceError, UsageError

GAIN = "/stem/vocals/gain_db"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def still_serves(web: WebSurface, token: str = "") -> bool:
    with Visitor(web.port, token) as visitor:
        return bool(visitor.world())


def test_the_files_of_the_page_and_no_others(web: WebSurface) -> None:
    for path in TABLE:
        head, _, body = get(web.port, path).partition(b"\r\n\r\n")
        assert status_of(head) == 200
        assert body
    asked = [
        "/../server.py",
        "/..%2fserver.py",
        "/%2e%2e/server.py",
        "//etc/passwd",
        "/page/mixer.js",
        "/mixer.js?x",
    ]
    for path in [
        *asked,
        "/server.py",
        "/etc/passwd",
        "/./mixer.js",
        "file:///etc/passwd",
        "/mixer.js%00",
        "/session/",
    ]:
        answer = get(web.port, path)
        assert status_of(answer) == 404, path
        assert b"import" not in answer
        assert b"root:" not in answer


def test_every_answer_forbids_what_a_page_does_not_need(web: WebSurface) -> None:
    for path in ("/", "/mixer.js", "/nothing"):
        answer = get(web.port, path).decode()
        for name, value in guard.HEADERS.items():
            assert f"{name}: {value}\r\n" in answer
    assert (
        f"Content-Security-Policy: {guard.policy(f'127.0.0.1:{web.port}')}\r\n" in get(web.port, "/").decode()
    )
    assert "Server:" not in get(web.port, "/").decode()


def test_the_page_names_nothing_from_elsewhere() -> None:
    folder = Path(guard.__file__).parent / "page"
    assert {path.name for path in folder.iterdir()} == {name for name, _ in TABLE.values()}
    for path in folder.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z0-9.-]+\.[a-z]{2,}/|url\((?!#)|innerHTML|\beval\b", text), (
            path.name
        )


def test_only_get_is_answered_and_garbage_is_not(web: WebSurface) -> None:
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        answer = get(web.port, "/", method=method)
        assert not answer or status_of(answer) in (400, 405)
    body = get(web.port, "/", more="Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", method="POST")
    assert b"200 OK" not in body
    for garbage in (
        b"\x00" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"A" * 20000,
    ):
        assert b"200 OK" not in ask(web.port, garbage + b"\r\n\r\n")
    assert b"200 OK" not in get(web.port, "/", more="X: y\r\n" * 1000)
    assert b"200 OK" not in get(web.port, "/", more=f"X: {'y' * 20000}\r\n")
    assert still_serves(web)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:80", "", "127.0.0.1:1@evil.example"]
)
def test_a_foreign_name_is_refused(web: WebSurface, host: str) -> None:
    assert status_of(get(web.port, "/", host)) == 421
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nOrigin: http://{host}\r\n"
    assert status_of(get(web.port, "/session", host, upgrade + key)) == 421


def test_two_hosts_are_no_host(web: WebSurface) -> None:
    assert status_of(get(web.port, "/", more="Host: evil.example\r\n")) == 421


def test_a_page_of_another_site_is_refused(web: WebSurface) -> None:
    for origin in (
        "http://evil.example",
        "null",
        f"http://localhost:{web.port}",
        f"https://127.0.0.1:{web.port + 1}",
    ):
        with pytest.raises(InvalidStatus) as refused, Visitor(web.port, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    assert status_of(get(web.port, "/session", more=upgrade + key)) == 403


@pytest.mark.parametrize("token", ["", "a", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\x00", "é" * 100])
def test_without_the_token_nothing_is_told_and_nothing_is_done(
    locked: WebSurface, session: WatchedSession, token: str
) -> None:
    with Visitor(locked.port, token) as visitor:
        with contextlib.suppress(ConnectionClosed):
            visitor.set((GAIN, -20))
        with pytest.raises(ConnectionClosed) as closed:
            visitor.socket.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert session.board[GAIN] == 0.0
    assert still_serves(locked, TOKEN)


def test_a_token_that_never_comes_is_not_waited_for(locked: WebSurface, session: WatchedSession) -> None:
    with Visitor(locked.port, TOKEN) as guest, Visitor(locked.port, "wrong"):
        assert guest.world()
    upgrade = (
        f"Host: 127.0.0.1:{locked.port}\r\nOrigin: http://127.0.0.1:{locked.port}\r\nConnection: Upgrade\r\n"
    )
    rest = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    answer = ask(locked.port, f"GET /session HTTP/1.1\r\n{upgrade}{rest}", 30)  # it is the server that closes
    assert status_of(answer) == 101
    assert b"world" not in answer


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_the_token_is_nowhere_to_be_read_and_nothing_heavy_is_loaded(locked: WebSurface) -> None:
    assert still_serves(locked, TOKEN)
    process = Path(f"/proc/{locked.server_pid}")
    for name in ("cmdline", "environ"):
        assert TOKEN.encode() not in (process / name).read_bytes()
    maps = (process / "maps").read_text()
    for library in ("torch", "numba", "numpy", "llvmlite", "sounddevice"):
        assert library not in maps


def test_malformed_messages_are_answered_and_the_page_goes_on(
    web: WebSurface, session: WatchedSession
) -> None:
    with Visitor(web.port) as visitor:
        visitor.world()
        for text in [text for text in MALFORMED if len(text) < guard.MESSAGE_BYTES]:
            visitor.socket.send(text)
            assert visitor.error()
        visitor.socket.send(b"\x00\xff")
        assert "not bytes" in visitor.error()
        wrong = [
            ("/nothing", 1),
            (GAIN, "loud"),
            (GAIN, 1e300),
            (GAIN, True),
            ("/scene/recall", "\ud800"),
            ("", ""),
            ("/\ud800\udfff\x00\x7f", "\udfff"),
            (GAIN, "9" * 3900),
            (GAIN, "nan"),
            ("/scene/save", "\x00"),
        ]
        for address, value in [
            *wrong,
            ("/message", "hello"),
            ("/stem/vocals/mute", 7),
            ("x" * 250, "y" * 1000),
        ]:
            visitor.set((address, value))
            assert visitor.error()
        n = visitor.set((GAIN, -3))
        assert visitor.wait_for(lambda message: message.get("done") == n)
    assert session.board[GAIN] == -3.0
    assert web.n_refused == len(wrong) + 3
    assert web.n_restarts == 0


def test_a_message_too_large_costs_its_sender_the_connection(web: WebSurface) -> None:
    with Visitor(web.port) as other, Visitor(web.port) as visitor:
        other.world()
        with contextlib.suppress(ConnectionClosed):
            visitor.socket.send(json.dumps({"n": 1, "set": [["/scene/save", "x" * guard.MESSAGE_BYTES]]}))
        with pytest.raises(ConnectionClosed) as closed:
            visitor.listen(500)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        other.set((GAIN, -5))
        assert other.value(GAIN) == -5


def test_a_flood_waits_and_others_do_not(web: WebSurface, session: WatchedSession) -> None:
    n_sent = 2000
    with Visitor(web.port) as flood, Visitor(web.port) as other:
        flood.world()
        other.world()
        flood.socket.socket.settimeout(0.2)
        begun_s = time.monotonic()
        with contextlib.suppress(TimeoutError, ConnectionClosed, OSError):
            for k in range(n_sent):
                flood.set(("/separation", (k + 1) / n_sent))
        for k in range(20):
            n = other.set((GAIN, -k))
            other.wait_for(lambda message, n=n: message.get("done") == n)
        n_done = round(session.board["/separation"] * n_sent) if session.board["/separation"] < 1 else 0
        most = guard.MESSAGES_AT_ONCE + guard.MESSAGES_PER_S * (time.monotonic() - begun_s) + 2
        assert 0 < n_done <= most
        assert session.board[GAIN] == -19.0


def test_there_are_only_so_many_pages(web: WebSurface) -> None:
    with contextlib.ExitStack() as opened:
        pages = [opened.enter_context(Visitor(web.port)) for _ in range(guard.PAGES)]
        for page in pages:
            page.world()
        with pytest.raises(InvalidStatus) as refused, Visitor(web.port):
            pass
        assert refused.value.response.status_code == 503
        pages[0].set((GAIN, -9))
        assert pages[-1].value(GAIN) == -9
    wait_until(lambda: b"200 OK" in get(web.port, "/"))
    assert still_serves(web)


def is_open(bare: socket.socket) -> bool:
    """Whether the server has not closed it; it has nothing to say on one that asks nothing."""
    bare.settimeout(0.0)
    try:
        return bare.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_there_are_only_so_many_connections_and_the_newest_and_pages_stay(web: WebSurface) -> None:
    with Visitor(web.port) as page, contextlib.ExitStack() as opened:
        page.world()
        idle = [
            opened.enter_context(socket.create_connection(("127.0.0.1", web.port), 10)) for _ in range(80)
        ]
        wait_until(lambda: sum(map(is_open, idle)) <= guard.STRANGERS)
        assert [is_open(bare) for bare in idle] == [False] * (80 - guard.STRANGERS) + [True] * guard.STRANGERS
        assert b"200 OK" in get(web.port, "/")
        assert still_serves(web)
        page.set((GAIN, -9))
        assert page.value(GAIN) == -9


class Crowd:
    """Connections from other addresses that say nothing, and come again as soon as they are closed."""

    def __init__(self, port: int, sizes: Mapping[str, int]) -> None:
        self.n_opened = 0
        self._port, self._over = port, threading.Event()
        self._idle = [(address, self._connect(address)) for address, n in sizes.items() for _ in range(n)]
        self._thread = threading.Thread(target=self._insist)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        for _, bare in self._idle:
            bare.close()

    def _connect(self, address: str) -> socket.socket:
        self.n_opened += 1
        return socket.create_connection(("127.0.0.1", self._port), 10, source_address=(address, 0))

    def _insist(self) -> None:
        while not self._over.wait(0.05):
            for k, (address, bare) in enumerate(self._idle):
                if not is_open(bare):
                    bare.close()
                    self._idle[k] = address, self._connect(address)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere 127.0.0.2 is not this machine")
@pytest.mark.parametrize("sizes", [{"127.0.0.2": 200}, {f"127.0.0.{k}": 20 for k in range(2, 6)}])
def test_a_crowd_without_the_token_keeps_no_page_out(locked: WebSurface, sizes: dict[str, int]) -> None:
    with Visitor(locked.port, TOKEN) as page, Crowd(locked.port, sizes) as crowd:
        page.world()
        wait_until(lambda: crowd.n_opened > sum(sizes.values()))  # it insists
        for k in range(20):  # a phone that sleeps and wakes up
            with contextlib.ExitStack() as opened:
                browser = [
                    opened.enter_context(socket.create_connection(("127.0.0.1", locked.port), 10))
                    for _ in range(6)  # so many at once, most browsers
                ]
                assert b"200 OK" in get(locked.port, "/mixer.js")
                assert still_serves(locked, TOKEN)
                assert all(map(is_open, browser))
            page.set((GAIN, -k - 1))
            assert page.value(GAIN) == -k - 1


def test_whoever_says_nothing_is_not_waited_for(web: WebSurface) -> None:
    assert ask(web.port, b"GET / HT", 30) == b""  # it is the server that closes


def wait_until(is_so: object, timeout_s: float = 10) -> None:
    end_s = time.monotonic() + timeout_s
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_port_that_is_taken_is_said_at_the_door(session: WatchedSession, web: WebSurface) -> None:
    with pytest.raises(DeviceError, match=rf"127\.0\.0\.1:{web.port}.*Give an address"):
        WebSurface(session, "127.0.0.1", web.port).__enter__()
    with pytest.raises(DeviceError, match="cannot listen"):
        WebSurface(session, "192.0.2.77", 0, TOKEN).__enter__()


def test_nobody_else_comes_in_without_a_token(session: WatchedSession) -> None:
    for host in ("0.0.0.0", "192.168.1.7", "::", "", "stage.local"):
        with pytest.raises(UsageError, match="token"):
            WebSurface(session, host, 0)


def test_the_server_ends_with_its_session() -> None:
    process = start_server("127.0.0.1", 0, "", threading.Event())
    try:
        assert process.send(line("status", {}))
        assert process._process.stdin is not None
        process._process.stdin.close()
        assert process._process.wait(10) == 0
    finally:
        process.close()
