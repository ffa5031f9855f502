"""``rtsep live --web``, from its command line to its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from visitors import Visitor

from rtsep.cli.live import take_web
from rtsep.control.web.invitation import TOKEN_FILE
from rtsep.errors import ConfigError, UsageError
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings

OUTSIDE = Path(__file__).resolve().parents[2] / "outside"
RATE_HZ = 44100


def test_the_place_is_found_among_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert take_web(["song.mp3"], wanted=False) == (["song.mp3"], None)
    assert take_web(["song.mp3"], wanted=True) == (["song.mp3"], {})
    for place in ("0.0.0.0:8737", "stage.local:80", "[::1]:8737"):
        for words in (["song.mp3", place], [place, "song.mp3"]):
            assert take_web(words, wanted=True) == (["song.mp3"], {"listen": place})
    assert take_web(["0.0.0.0:8737"], wanted=False) == (["0.0.0.0:8737"], None)
    with pytest.raises(UsageError, match="two places"):
        take_web(["a:1", "b:2"], wanted=True)
    (tmp_path / "take:1").touch()
    assert take_web(["take:1"], wanted=True) == (["take:1"], {})


@pytest.mark.parametrize("place", ["8737", ":8737", "stage", "stage:0", "stage:99999", "stage:http"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match=r"web\.listen.*HOST:PORT"):
        LiveSettings().with_overrides({"control": {"web": {"listen": place}}})


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_session_on_the_network_is_mixed_by_whoever_has_the_link(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, (2, 120 * RATE_HZ)).astype(np.float32)
    with AudioWriter(tmp_path / "song.wav", RATE_HZ, 2) as writer:
        writer.write(noise)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    words = [
        "live",
        "song.wav",
        "--web",
        f"0.0.0.0:{port}",
        "-m",
        "midside",
        "--clock",
        "real",
        "-o",
        "out.wav",
    ]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(OUTSIDE), *sys.path))),
        "RTSEP_CONFIG": str(tmp_path / "config"),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "rtsep", *words, "--no-keys", "--stats-json", "stats.json"],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        while not (link := re.search(rf"Mixer: http://[^/]+:{port}/#(\S+)", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        token = link[1]
        assert (tmp_path / "config" / TOKEN_FILE).read_text() == token
        with Visitor(port, token) as visitor:
            assert "/stem/mid/mute" in visitor.world()["values"]
            visitor.set(("/stem/mid/mute", True))
            assert visitor.value("/stem/mid/mute") is True
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()  # what was read ahead with it
        process.wait(60)
    assert process.returncode == 0, rest
    assert "▀" in said + rest or "█" in said + rest  # the code
    assert token not in (tmp_path / "stats.json").read_text()
    until_s = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            break
        assert time.monotonic() < until_s, "the server outlives its session"
        time.sleep(0.05)
