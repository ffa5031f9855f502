"""`rtsep demo`: its song or the listener's, and the voice that goes and comes back."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import rtsep

from rtsep.cli.demo import CYCLE_S, VoiceFader, voice_gain_db
from rtsep.control.terminal.hands import Hands
from rtsep.errors import DeviceError


def test_the_demo_composes_plays_and_keeps(model: Path, song: Path, tmp_path: Path) -> None:
    result = rtsep("demo", "-m", model, "--seconds", "2", "--clock", "free")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "demo-out").iterdir()} == {
        *("demo-song.wav", "mixture.wav", "mix.wav", "vocals.wav", "accompaniment.wav", "session.yaml")
    }
    assert "Listen" in result.stderr
    (tmp_path / "demo-out" / "mine.wav").touch()
    again = rtsep("demo", song, "-m", model, "--seconds", "1", "--clock", "free")
    assert again.exit_code == 0, again.output
    for said, folder in ((result, Path("demo-out")), (again, Path("demo-out/take-2"))):
        names = ("mixture.wav", "vocals.wav", "accompaniment.wav", "mix.wav")
        assert said.stdout.split()[-4:] == [str(folder / name) for name in names], "what was made, no more"
        assert (tmp_path / folder / "mix.wav").is_file()


def test_the_demo_runs_without_a_card_that_does_not_open(
    model: Path, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, direction: str) -> None:
        raise DeviceError("the card is in use")

    monkeypatch.setattr("rtsep.io.cards.has_output", lambda: True)
    monkeypatch.setattr("rtsep.ends.find_card", refuse)
    result = rtsep("demo", song, "-m", model, "--seconds", "1")
    assert result.exit_code == 0, result.output
    assert "the card is in use" in result.stderr
    assert "on a clock of its own" in result.stderr
    assert (tmp_path / "demo-out" / "mix.wav").is_file()
    asked = rtsep("demo", song, "-m", model, "--seconds", "1", "--clock", "device")
    assert asked.exit_code == 1
    assert "error: the card is in use" in asked.stderr


def test_the_demo_takes_the_listeners_song(model: Path, song: Path, tmp_path: Path) -> None:
    result = rtsep("demo", song, "-m", model, "--clock", "free", "-o", "out")
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "out" / "demo-song.wav").exists()
    assert (tmp_path / "out" / "mix.wav").is_file()


def test_the_demo_says_who_moves_the_fader_until_a_hand_does() -> None:
    strip = SimpleNamespace(gain_db=0.0)
    transport = SimpleNamespace(position_s=CYCLE_S[0] + 1, duration_s=100.0)
    hands, host = Hands(), SimpleNamespace(stems={"vocals": strip}, transport=transport)
    fader = VoiceFader(host, None)
    fader.turn(hands)
    assert strip.gain_db < 0
    assert hands.message == "the demo moves vocals; left and right take the fader over"
    strip.gain_db = -3.0
    fader.turn(hands)
    assert (strip.gain_db, hands.message) == (-3.0, "")


def test_the_voice_goes_and_comes_back() -> None:
    here, leaving, away, returning = CYCLE_S
    assert voice_gain_db(here - 0.01, 100) == 0
    assert voice_gain_db(here + leaving / 2, 100) == pytest.approx(-30)
    assert voice_gain_db(here + leaving + away / 2, 100) == -math.inf
    assert voice_gain_db(here + leaving + away + returning / 2, 100) == pytest.approx(-30)
    assert voice_gain_db(sum(CYCLE_S) + 1, 100) == 0
    short = [voice_gain_db(at, 2.0) for at in np.arange(0, 2, 0.01)]
    assert short[0] == 0
    assert min(short) == -math.inf, "a short song has the whole cycle"
