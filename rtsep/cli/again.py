"""A session whose card is lost starts again in another process, which waits for the card and goes on.

In place, where the system can do that: the same process and terminal, but nothing of the PortAudio that is dead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from rtsep.cli.console import say
from rtsep.cli.interrupts import hold_back, interruptible, let_through
from rtsep.control.terminal.keyboard import Keyboard
from rtsep.io.probe import Probe
from rtsep.resume import Session, save_session
from rtsep.settings import LiveSettings

if TYPE_CHECKING:
    from rtsep.separation import Model

PROBE_EVERY_S = 1.0
TURN_S = 0.05
LEAVE_S = 5.0  # for a library that is being loaded when nobody wants to wait for the card any more
FIRST_FILE = 3  # after the standard streams
OPEN_FILES = Path("/dev/fd")


def start_again(session: Session) -> NoReturn:
    """Go on with a session in a new process, in place of this one.

    Raises
    ------
    RtsepError, OSError
        That is not possible.
    """
    command = [*_command(), "live", "--go-on", str(save_session(session))]
    sys.stdout.flush()
    sys.stderr.flush()
    if (
        os.name == "nt"
    ):  # which has no exec: its own ends this process, and the shell goes on beside the new one
        _stand_in_for(subprocess.Popen(command))
    hold_back()
    _leave_files_behind()
    os.execv(sys.executable, command)


def _command() -> list[str]:
    """How this program was started, as far as its first argument: interpreter, its options, and the program."""
    n_arguments = len(sys.argv) - 1
    if n_arguments and sys.orig_argv[-n_arguments:] == sys.argv[1:]:
        return [sys.executable, *sys.orig_argv[1:-n_arguments]]
    return [sys.executable, "-m", "rtsep"]


def _stand_in_for(process: subprocess.Popen[bytes]) -> NoReturn:
    """Wait for a process and end as it does. Ctrl-C is for it, and PortAudio must not be ended here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os._exit(process.wait())


def _leave_files_behind() -> None:
    """Have the system close what libraries keep open, as sockets: a server would think that its client still lives."""
    for name in [path.name for path in OPEN_FILES.iterdir()]:
        if int(name) >= FIRST_FILE:
            with contextlib.suppress(OSError):  # the list itself, which is closed by now
                os.set_inheritable(int(name), False)


class Loading:
    """Loads and tunes the model of a session meanwhile, so that sound is back as soon as the card is.

    Used as a context manager: who leaves does not wait for more than what cannot be broken off.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self._settings, self._is_wanted = settings, True
        self._model: Model | None = None
        self._thread = threading.Thread(target=self._run, name="rtsep-loading", daemon=True)

    def __enter__(self) -> Loading:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_wanted = False
        self._thread.join(LEAVE_S)

    def model(self) -> Model | None:
        """The model; None if it is not to be had, which whoever needs it will be told."""
        self._thread.join()
        return self._model

    def _run(self) -> None:
        from rtsep.separation import load_model, tune_model, warm_up

        if not self._is_wanted:
            return
        with contextlib.suppress(Exception):
            model = tune_model(self._settings, load_model(self._settings))
            if self._is_wanted:
                warm_up(self._settings, model)
            self._model = model


def wait_for_cards(session: Session) -> bool:
    """Wait until all cards of a session are there, or until q, Ctrl-C or SIGTERM; whether they are."""
    is_left = False

    def leave() -> None:
        nonlocal is_left
        is_left = True

    with interruptible(leave), Keyboard(session.settings.control.keys) as keyboard:
        let_through()
        keys = "q or Ctrl-C" if keyboard.works else "Ctrl-C"
        say(f"The sound card is gone; waiting for it. {keys} ends it.")
        with contextlib.closing(_attempts(session)) as attempts:
            for is_there in attempts:
                if is_there or is_left or (keyboard.read(0.0) or "").lower() == "q":
                    return is_there and not is_left
    raise AssertionError("attempts never end")


def _attempts(session: Session) -> Generator[bool]:
    """Ask for the cards again and again, and tell every `TURN_S` whether they are there."""
    wanted, next_s = session.settings.cards, time.monotonic() + session.pause_s
    while True:
        while time.monotonic() < next_s:
            yield False
            time.sleep(TURN_S)
        next_s = time.monotonic() + PROBE_EVERY_S
        with contextlib.closing(Probe(wanted)) as probe:
            while (answer := probe.answer()) is None:
                yield False
                time.sleep(TURN_S)
        yield answer
