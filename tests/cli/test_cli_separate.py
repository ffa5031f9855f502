"""`rtsep separate`: files in, stems out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import RATE_HZ, rtsep

from rtsep.io.files import read_audio


def test_separate_writes_stems_and_names_them_on_a_pipe(model: Path, song: Path, tmp_path: Path) -> None:
    result = rtsep("separate", "-m", model, "-o", "stems", "-s", "0:00.5", "-d", "1", "-c", "flac", song)
    assert result.exit_code == 0, result.output
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert [path.as_posix() for path in paths] == ["stems/song/vocals.flac", "stems/song/accompaniment.flac"]
    assert all(read_audio(tmp_path / path)[0].shape == (2, RATE_HZ) for path in paths)
    assert "real time" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the name is not allowed there")
def test_a_pipe_that_lacks_a_letter_does_not_end_the_work(model: Path, song: Path, tmp_path: Path) -> None:
    shutil.copyfile(song, tmp_path / "\u6b4c.wav")
    code = "from rtsep.cli import main; main()"
    words = [sys.executable, "-c", code, "separate", "-m", str(model), "\u6b4c.wav"]
    env = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(words, capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == b"separated/\\u6b4c/vocals.wav"


def test_one_bad_file_fails_the_command_but_not_the_others(model: Path, song: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"this is not music")
    result = rtsep("separate", "-m", model, "broken.wav", song)
    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert (tmp_path / "separated" / "song" / "vocals.wav").is_file()


def test_names_that_the_system_refuses_do_not_stop_the_others(
    model: Path, song: Path, tmp_path: Path
) -> None:
    result = rtsep("separate", "-m", model, f"{'x' * 300}.wav", song)
    assert result.exit_code == 1
    assert "File name too long" in result.stderr
    assert (tmp_path / "separated" / "song" / "vocals.wav").is_file()
    for name in ("{filename}/" + "y" * 250 + "{instrument}.wav", "y" * 300 + "/{instrument}.wav"):
        result = rtsep("separate", "-m", model, "-o", "long", "-f", name, song)
        assert result.exit_code == 1
        assert "File name too long" in result.stderr
        assert not (tmp_path / "long").exists()
