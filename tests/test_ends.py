"""What a session is opened on: the rate is one, whoever gives the time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rtsep.cli.devices import choices
from rtsep.ends import open_ends
from rtsep.errors import DeviceError, UsageError
from rtsep.io import cards
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings

MODEL_RATE_HZ = 44100


@pytest.fixture
def rates_hz(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """What the only card can do; a test may change it."""
    there = {44100, 48000}

    def check(device: int, samplerate: int, extra_settings: object = None) -> None:
        if samplerate not in there:
            raise ValueError("Invalid sample rate")

    portaudio = SimpleNamespace(
        check_input_settings=check, check_output_settings=check, PortAudioError=RuntimeError
    )
    card = cards.Card(0, "desk", "test", 2, 2, 48000, 0.01, 0.01, True, True)
    monkeypatch.setattr(cards, "portaudio", lambda: portaudio)
    monkeypatch.setattr(cards, "list_cards", lambda: [card])
    return there


def rate_hz(clock: str, song: Path, asked_hz: int | None = None) -> int:
    settings = LiveSettings().with_overrides(
        {
            "input": {"source": f"file:{song}", "sample_rate_hz": asked_hz},
            "output": {"sink": "device:default" if clock == "device" else "file:out.wav", "clock": clock},
        }
    )
    ends = open_ends(settings, MODEL_RATE_HZ)
    assert ends.reader is not None
    ends.reader.close()
    return ends.sample_rate_hz


@pytest.fixture
def song(tmp_path: Path) -> Path:
    with AudioWriter(tmp_path / "song.wav", 48000, 2) as writer:
        writer.write(np.zeros((2, 100), np.float32))
    return tmp_path / "song.wav"


@pytest.mark.parametrize("clock", ["device", "real", "free"])
@pytest.mark.parametrize("asked_hz", [None, 44100])
def test_the_rate_is_the_one_asked_for_else_the_files(
    rates_hz: set[int], song: Path, clock: str, asked_hz: int | None
) -> None:
    assert rate_hz(clock, song, asked_hz) == (asked_hz or 48000)


@pytest.mark.parametrize(("there", "expected"), [({44100, 96000}, 44100), ({96000}, 48000)])
def test_a_card_that_lacks_the_files_rate_takes_the_models_else_its_own(
    rates_hz: set[int], song: Path, there: set[int], expected: int
) -> None:
    rates_hz.clear()
    rates_hz.update(there)
    assert rate_hz("device", song) == expected


def test_a_rate_that_was_asked_for_is_not_replaced(rates_hz: set[int], song: Path) -> None:
    with pytest.raises(DeviceError, match="desk, test cannot run at 96000 Hz, but at 44100, 48000"):
        rate_hz("device", song, 96000)


@pytest.mark.parametrize(
    ("sink", "own_clock", "has_two"),
    [("other", None, True), ("other", False, False), ("desk", None, False), ("desk", True, True)],
)
def test_two_devices_have_two_clocks_if_nobody_says_otherwise(
    rates_hz: set[int], monkeypatch: pytest.MonkeyPatch, sink: str, own_clock: bool | None, has_two: bool
) -> None:
    pair = [
        cards.Card(i, name, "test", 2, 2, 48000, 0.01, 0.02, i == 0, i == 0)
        for i, name in enumerate(("desk", "other"))
    ]
    monkeypatch.setattr(cards, "list_cards", lambda: pair)
    tree = {"input": {"source": "device:desk", "own_clock": own_clock}, "output": {"sink": f"device:{sink}"}}
    ends = open_ends(LiveSettings().with_overrides(tree), MODEL_RATE_HZ)
    assert ends.has_two_clocks == has_two
    assert ends.sample_rate_hz == ends.output_rate_hz == MODEL_RATE_HZ
    assert ends.card_latency_s == pytest.approx(0.03)


def test_devices_of_one_jack_server_share_its_clock() -> None:
    first, second = (
        cards.Card(i, n, "JACK Audio Connection Kit", 2, 2, 48000, 0, 0, False, False)
        for i, n in enumerate("ab")
    )
    assert first.shares_clock(second)


def test_direct_inputs_need_a_card(rates_hz: set[int], song: Path) -> None:
    tree = {
        "input": {"source": f"file:{song}"},
        "mixer": {"direct": {"mic": {"channels": [1]}}},
        "output": {"sink": "file:out.wav"},
    }
    settings = LiveSettings().with_overrides(tree)
    ends = open_ends(settings, MODEL_RATE_HZ)
    assert ends.reader is not None
    ends.reader.close()
    assert (ends.clock, ends.outputs) == ("device", None)
    assert ends.inputs is not None
    with pytest.raises(UsageError, match=r"--clock free: mic of mixer\.direct would be inputs of a card"):
        open_ends(settings.with_overrides({"output": {"clock": "free"}}), MODEL_RATE_HZ)


@pytest.fixture
def two_apis(rates_hz: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    pair = [
        cards.Card(0, "microphone", "ALSA", 1, 0, 48000, 0.01, 0.0, True, False),
        cards.Card(1, "desk", "OSS", 0, 2, 48000, 0.0, 0.01, False, True),
    ]
    monkeypatch.setattr(cards, "list_cards", lambda: pair)


@pytest.mark.usefixtures("two_apis")
def test_two_host_apis_are_two_clocks_and_no_obstacle() -> None:
    assert open_ends(LiveSettings(), MODEL_RATE_HZ).has_two_clocks
    told = list(choices(cards.list_cards()))
    assert told[-1] == "`rtsep live` takes the music from 0 and plays on 1, at 44100 Hz."
