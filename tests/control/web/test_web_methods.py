"""What the web mixer's server says to whoever wants something else than to read."""

from __future__ import annotations

import http.client
import socket
import time

import pytest
from visitors import get

from rtsep.control.web.link import WebSurface


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "GETTER"])
def test_there_is_only_get(web: WebSurface, method: str) -> None:
    answer = get(web.port, "/", method=method)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"There is only GET." in answer


@pytest.mark.parametrize("n_bytes", [1, 100, 3_000_000])
def test_a_body_is_answered_and_not_read(web: WebSurface, n_bytes: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    connection.request("POST", "/", body=b"x" * n_bytes)
    answer = connection.getresponse()
    assert answer.status == 405
    assert b"There is only GET." in answer.read()
    connection.close()
    assert b"405" in get(
        web.port, "/", more="Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", method="POST"
    )
    assert b"200 OK" in get(web.port, "/")


def test_a_request_in_pieces_is_one(web: WebSurface) -> None:
    with socket.create_connection(("127.0.0.1", web.port), 10) as bare:
        for piece in (b"G", b"ET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % web.port):
            bare.sendall(piece)
            time.sleep(0.1)
        assert bare.recv(100).startswith(b"HTTP/1.1 200 ")
