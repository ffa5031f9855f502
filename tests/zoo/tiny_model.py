"""The smallest model there can be, for tests about names and folders."""

from __future__ import annotations

from pathlib import Path

from rtsep.nets.unet import SeparationNet
from rtsep.zoo import ModelCard, ModelFolder, NetworkCard, write_folder


def make_model(path: Path) -> ModelFolder:
    network = NetworkCard(instruments=("vocals",), conv_n_filters=(1, 1, 1, 1, 1, 1))
    card = ModelCard(name=path.name, stems=("vocals", "rest"), network=network)
    return write_folder(path, card, SeparationNet(network.instruments, network.unet).state_dict())
