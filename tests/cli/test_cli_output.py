"""Where the output goes: closed, or full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run_in_shell(words: str) -> subprocess.CompletedProcess[str]:
    command = f"'{sys.executable}' -m rtsep {words}"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("words", ["models list", "--help"])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_reason_to_fail(words: str, closed: str) -> None:
    done = run_in_shell(f"{words} {closed}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["models list", "--help", "--version"])
def test_an_output_that_cannot_be_written_is_told(words: str) -> None:
    done = run_in_shell(f"{words} >/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr
