"""Whoever comes to a web mixer: pages without a browser, and bare sockets; and a session that stands still."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
from session import StillSession
from websockets.sync.client import ClientConnection, connect

TOKEN = "a-token-of-this-test-alone"


class WatchedSession(StillSession):
    """What a web mixer asks for beyond that."""

    sides = ("vocals", "instrumental")

    def levels(self) -> dict[str, tuple[float, float]]:
        return {"/stem/vocals": (-3.0, -12.0), "/bus/main": (-1.0, -9.0)}

    def heard_stems(self, n_samples: int) -> np.ndarray:
        return np.zeros((len(self.stems), 2, n_samples), np.float32)


class Visitor:
    """A page without a browser.

    Parameters
    ----------
    port, token
        As for a page.
    headers
        In place of what a browser sends.
    """

    def __init__(self, port: int, token: str = "", **headers: str) -> None:
        host = headers.get("host", f"127.0.0.1:{port}")
        self.stack = contextlib.ExitStack()
        self.socket: ClientConnection = self.stack.enter_context(
            connect(
                f"ws://{host}/session",
                sock=socket.create_connection(("127.0.0.1", port), 10),
                origin=headers.get("origin", f"http://{host}"),
                open_timeout=10,
                close_timeout=0.5,
            )
        )
        self.n = 0
        self.socket.send(json.dumps({"token": token}))

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def set(self, *sets: tuple[str, Any]) -> int:
        self.n += 1
        self.socket.send(json.dumps({"n": self.n, "set": sets}))
        return self.n

    def wait_for(self, wanted: Callable[[dict[str, Any]], Any]) -> Any:
        """The first truth that a message gives."""
        while True:
            found = wanted(json.loads(self.socket.recv(10)))
            if found:
                return found

    def listen(self, n_messages: int) -> None:
        for _ in range(n_messages):
            self.socket.recv(10)

    def world(self) -> dict[str, Any]:
        return self.wait_for(lambda message: message if "world" in message else None)

    def error(self) -> str:
        return self.wait_for(lambda message: message.get("errors"))[0]["text"]

    def value(self, address: str) -> Any:
        return self.wait_for(lambda message: [message["values"][address]] if has(message, address) else None)[
            0
        ]


def has(message: dict[str, Any], address: str) -> bool:
    return address in message.get("values", {})


def ask(port: int, text: str | bytes, timeout_s: float = 10) -> bytes:
    """What comes back for bytes on a bare socket, until it is closed."""
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout_s) as bare,
        contextlib.suppress(ConnectionError),
    ):
        bare.sendall(text.encode() if isinstance(text, str) else text)
        while part := bare.recv(65536):
            answer += part
    return answer


def get(port: int, path: str, host: str | None = None, more: str = "", method: str = "GET") -> bytes:
    host = f"127.0.0.1:{port}" if host is None else host
    return ask(port, f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
