"""Ctrl-C and other signals: what ends ends well, and leaves no litter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import RATE_HZ, rtsep

from rtsep.cli.interrupts import interruptible
from rtsep.io.files import AudioWriter, read_audio


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_an_interrupted_session_ends_well_and_its_files_are_whole(
    model: Path, song: Path, tmp_path: Path
) -> None:
    words = ["live", song, "-m", model, "--clock", "real", "--record", "takes"]
    code = "from rtsep.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith("0:01") for line in process.stdout), "a second is played"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    lengths = {read_audio(path)[0].shape[1] for path in (tmp_path / "takes").glob("*.wav")}
    assert len(lengths) == 1
    assert lengths.pop() <= 2 * RATE_HZ


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_signals_ask_for_the_end_once_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    asked: list[str] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        with interruptible(lambda: asked.append("stop")):
            signal.raise_signal(number)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert asked == ["stop", "stop"]
    with interruptible(lambda: asked.append("stop")):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def write_five_hours(path: Path) -> None:
    """Silence of 3 GiB, which is a hole in a file."""
    AudioWriter(path, RATE_HZ, 2).close()
    header, n_bytes = path.read_bytes(), 3 << 30
    riff_bytes = len(header) - 8 + n_bytes
    with path.open("wb") as file:
        file.write(
            header[:4] + riff_bytes.to_bytes(4, "little") + header[8:-4] + n_bytes.to_bytes(4, "little")
        )
        file.truncate(len(header) + n_bytes)


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_a_separation_that_is_ended_leaves_no_litter(
    model: Path, tmp_path: Path, number: signal.Signals
) -> None:
    write_five_hours(tmp_path / "long.wav")
    # Whoever starts a job in the background may have told it to ignore Ctrl-C.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import rtsep.cli; rtsep.cli.main()"
    words = [sys.executable, "-c", code, "separate", "-m", str(model), "long.wav"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and len(list(tmp_path.glob("separated/long/.*.part"))) < 2:
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert said.endswith("interrupted\n")
    assert not (tmp_path / "separated").exists()


def test_an_interruption_elsewhere_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rtsep.io.cards.list_cards", interrupt)
    assert rtsep("devices").exit_code == 130


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_before_the_command_is_read_leaves_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("print('here', flush=True)\nimport time\ntime.sleep(60)\n")
    code = "from rtsep.__main__ import main; main()"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, "--version"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n", "something is being imported"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == ""
