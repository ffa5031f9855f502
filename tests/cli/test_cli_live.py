"""`rtsep live`: its options, its settings file, its account."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import pytest
from command_line import RATE_HZ, rtsep

from rtsep.cli.parts import run
from rtsep.cli.play import write_stats
from rtsep.errors import AudioFileError, UsageError
from rtsep.io.files import read_audio
from rtsep.resume import Session
from rtsep.settings import LiveSettings
from rtsep.transport import Transport


def test_live_without_a_clock_writes_the_mix_and_its_account(model: Path, song: Path, tmp_path: Path) -> None:
    words = [
        "-p",
        model,
        "--clock",
        "free",
        "-o",
        "mix.wav",
        "--record",
        "takes",
        "--stats-json",
        "stats.json",
    ]
    result = rtsep("live", song, *words, "--gain", "vocals=-inf", "--mute", "accompaniment")
    assert result.exit_code == 0, result.output
    mix, sample_rate_hz = read_audio(tmp_path / "mix.wav")
    assert sample_rate_hz == RATE_HZ
    assert mix.shape[1] == 2 * RATE_HZ
    assert (tmp_path / "takes" / "vocals.wav").is_file()
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["n_late_blocks"] == 0
    assert stats["settings"]["mixer"]["stems"]["vocals"]["gain_db"] == "-inf"
    assert stats["latency_total_ms"] == pytest.approx(sum(stats["latency_ms"].values()))
    assert "Latency " in result.stderr


@pytest.mark.parametrize("path", ["missing/stats.json", ".", "song.wav/stats.json"])
def test_an_account_that_has_no_place_is_refused_before_the_music(
    path: str, model: Path, song: Path, tmp_path: Path
) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    result = rtsep("live", "song.wav", "-m", model, "--clock", "free", "-o", "mix.wav", "--stats-json", path)
    assert result.exit_code == 2
    assert f"--stats-json {path}: " in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--clock free", "--clock free plays on no card: nothing is heard or kept"),
        ("--clock free -o mix.wav --karaoke --solo vocals", "vocals is muted and soloed: mute wins"),
    ],
)
def test_a_wish_that_is_hardly_meant_is_told(words: str, message: str, model: Path, song: Path) -> None:
    result = rtsep("live", song, "-m", model, *words.split())
    assert result.exit_code == 0
    assert message in result.stderr
    sane = rtsep("live", song, "-m", model, "--clock", "free", "-o", "mix.wav", "--solo", "vocals")
    assert message not in sane.stderr


def test_without_a_card_the_command_that_works_is_named(
    monkeypatch: pytest.MonkeyPatch, model: Path, song: Path
) -> None:
    monkeypatch.setattr("rtsep.io.cards.list_cards", list)
    result = rtsep("live", song, "-m", model, "--karaoke")
    assert result.exit_code == 1
    assert "there is no sound card with outputs" in result.stderr
    assert "add `--clock real --output mix.wav`" in result.stderr


def test_a_card_that_is_not_there_is_no_reason_to_warn_of_it() -> None:
    result = rtsep("live", "-i", "device:nothing", "-o", "device:nothing")
    assert result.exit_code == 1
    assert "microphone" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_what_is_typed_while_a_model_is_loaded_is_not_echoed(
    monkeypatch: pytest.MonkeyPatch, model: Path, song: Path
) -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r+b", buffering=0) as terminal:
        monkeypatch.setattr("sys.__stdin__", terminal)
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("sys.__stdout__", terminal)
        echoes: list[bool] = []

        def load(settings: LiveSettings, loaded: None) -> None:
            echoes.append(bool(termios.tcgetattr(theirs)[3] & termios.ECHO))
            raise UsageError("enough")

        monkeypatch.setattr("rtsep.host.Host", load)
        changes = {"input": {"source": str(song)}, "model": {"name": str(model)}}
        session = Session.begin(LiveSettings().with_overrides(changes))
        with pytest.raises(UsageError):
            run(session)
        assert echoes == [False]
        assert termios.tcgetattr(theirs)[3] & termios.ECHO
    os.close(ours)


def test_options_go_before_the_settings_file(model: Path, song: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        f"model: {{name: {model}, update_hops: 8}}\noutput: {{clock: free}}\ncontrol: {{stats_json: stats.json}}\n"
    )
    result = rtsep("live", "mine.yaml", song, "--update-hops", "4", "--karaoke")
    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "stats.json").read_text())["settings"]
    assert settings["model"]["update_hops"] == 4
    assert settings["model"]["name"] == str(model)
    assert settings["mixer"]["stems"]["vocals"]["mute"] is True


def test_a_session_whose_input_breaks_leaves_its_account(
    model: Path, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Transport, until: int) -> None:
        raise AudioFileError("the disk was pulled out")

    monkeypatch.setattr(Transport, "fill", fail)
    words = ["live", song, "-m", model, "--clock", "real", "--stats-json", "stats.json"]
    result = rtsep(*words)
    assert result.exit_code == 1
    assert "error: the disk was pulled out" in result.stderr
    assert "late blocks 0 of 0" in result.stderr
    assert json.loads((tmp_path / "stats.json").read_text())["n_blocks"] == 0


def test_stats_replace_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    write_stats(path, {"gain_db": -math.inf, "levels": (1, math.nan), "path": Path("x")})
    assert json.loads(path.read_text()) == {"gain_db": "-inf", "levels": [1, "nan"], "path": "x"}
    with pytest.raises(AudioFileError, match="cannot be written"):
        write_stats(tmp_path / "missing" / "stats.json", {})
    assert [file.name for file in tmp_path.iterdir()] == ["stats.json"]
