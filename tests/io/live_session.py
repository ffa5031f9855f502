"""Live sessions in processes of their own, on a JACK server that a test names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OUTSIDE = Path(__file__).parents[1] / "outside"


def environment(server: str, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "JACK_DEFAULT_SERVER": server,
        "PYTHONPATH": os.pathsep.join([str(OUTSIDE), *sys.path]),
        "OMP_NUM_THREADS": "1",
        **more,
    }


class Session:
    """`live_driver.py` in a process of its own."""

    def __init__(self, settings: dict, env: dict[str, str]) -> None:
        command = [sys.executable, str(OUTSIDE / "live_driver.py"), json.dumps(settings)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True)

    def say(self, word: str) -> dict:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer: dict = json.loads(self.process.stdout.readline())
        return answer

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def running(command: list[str], server: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in a process that does not outlive the test."""
    process = subprocess.Popen(
        command,
        env=environment(server, **more),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
