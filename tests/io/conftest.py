"""What the tests of real sound servers share."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_model import write_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `random_model`."""
    return write_model(tmp_path_factory.mktemp("models"))
