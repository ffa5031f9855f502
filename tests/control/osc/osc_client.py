"""Somebody with a socket, and what is sent from it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

PATIENCE_S = 10.0


class Client:
    """Somebody with a socket."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._to = ("127.0.0.1", port)

    def send(self, address: str, *values: object) -> None:
        self.send_raw(message(address, *values))

    def send_raw(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, self._to)

    def read(self, timeout_s: float) -> OscMessage | None:
        self._socket.settimeout(timeout_s)
        try:
            return OscMessage(self._socket.recv(65535))
        except TimeoutError:
            return None

    def wait(self, address: str) -> list[object]:
        """The values of the next message to an address."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            if (found := self.read(PATIENCE_S)) is not None and found.address == address:
                return list(found.params)
        raise AssertionError(f"nothing came to {address}")

    def all_until(self, address: str) -> dict[str, list[object]]:
        found: dict[str, list[object]] = {}
        while address not in found:
            one = self.read(PATIENCE_S)
            assert one is not None, f"nothing came to {address}"
            found[one.address] = list(one.params)
        return found

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.close()


def message(address: str, *values: object) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)  # type: ignore[arg-type]
    return builder.build().dgram


def bundle(at_s: float | None, *messages: tuple[str, object]) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY if at_s is None else at_s)
    for address, value in messages:
        inner = OscMessageBuilder(address)
        inner.add_arg(value)  # type: ignore[arg-type]
        builder.add_content(inner.build())
    return builder.build().dgram


def wait_for(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.002)
