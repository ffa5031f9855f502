"""The process of the server, as the session holds it: two pipes, and an end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from rtsep.control.web.wire import LINE_BYTES, line, read_line
from rtsep.errors import DeviceError

MODULE = __package__
NEW_GROUP = 0x200  # of Windows: CREATE_NEW_PROCESS_GROUP


class Process:
    """A server that has just been started, and listens.

    Parameters
    ----------
    host, port
        Where; port 0: any that is free.
    token
        What a page must say.
    names
        By which the machine may be called.

    Attributes
    ----------
    port : int
        Where it listens.

    Raises
    ------
    DeviceError
        It cannot. Nothing is left then.
    """

    def __init__(self, host: str, port: int, token: str, names: list[str]) -> None:
        # Ctrl-C of the terminal is for the session: a group of its own, by whichever name the system has for it.
        own: dict[str, Any] = (
            {"start_new_session": True} if os.name == "posix" else {"creationflags": NEW_GROUP}
        )
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            **own,
        )
        self.send(line("open", {"host": host, "port": port, "token": token, "names": names}))
        kind, content = next(self.messages(), ("failed", ""))
        if kind != "listening":
            said = content or self._last_words()
            self.close()
            raise DeviceError(
                f"the web mixer cannot listen at {host}:{port}: {said}. Give an address of this machine and a port "
                f"that is free, as in --web 127.0.0.1:8737"
            )
        self.port = int(content)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def send(self, text: bytes) -> bool:
        """Say something; waits while it is slow. Whether it is there."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write(text)
            self._process.stdin.flush()
            return True
        return False

    def messages(self) -> Iterator[tuple[str, Any]]:
        """What it says, until its end."""
        assert self._process.stdout is not None
        with suppress(OSError, ValueError):
            while text := self._process.stdout.readline(LINE_BYTES):
                yield read_line(text)

    def kill(self) -> None:
        """End it; what waits for it goes on."""
        self._process.kill()

    def close(self) -> None:
        """End it, and leave nothing of it. Again it does nothing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else "it ended without a word"
