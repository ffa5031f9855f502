"""A real server calls, and the interpreter is held: no block may be lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from jack_server import run_server

SCRIPT = Path(__file__).parent / "held_card.py"
PERIOD_SAMPLES = 1024
N_TRIES = 8  # a machine that is busy with other things may lose a block that nobody here has held up


def hold(kind: str) -> dict[str, int]:
    """A second or two of it, on a server that does not wait: what comes late is lost."""
    with run_server(2, 2, PERIOD_SAMPLES, waits=False) as server:
        run = subprocess.run(
            [sys.executable, str(SCRIPT), server, str(PERIOD_SAMPLES), kind],
            env={
                **os.environ,
                "JACK_DEFAULT_SERVER": server,
                "PYTHONPATH": os.pathsep.join((str(SCRIPT.parents[1]), *sys.path)),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert run.returncode == 0, run.stderr
    told: dict[str, int] = json.loads(run.stdout.splitlines()[-1])
    return told


def test_the_compiled_callback_loses_nothing_while_the_interpreter_is_held() -> None:
    for _ in range(N_TRIES):
        told = hold("compiled")
        assert told["n_held"] >= 10, "it must have been called while the interpreter was held"
        if told["n_lost"] == 0:
            return
    raise AssertionError(f"blocks were lost in each of {N_TRIES} tries; in the last {told}")


def test_a_callback_that_needs_the_interpreter_loses_nearly_all() -> None:
    """That the interpreter was held, and that a loss is seen."""
    told = hold("python")
    assert told["n_held"] <= 2
    assert told["n_lost"] >= 10
