"""`rtsep live` in a process of its own, at a terminal of its own, which may start again in place."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

OUTSIDE = Path(__file__).parents[1] / "outside"
WAIT_S = 60.0
GONE, BACK = "The sound card is gone; waiting for it.", "The sound card is back."


class Live:
    """`rtsep live` at a terminal of its own, whose lines on stderr are kept.

    Parameters
    ----------
    environment
        Which sound servers it sees.
    folder
        Where it works.
    settings, options
        What it is told.
    says_on_screen
        Whether its lines come on the terminal too.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        settings: dict,
        *options: str,
        says_on_screen: bool = False,
    ) -> None:
        self.folder, self.stats_path, self._said = folder, folder / "stats.json", folder / "said.txt"
        config = folder / "live.yaml"
        config.write_text(yaml.safe_dump({"model": {"name": "midside"}, **settings}))
        self._ours, theirs = pty.openpty()
        env = {
            **environment,
            "PYTHONPATH": os.pathsep.join([str(OUTSIDE), os.environ.get("PYTHONPATH", "")]),
            "RTSEP_STATE": str(folder / "state"),
            "TERM": "xterm",
        }
        command = [sys.executable, "-m", "rtsep", "live", str(config), "--stats-json", str(self.stats_path)]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*command, *options],
                env=env,
                cwd=folder,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs if says_on_screen else said,
                start_new_session=True,
            )
        os.close(theirs)
        self._shown = self._said if says_on_screen else Path(os.devnull)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        """Read the screen, which would block it otherwise, until nobody writes on it any more."""
        with suppress(OSError), self._shown.open("ab", buffering=0) as shown:
            while part := os.read(self._ours, 65536):
                shown.write(part)

    @property
    def has_started_again(self) -> bool:
        """Whether it has started again in place, whatever is seen of it."""
        return b"--go-on" in Path(f"/proc/{self.process.pid}/cmdline").read_bytes()

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    @property
    def said(self) -> str:
        return self._said.read_text()

    def wait_for(self, words: str, n_times: int = 1) -> None:
        until(lambda: self.said.count(words) >= n_times, lambda: f"{words!r} was not said, but: {self.said}")

    def end(self) -> int:
        return self.process.wait(30)

    @property
    def stats(self) -> dict:
        found: dict = json.loads(self.stats_path.read_text())
        return found

    def left(self) -> list[str]:
        """What still runs of all that was started, and files that were to be passed on."""
        found = [str(path) for path in (self.folder / "state").glob("*")]
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, _, _, session, *_ = path.read_text().rpartition(")")[2].split()
                if int(session) == self.process.pid and state != "Z":
                    found.append(path.parent.joinpath("cmdline").read_text())
        return found

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)
        self._reader.join(5)
        os.close(self._ours)


def until(is_so: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > end_s:
            pytest.fail(otherwise())
        time.sleep(0.05)
