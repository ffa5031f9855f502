"""The place in a song over OSC: asked, told and gone to; a message without a value goes nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from osc_client import Client, wait_for
from session import FILE_S, StillSession

from rtsep.control.osc import OscSurface

PLACE, JUMP = "/transport/position_s", "/transport/seek_s"


@pytest.fixture
def client(song: StillSession) -> Iterator[Client]:
    song.play_until(10.0)
    with OscSurface(song, "127.0.0.1", 0) as surface, closing(Client(surface.port)) as client:
        yield client


def place_s(song: StillSession) -> float:
    assert song.transport is not None
    song.play_until(song.heard_samples / 8000 + 1.0)
    return song.transport.position_s


def test_without_a_value_it_is_asked_for_and_nothing_jumps(song: StillSession, client: Client) -> None:
    for address in (
        PLACE,
        f"{PLACE}/position",
        JUMP,
        "/transport/{position_s,seek_s}",
        "/transport/p*",
        "//*",
    ):
        client.send(address)
        client.send("/bypass")
        answers = client.all_until("/bypass")
        assert answers.get(PLACE, [10.0]) == [10.0]
        assert answers.get(JUMP, [0.0]) == [0.0]
        assert "/error" not in answers
        assert answers
    assert place_s(song) == 11.0


def test_the_position_of_a_fader_is_one_in_the_song(song: StillSession, client: Client) -> None:
    client.send(f"{PLACE}/position", 0.25)
    wait_for(lambda: place_s(song) < 10.0)
    client.send(PLACE, 500.0)
    assert client.wait("/error") == [f"{PLACE}: 500 is out of range; allowed is 0 to {FILE_S:g} s"]
    client.send(f"{PLACE}/position", 1.0)
    client.send(JUMP, 30.0)
    client.send("/bypass")
    client.wait("/bypass")
    assert song.transport is not None
    assert place_s(song) == FILE_S
    assert song.transport.paused
    assert song.transport.end is None


def test_subscribers_are_told_where_the_song_is_and_sending_that_back_moves_nothing(
    song: StillSession, client: Client
) -> None:
    client.send("/subscribe")
    told = client.wait("/place")
    assert told == [10.0, FILE_S]
    client.send("/place", *told)
    client.send("/crossfade")
    assert "/error" not in client.all_until("/crossfade")
    assert place_s(song) == 11.0
