"""An empty store for every test, and checkpoints of Spleeter."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, elsewhere; it does not exist yet."""
    monkeypatch.setenv("RTSEP_MODELS", str(tmp_path / "store"))
    monkeypatch.delenv("MODEL_PATH", raising=False)
    return tmp_path / "store"


@pytest.fixture
def golden(shared: Path) -> Path:
    return shared / "golden"
