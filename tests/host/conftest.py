"""A small model, the separators from outside, and a folder for every session."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rtsep.nets.unet import SeparationNet
from rtsep.zoo import ModelCard, NetworkCard, write_folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(3)
    network = NetworkCard(instruments=("vocals", "rest"), conv_n_filters=(2, 2, 2, 2, 2, 2))
    card = ModelCard(name="tiny", stems=("vocals", "rest"), n_frames=64, n_bins=256, network=network)
    state = SeparationNet(network.instruments, network.unet).state_dict()
    return str(write_folder(tmp_path_factory.mktemp("models") / "tiny", card, state).path)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(outside: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
