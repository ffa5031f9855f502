"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the project: Spleeter's outputs and music with known stems."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"the reference material is not at {SHARED}")
    return SHARED
