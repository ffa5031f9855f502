from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from session import StillSession


@pytest.fixture
def song(tmp_path: Path) -> Iterator[StillSession]:
    """A session that plays a file."""
    session = StillSession(tmp_path)
    yield session
    assert session.transport is not None
    session.transport.close()


@pytest.fixture
def card() -> StillSession:
    """A session that hears a card."""
    return StillSession(None)
