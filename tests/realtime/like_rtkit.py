"""Serves what rtkit serves, on whatever system bus there is: checks RLIMIT_RTTIME, then raises the thread for real.

rtkit itself asks polkit who sits at the machine, which a test has no say in.
"""

from __future__ import annotations

import os
from pathlib import Path

from jeepney import DBusAddress, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.RealtimeKit1"
LIMIT_US = 200_000


def rttime_us(pid: int) -> str:
    """The hard limit, as the kernel writes it."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4] for line in lines if line.startswith("Max realtime timeout"))


def main() -> None:
    with open_dbus_connection("SYSTEM") as connection:
        connection.send_and_get_reply(message_bus.RequestName(NAME))
        assert DBusAddress("/", NAME).bus_name == NAME
        print("ready", flush=True)
        while True:
            message = connection.receive()
            if message.header.message_type != MessageType.method_call:
                continue
            pid, tid, priority = message.body
            limit = rttime_us(pid)
            if limit == "unlimited" or int(limit) > LIMIT_US:
                connection.send(new_error(message, f"{NAME}.Error", "s", ("RTTIME is not limited",)))
                continue
            flags = os.SCHED_RR | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(tid, flags, os.sched_param(priority))
            connection.send(new_method_return(message))


if __name__ == "__main__":
    main()
