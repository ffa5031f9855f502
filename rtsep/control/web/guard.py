"""Who may come in, and what is let through: rules as functions, which `rtsep.control.web.server` asks.

====================================  ==================================================================
another site's page in a browser      `is_origin_allowed`: a page may only talk to the host it came from
a name that is led here (rebinding)   `is_host_allowed`: a host is called by its address or its own name
somebody else on the network          `is_token_right`; without a token the server listens on loopback only
a page with foreign content           `HEADERS`, `policy`: nothing from elsewhere is loaded or run
other files of this machine           `rtsep.control.web.files`: a fixed table of what there is
floods, and what is malformed         `Bucket`, `read_sets`, and the bounds below
who takes all connections for himself `rtsep.control.web.lobby`: he loses his own, not those of others
====================================  ==================================================================
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NoReturn

MESSAGE_BYTES = 4096
SETS_A_MESSAGE = 64
MESSAGES_PER_S, MESSAGES_AT_ONCE = 120.0, 120.0  # a page sends one a picture
PAGES = 16
STRANGERS = 48  # connections beside those of pages: they fetch files, or have not said their token yet
TOKEN_WAIT_S = 5.0
NUMBER_MOST = 2**53  # of whole ones: beyond, a page and Python mean different numbers
ADDRESS_LONGEST = 256  # a refusal repeats it, and many of them have to fit into a line between the processes

#: On every answer.
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?")


class MalformedError(ValueError):
    """A message that means nothing; the text is the answer."""


@dataclass(frozen=True)
class Move:
    """What a page asks for: `n` counts its messages, `sets` are addresses and values, unchecked."""

    n: int
    sets: tuple[tuple[str, Any], ...]


def policy(host: str) -> str:
    """The content security policy of a page that came from `host`, which must be an allowed one."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' ws://{host} wss://{host}; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def is_host_allowed(host: str | None, names: Collection[str]) -> bool:
    """Whether a Host header names this server.

    A browser that was led here by a foreign name (DNS rebinding) says that name. So an address in figures is good,
    and of names only `localhost` and those of this machine.
    """
    match = _HOST.fullmatch(host or "")
    if match is None:
        return False
    name = match["name"].strip("[]").lower().removesuffix(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names or name == "localhost"
    return True


def is_origin_allowed(origin: str | None, host: str) -> bool:
    """Whether who opens a websocket is a page of this server: its origin is the host that it asks."""
    return origin is not None and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def is_token_right(given: str | bytes, token: str) -> bool:
    """Whether a first message holds the token, in a time that does not tell how much of it is right.

    Without a token everything is right.
    """
    try:
        said = json.loads(given)["token"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    if not isinstance(said, str):
        return False
    return not token or hmac.compare_digest(said.encode("utf-8", "replace"), token.encode())


class Bucket:
    """So many turns a second, and some at once.

    Parameters
    ----------
    per_s, at_once
        How many.
    """

    def __init__(self, per_s: float, at_once: float) -> None:
        self._per_s, self._at_once, self._left, self._at_s = per_s, at_once, at_once, 0.0

    def wait_s(self, now_s: float) -> float:
        """Take a turn: how long to wait for it."""
        self._left = min(self._at_once, self._left + (now_s - self._at_s) * self._per_s) - 1
        self._at_s = now_s
        return max(0.0, -self._left / self._per_s)


def read_sets(text: str | bytes) -> Move:
    """What a message of a page asks for.

    Raises
    ------
    MalformedError
        It is none.
    """
    if isinstance(text, bytes):
        raise MalformedError("a message is text, not bytes")
    try:
        said = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MalformedError("a message is JSON") from None
    n, sets = (said.get("n"), said.get("set")) if isinstance(said, dict) else (None, None)
    if type(n) is not int or not 0 < n < NUMBER_MOST or not isinstance(sets, list):
        raise MalformedError('a message is {"n": 1, "set": [["/address", value], ...]}, and n counts')
    if not 0 < len(sets) <= SETS_A_MESSAGE:
        raise MalformedError(f"a message sets 1 to {SETS_A_MESSAGE} parameters")
    return Move(n, tuple(_read_set(one) for one in sets))


def _read_set(one: object) -> tuple[str, Any]:
    if not (isinstance(one, list) and len(one) == 2 and isinstance(one[0], str)):
        raise MalformedError("what is set is an address and a value")
    address, value = one
    if len(address) > ADDRESS_LONGEST:
        raise MalformedError(f"what is set has an address of at most {ADDRESS_LONGEST} characters")
    if not isinstance(value, (bool, int, float, str)):
        raise MalformedError("a value is a number, true, false or text")
    if type(value) is int and abs(value) > NUMBER_MOST:
        raise MalformedError(f"a whole number is at most {NUMBER_MOST}")
    if isinstance(value, float) and not math.isfinite(
        value
    ):  # 1e999 is infinite to Python, and JSON knows none
        raise MalformedError('a number is finite; silence is "-inf", in quotes')
    return address, value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
