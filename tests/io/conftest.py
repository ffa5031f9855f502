"""What the tests of real sound servers share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from random_model import write_model

from rtsep.demo.song import render


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `random_model`."""
    return write_model(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def music() -> np.ndarray:
    """The demo song with a little noise, so that no sample is silence; in steps of 16 bits: files are exact."""
    song = np.tile(np.sum(list(render(0, duration_s=3.0).values()), axis=0), 3)
    noisy = 0.5 * song + np.random.default_rng(1).normal(0, 0.01, song.shape)
    return (np.round(np.clip(noisy, -0.9, 0.9) * 32768) / 32768).astype(np.float32)
