"""Songs and recipes so small that training takes a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from small_training import RATE_HZ, SONG_S, small_recipe, tone, write_song


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two songs: voices at 500 and 700 Hz over drums (noise) and, in the first, something at 2 kHz."""
    data = tmp_path / "songs"
    noise = np.random.default_rng(1).normal(0, 0.05, (2, round(SONG_S * RATE_HZ))).astype(np.float32)
    write_song(data / "one", vocals=tone(500), drums=noise, other=tone(2000))
    write_song(data / "two", vocals=tone(700), drums=noise[:, ::-1])
    return data


@pytest.fixture
def write_recipe(tmp_path: Path):
    """Write a recipe; returns its path."""

    def write(**changes: object) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(small_recipe(**changes)), encoding="utf-8")
        return path

    return write
