"""A process of rtsep's own, as the session holds it: two pipes, and an end.

What must not keep the session's interpreter from the engine is in one: the server of the web mixer, the MIDI ports.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rtsep.control.wire import LINE_BYTES, line, read_line
from rtsep.errors import DeviceError, RtsepError

NEW_GROUP = 0x200  # of Windows: CREATE_NEW_PROCESS_GROUP
START_S = 10.0  # the longest that a process may take to say that it is ready
PATIENCE_S = 2.0  # with a process that was asked to end
LOOK_S = 0.05
AGAIN_S, MOST_AGAIN_S = 0.5, 5.0  # before one that has ended is started again
FAILED = "failed"  # the kind of the first message of a process that cannot do what it is for


class Process:
    """A process that has just been started, and has said that it is ready.

    Parameters
    ----------
    module
        What runs in it, as ``python -m`` takes it.
    opening
        What it needs to know, as plain values.
    over
        Set when nobody waits for it any more.

    Attributes
    ----------
    answer : Any
        What it said.

    Raises
    ------
    DeviceError
        It cannot do what it is for; the message is its reason. Nothing is left then.
    """

    def __init__(self, module: str, opening: object, over: threading.Event) -> None:
        # Ctrl-C of the terminal is for the session: a group of its own, by whichever name the system has for it.
        own: dict[str, Any] = (
            {"start_new_session": True} if os.name == "posix" else {"creationflags": NEW_GROUP}
        )
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            **own,
        )
        self.send(line("open", opening))
        self.answer: Any
        with self._hurried(over):
            kind, self.answer = next(self.messages(), (FAILED, ""))
        if kind == FAILED:
            said = self.answer or self._last_words()
            self.close()
            raise DeviceError(said)

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

    def end(self) -> None:
        """End it, if need be by force; whoever waits for it goes on."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End it, and leave nothing of it. Again it does nothing."""
        self.end()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()

    @contextmanager
    def _hurried(self, over: threading.Event) -> Iterator[None]:
        """End it if it has not answered in time: it may hang in a sound server that hangs."""
        answered, until_s = threading.Event(), time.monotonic() + START_S

        def watch() -> None:
            while not answered.wait(LOOK_S):
                if over.is_set() or time.monotonic() > until_s:
                    self._process.kill()
                    return

        thread = threading.Thread(target=watch, name="rtsep-start", daemon=True)
        thread.start()
        try:
            yield
        finally:
            answered.set()
            thread.join()

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else f"it ended without a word, or did not answer in {START_S:g} s"


class Kept:
    """A process that is started again when it ends by itself.

    Parameters
    ----------
    start
        Starts one, until an event is set; may raise what `Process` does.
    hear
        Gets every message of it, on the thread that calls `listen`.
    lost, begun
        Are called when it has ended, and when there is another one, which knows nothing yet.
    say
        Is told so in words.
    name
        What it is called then.

    Attributes
    ----------
    process : Process
        The one that runs now.
    n_restarts : int
        How often another one was needed.
    """

    def __init__(
        self,
        start: Callable[[threading.Event], Process],
        hear: Callable[[str, Any], None],
        lost: Callable[[], None],
        begun: Callable[[], None],
        say: Callable[[str], None],
        name: str,
    ) -> None:
        self._start, self._hear, self._lost, self._begun = start, hear, lost, begun
        self._say, self._name = say, name
        self._over = threading.Event()
        self.n_restarts = 0
        self.process = start(self._over)

    def send(self, text: bytes) -> None:
        """Say something to it; into one that has ended it goes nowhere."""
        self.process.send(text)

    def listen(self) -> None:
        """Hear what it says, and have another one when it ends; until `end`."""
        wait_s = AGAIN_S
        while not self._over.is_set():
            started_s = time.monotonic()
            for kind, content in self.process.messages():
                self._hear(kind, content)
            if not self._over.is_set():
                self._lost()
                is_long = time.monotonic() - started_s > MOST_AGAIN_S
                wait_s = AGAIN_S if is_long else min(2 * wait_s, MOST_AGAIN_S)
                self._start_again(wait_s)

    def end(self) -> None:
        """End it for good; `listen` returns."""
        self._over.set()
        self.process.end()

    def close(self) -> None:
        """After `end`, and after `listen`: leave nothing of it."""
        self.process.close()

    def _start_again(self, wait_s: float) -> None:
        reason = ""
        while not self._over.wait(wait_s):
            self.n_restarts += 1
            self.process.close()
            try:
                process = self._start(self._over)
            except (RtsepError, OSError) as error:
                if str(error) != reason:
                    self._say(f"{self._name} ended, and cannot start again yet: {error}")
                reason, wait_s = str(error), min(2 * wait_s, MOST_AGAIN_S)
                continue
            self.process = process
            self._say(f"{self._name} ended; it was started again.")
            self._begun()
            if self._over.is_set():
                process.end()
            return
