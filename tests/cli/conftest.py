"""A narrow model, a short song, and a folder and a store of models for every test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import RATE_HZ

from rtsep.io.files import AudioWriter
from rtsep.nets.unet import SeparationNet
from rtsep.zoo import ModelCard, NetworkCard, write_folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one narrow network with random weights: vocals, and the rest as its complement."""
    path = tmp_path_factory.mktemp("models") / "narrow"
    network = NetworkCard(instruments=("vocals",), conv_n_filters=(1, 1, 1, 1, 1, 1))
    card = ModelCard(name="narrow", stems=("vocals", "accompaniment"), n_frames=64, network=network)
    write_folder(path, card, SeparationNet(network.instruments, network.unet).state_dict())
    return path


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of noise."""
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, (2, 2 * RATE_HZ)).astype(np.float32)
    with AudioWriter(path, RATE_HZ, 2) as writer:
        writer.write(noise)
    return path


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
