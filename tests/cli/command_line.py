"""The commands, run in this process on a plain terminal."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from rtsep.cli import app

RATE_HZ = 44100
PLAIN = {"TERM": "dumb", "COLUMNS": "200", "NO_COLOR": "1"}


def rtsep(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words], env=PLAIN)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
