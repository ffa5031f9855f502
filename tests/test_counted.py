"""What goes wrong at the surfaces of a session is in its account, and whoever played is told."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest
from file_session import OUTSIDE, music, write_song
from pythonosc.osc_message_builder import OscMessageBuilder
from typer.testing import CliRunner

from rtsep.cli import app

SESSION = "live song.wav -m midside --clock real -o mix.wav --no-keys --stats-json stats.json --osc"


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A free one, in a folder with a song."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(OUTSIDE)
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "config"))
    write_song(tmp_path / "song.wav", music(2.0))
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def play(port: int, *datagrams: bytes) -> tuple[str, dict[str, dict[str, int]]]:
    """What a session says, and what it counts, to whom all the while something is sent."""
    is_over = threading.Event()

    def send() -> None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as somebody:
            somebody.bind(("127.0.0.1", 0))
            while not is_over.wait(0.05):
                for datagram in datagrams:
                    somebody.sendto(datagram, ("127.0.0.1", port))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        words = [*SESSION.split(), str(port)]
        result = CliRunner().invoke(app, words, env={"TERM": "dumb", "COLUMNS": "300"})
    finally:
        is_over.set()
        sender.join()
    assert result.exit_code == 0, result.output
    return result.stderr, json.loads(Path("stats.json").read_text())["surfaces"]


def test_what_was_wrong_is_counted_and_told_at_the_end(port: int) -> None:
    said, counts = play(port, b"rubbish", OscMessageBuilder("/stem/nobody/mute").build().dgram)
    assert list(counts) == ["OSC"]
    n_malformed, n_refused = counts["OSC"]["n_malformed"], counts["OSC"]["n_refused"]
    assert n_malformed > 0
    assert n_refused > 0
    assert f"OSC: {n_malformed} malformed, {n_refused} refused.\n" in said


def test_nothing_is_told_of_what_went_well(port: int) -> None:
    said, counts = play(port, OscMessageBuilder("/bypass").build().dgram)
    assert set(counts["OSC"].values()) == {0}
    assert not re.search("malformed|refused|dropped|unsent|failed", said)
