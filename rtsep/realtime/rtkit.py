"""rtkit: the service that desktops have for what a user's limits do not allow, asked over the system's D-Bus.

See rtkit's README and ``org.freedesktop.RealtimeKit1.xml``. It wants RLIMIT_RTTIME set, grants priorities up to 20
unless told otherwise, and takes its grants back when threads of its own starve.
"""

from __future__ import annotations

import os
from typing import Any

PATH, NAME = "/org/freedesktop/RealtimeKit1", "org.freedesktop.RealtimeKit1"
TIMEOUT_S = 1.0  # its first answer includes its start


def make_realtime(tid: int, priority: int) -> str | None:
    """``SCHED_RR`` for a thread of this process, which is as good as FIFO; why not, if not."""
    return _call("MakeThreadRealtimeWithPID", "ttu", (os.getpid(), tid, priority))


def make_nice(tid: int, nice: int) -> str | None:
    """A nice value below 0, as low as -15; why not, if not."""
    return _call("MakeThreadHighPriorityWithPID", "tti", (os.getpid(), tid, nice))


def limits() -> dict[str, int] | str:
    """What it grants at most, by the names of its properties; or why it does not answer."""
    from jeepney import DBusAddress, Properties

    properties = Properties(DBusAddress(PATH, NAME, NAME))
    try:
        return {
            name: int(_ask(properties.get(name))[0][1]) for name in ("MaxRealtimePriority", "RTTimeUSecMax")
        }
    except _refusals() as error:
        return _words(error)


def _call(method: str, signature: str, arguments: tuple[int, ...]) -> str | None:
    from jeepney import DBusAddress, new_method_call

    try:
        _ask(new_method_call(DBusAddress(PATH, NAME, NAME), method, signature, arguments))
    except _refusals() as error:
        return _words(error)
    return None


def _ask(message: Any) -> tuple[Any, ...]:
    """The body of the answer."""
    from jeepney.io.blocking import open_dbus_connection
    from jeepney.wrappers import unwrap_msg

    with open_dbus_connection("SYSTEM") as connection:
        body: tuple[Any, ...] = unwrap_msg(connection.send_and_get_reply(message, timeout=TIMEOUT_S))
    return body


def _refusals() -> tuple[type[Exception], ...]:
    """All that may come in place of an answer: no bus, no service, no permission, silence."""
    from jeepney.auth import AuthenticationError
    from jeepney.wrappers import DBusErrorResponse

    return OSError, TimeoutError, EOFError, AuthenticationError, DBusErrorResponse, ValueError, KeyError


def _words(error: Exception) -> str:
    """Why, in a line."""
    from jeepney.wrappers import DBusErrorResponse

    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return "there is no system D-Bus"
    if isinstance(error, DBusErrorResponse):
        text = error.data[0] if error.data else error.name
        return "it is not installed" if error.name.endswith("ServiceUnknown") else str(text).splitlines()[0]
    return str(error) or type(error).__name__
