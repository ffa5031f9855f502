"""What is made of what comes back through a cable, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rtsep.card_latency import RoundTrip, cards_path, key_of, read_round_trips, store_round_trip
from rtsep.cli import app
from rtsep.errors import ConfigError, DeviceError
from rtsep.io.cards import Card
from rtsep.loopback import LENGTH_S, N_BURSTS, Loop, bursts, judge, starts

RATE_HZ = 44100
N = round(LENGTH_S * RATE_HZ)
CARD = Card(3, "USB Audio", "ALSA", 2, 4, RATE_HZ, 0.01, 0.02, True, True)
LOOP = Loop(CARD, CARD, 2, 4, RATE_HZ, 0)


@pytest.fixture
def _own_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "config"))


def looped(delay: int, gain: float = 1.0, noise_rms: float = 0.0) -> np.ndarray:
    """What comes back from a card of so many samples."""
    heard = np.random.default_rng(delay).normal(0, noise_rms, N)
    heard[delay:] += gain * bursts(RATE_HZ)[: N - delay]
    return heard.astype(np.float32)


def refused(heard: np.ndarray) -> str:
    with pytest.raises(DeviceError) as error:
        judge(LOOP, heard, RATE_HZ, 0)
    return str(error.value)


@settings(max_examples=20, deadline=None)
@given(delay=st.integers(0, 22000), gain_db=st.floats(-50, 9), snr_db=st.floats(0, 80))
def test_the_round_trip_is_found_to_the_sample(delay: int, gain_db: float, snr_db: float) -> None:
    gain = 10 ** (gain_db / 20)
    heard = looped(delay, gain, 0.144 * gain * 10 ** (-snr_db / 20))
    clean = np.clip(heard, -0.99, 0.99)  # the noise may reach beyond full scale
    assert judge(LOOP, clean, RATE_HZ, 700) == RoundTrip(samples=delay, reported_samples=700)


def test_nothing_comes_back() -> None:
    text = refused(np.zeros(N, np.float32))
    assert "nothing came back (silent at most)" in text
    assert "Connect output 4 of USB Audio, ALSA to input 2" in text
    assert "raise the level" in text
    assert "nothing came back (-8" in refused(looped(0, 0.0, 1e-5))


def test_something_else_comes_back() -> None:
    assert "something else came back" in refused(looped(0, 0.0, 0.1))


def test_too_quiet_for_some_of_it() -> None:
    heard = looped(1000)
    start = starts(RATE_HZ)[3]
    heard[start : start + RATE_HZ // 2] = np.random.default_rng(0).normal(0, 0.1, RATE_HZ // 2)
    assert f"only {N_BURSTS - 1} of {N_BURSTS} bursts" in refused(heard)


def test_clipped() -> None:
    assert "clipped. Turn the input or the output down" in refused(np.clip(looped(1000, 8.0), -1, 1))


def test_a_card_that_loses_sound_is_not_believed() -> None:
    heard = looped(1000)
    cut = starts(RATE_HZ)[4] + 500
    spliced = np.concatenate((heard[:cut], heard[cut + 256 :], np.zeros(256, np.float32)))
    assert "744 to 1000 samples" in refused(spliced)


def test_a_sample_more_or_less_is_told() -> None:
    heard = looped(1000)
    cut = starts(RATE_HZ)[-1] - 500
    late = np.concatenate((heard[:cut], [np.float32(0)], heard[cut:-1]))
    assert judge(LOOP, late, RATE_HZ, 0) == RoundTrip(samples=1000, reported_samples=0, spread_samples=1)


@pytest.mark.usefixtures("_own_config")
def test_what_was_measured_is_kept_by_card_rate_and_block() -> None:
    assert read_round_trips() == {}
    keys = [key_of(CARD, CARD, rate_hz, block) for rate_hz in (44100, 48000) for block in (0, 64)]
    assert len(set(keys)) == 4
    found = [RoundTrip(samples=n, reported_samples=10, spread_samples=1) for n in range(4)]
    for key, each in zip(keys, found, strict=True):
        store_round_trip(key, each)
    assert read_round_trips() == dict(zip(keys, found, strict=True))
    store_round_trip(keys[0], found[3])
    assert read_round_trips()[keys[0]] == found[3]


@pytest.mark.usefixtures("_own_config")
def test_a_file_of_another_rtsep_is_measured_anew() -> None:
    cards_path().parent.mkdir()
    cards_path().write_text("cards: {x: {samples: 3, reported_samples: 1, colour: red}}")
    assert read_round_trips() == {}


def test_a_folder_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"cards\.yaml cannot be written.*RTSEP_CONFIG"):
        store_round_trip("x", RoundTrip(samples=1, reported_samples=1))


def test_a_file_has_no_round_trip() -> None:
    done = CliRunner().invoke(app, ["live", "--measure-latency", "--output", "mix.wav"])
    assert done.exit_code == 2
    assert "--measure-latency is of cards" in done.output
