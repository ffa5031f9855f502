"""Web mixers on a session that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from visitors import TOKEN, WatchedSession

from rtsep.control.web.link import WebSurface


@pytest.fixture
def session(tmp_path: Path) -> Iterator[WatchedSession]:
    found = WatchedSession(tmp_path)
    yield found
    assert found.transport is not None
    found.transport.close()


@pytest.fixture
def web(session: WatchedSession) -> Iterator[WebSurface]:
    """Without a token, on this machine."""
    with WebSurface(session, "127.0.0.1", 0) as surface:
        yield surface


@pytest.fixture
def locked(session: WatchedSession) -> Iterator[WebSurface]:
    """With a token."""
    with WebSurface(session, "127.0.0.1", 0, TOKEN) as surface:
        yield surface
