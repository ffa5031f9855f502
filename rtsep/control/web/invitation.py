"""How a person comes to the page: its address, and on a network the token, as a link and as a QR code.

The token is in the fragment of the link, which browsers keep to themselves. It is made once and kept in the folder of
this user's settings, so that a bookmark works tomorrow; whoever deletes the file gets another.
"""

from __future__ import annotations

import io
import ipaddress
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import segno

from rtsep.errors import UsageError

TOKEN_BYTES = 16  # more than can be guessed in the age of the universe
TOKEN_FILE = "web-token"
SOMEWHERE = ("192.0.2.1", 9)  # an address for documentation: nothing is sent there


def is_loopback(host: str) -> bool:
    """Whether only this machine can come there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def keep_token(folder: Path) -> str:
    """The token of this user, which nobody else can read; made if there is none.

    Raises
    ------
    UsageError
        The file cannot be read or written, or holds no token.
    """
    path = folder / TOKEN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(TOKEN_BYTES))
        token = path.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"the web mixer's token {path} cannot be kept: {error}") from error
    if len(token) < TOKEN_BYTES:
        raise UsageError(
            f"{path} holds no token of {TOKEN_BYTES} characters or more; delete it to get a new one"
        )
    return token


def names_of_this_machine() -> list[str]:
    """The names by which others call it."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return list(dict.fromkeys(found for found in (name, short, f"{short}.local") if short))


def address_of_this_machine(host: str) -> str:
    """Where others find it: `host`, or if that is all of its addresses the one that leads out."""
    if not ipaddress_is_any(host):
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(SOMEWHERE if family == socket.AF_INET else ("2001:db8::1", 9))
            return str(probe.getsockname()[0])
        except OSError:  # no network: its name is all there is
            return socket.gethostname()


def ipaddress_is_any(host: str) -> bool:
    """Whether this means all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def link(host: str, port: int, token: str) -> str:
    """The address of the page, with the token if there is one."""
    at = address_of_this_machine(host)
    at = f"[{at}]" if ":" in at else at
    return f"http://{at}:{port}/{f'#{token}' if token else ''}"


def invite(host: str, port: int, token: str) -> Iterator[str]:
    """Lines for the terminal."""
    address = link(host, port, token)
    yield f"Mixer: {address}"
    if token:
        picture = io.StringIO()
        segno.make(address, micro=False).terminal(picture, compact=True, border=2)
        yield from picture.getvalue().splitlines()
        yield "Whoever has this link can mix. There is no encryption: use it on a network that you trust."
