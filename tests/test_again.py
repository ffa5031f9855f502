"""The process that takes the place of another: which signals and files it is given, and what it leaves."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, signal, sys
from rtsep.cli.again import start_again
from rtsep.errors import CardLostError
from rtsep.resume import Session
from rtsep.settings import LiveSettings

wanted = {"input": {"source": "device:nothing"}, "output": {"sink": "device:nothing"}}
session = Session.begin(LiveSettings().with_overrides(wanted))
session = session.after_loss(CardLostError("gone", 0.0), session.standing, {"duration_s": 9.0, "files": []}, 0.0)
if sys.argv[1:] == ["signalled"]:
    execv = os.execv

    def signalled(*command):
        os.kill(os.getpid(), signal.SIGTERM)
        execv(*command)

    os.execv, sys.argv, sys.orig_argv = signalled, ["-c"], sys.orig_argv[:-1]
start_again(session)
"""
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="there, another process is started beside it")


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "RTSEP_STATE": str(folder), "JACK_NO_START_SERVER": "1"}


@posix_only
def test_a_signal_between_two_processes_is_answered_by_the_second(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, "signalled"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "The sound card is gone; waiting for it. Ctrl-C ends it." in done.stderr
    assert list(tmp_path.iterdir()) == []


@posix_only
def test_what_libraries_have_open_is_closed_and_the_terminal_is_not(tmp_path: Path) -> None:
    """A socket to a server that hangs, above all: it would keep the old client there."""
    reading, writing = os.pipe()
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(
        command, env=environment(tmp_path), stderr=subprocess.PIPE, text=True, pass_fds=(writing,)
    ) as process:
        os.close(writing)
        assert process.stderr is not None
        said = process.stderr.readline()  # the new process speaks where the old one did
        is_closed, _, _ = select.select([reading], [], [], 0)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    os.close(reading)
    assert "waiting for it" in said
    assert is_closed  # its end can be read: nobody can write any more


def test_a_session_that_is_not_there_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rtsep", "live", "--go-on", str(tmp_path / "nothing.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "nothing.yaml" in done.stderr
    assert "Traceback" not in done.stderr
