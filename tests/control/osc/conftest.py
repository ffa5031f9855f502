"""A session that stands still, its OSC, and two who speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from osc_client import Client
from session import StillSession

from rtsep.control.osc import OscSurface
from rtsep.mix import Matrix


@pytest.fixture
def player() -> StillSession:
    return StillSession(None)


@pytest.fixture
def surface(player: StillSession) -> Iterator[OscSurface]:
    with OscSurface(player, "127.0.0.1", 0) as surface:
        yield surface


@pytest.fixture
def client(surface: OscSurface) -> Iterator[Client]:
    with closing(Client(surface.port)) as client:
        yield client


@pytest.fixture
def other(surface: OscSurface) -> Iterator[Client]:
    with closing(Client(surface.port)) as client:
        yield client


@pytest.fixture
def published(player: StillSession) -> list[tuple[float, ...]]:
    """The gains of vocals and drums on the left, of every matrix that is published."""
    played = player.mix.open(player.stems)
    publish, published = played.publish, []

    def watched(matrix: Matrix) -> None:
        publish(matrix)
        published.append(tuple(played.newest[0:4:2, 0].tolist()))

    played.publish = watched  # type: ignore[method-assign]
    return published
