"""A latency by its name or in milliseconds, and what it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_session import RATE_HZ, music, write_song

from rtsep.errors import UsageError
from rtsep.host import Host
from rtsep.settings import LiveSettings


def latency_of(song: Path, model: str, latency: float | str, /, **groups: dict) -> dict[str, int]:
    model_settings = {"name": model, "update_hops": 1, "latency": latency}
    tree = {
        "input": {"source": f"file:{song}"},
        "model": model_settings,
        "output": {"sink": "file:out.wav", "clock": "free"},
    }
    host = Host(LiveSettings().with_overrides(tree).with_overrides(groups))
    host.stop()
    return dict(host.latency.parts)


def test_the_latency_is_chosen_by_name_or_by_milliseconds(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(0.1))
    assert latency_of(song, model, "auto") == latency_of(song, model, "quality")
    reaches = {
        "quality": (4096, 8192),
        "balanced": (2048, 2048),
        "low": (2048, 0),
        61: (2048, 0),  # window, fade and block are 59.5 ms; a hop more would be 82.7
        83: (2048, 1024),
        250: (2048, 8192),
        291: (2048, 8192),
        292: (4096, 8192),
        400: (4096, 12288),
        5000: (4096, 32768),
    }
    for latency, reach in reaches.items():
        parts = latency_of(song, model, latency)
        assert (parts["synthesis window"], parts["lookahead"]) == reach, latency
        assert isinstance(latency, str) or sum(parts.values()) <= latency * RATE_HZ / 1000
    with pytest.raises(
        UsageError, match=r"latency 50 ms cannot be had with tiny here: the least is 59.5 ms = synth"
    ):
        latency_of(song, model, 50)


def test_a_limiter_that_looks_ahead_is_within_the_latency(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(0.1))
    mixer = {"limiter": {"lookahead_ms": 10}}
    for latency, lookahead in ((71, 0), (92, 0), (93, 1024)):
        parts = latency_of(song, model, latency, mixer=mixer)
        assert parts["lookahead"] == lookahead, latency
        assert sum(parts.values()) <= latency * RATE_HZ / 1000
    with pytest.raises(UsageError, match=r"the least is 69.5 ms = .* \+ limiter 10.0"):
        latency_of(song, model, 61, mixer=mixer)


def test_what_is_named_goes_before_a_latency(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(0.1))
    parts = latency_of(song, model, "low", model={"lookahead_frames": 3})
    assert (parts["synthesis window"], parts["lookahead"]) == (2048, 3072)
