"""The surfaces of ``rtsep live``: what is wrong with one is said before there is any sound."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rtsep.cli import app
from rtsep.io.files import AudioWriter

RATE_HZ = 44100
pytestmark = pytest.mark.usefixtures("outside")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else has, for TCP and for UDP."""
    with socket.create_server(("127.0.0.1", 0)) as stream:
        port: int = stream.getsockname()[1]
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as datagrams:
            datagrams.bind(("127.0.0.1", port))
            yield port


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--midi", "missing.yaml"], "missing.yaml: No such file or directory"),
        (["--osc", "{taken}"], "OSC cannot listen at 127.0.0.1:{taken}"),
        (["--web", "127.0.0.1:{taken}"], "the web mixer cannot listen at 127.0.0.1:{taken}"),
        (["--osc", "0", "--web", "127.0.0.1:{taken}"], "ports are 1 to 65535"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_surface_that_cannot_be_had_ends_it_before_the_sound(
    words: list[str], message: str, taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "config"))
    with AudioWriter(tmp_path / "song.wav", RATE_HZ, 2) as writer:
        writer.write(np.zeros((2, RATE_HZ), np.float32))
    told = [word.format(taken=taken) for word in words]
    command = ["live", "song.wav", "-m", "midside", "--clock", "real", "-o", "mix.wav", "--record", "takes"]
    result = CliRunner().invoke(app, [*command, "--no-keys", *told], env={"TERM": "dumb", "COLUMNS": "300"})
    assert result.exit_code != 0
    assert message.format(taken=taken) in result.stderr
    assert "Latency" not in result.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["song.wav"]
