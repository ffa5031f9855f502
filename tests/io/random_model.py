"""A four-stem model with random weights: small, so that it is quick, and no mask is trivial."""

from __future__ import annotations

from pathlib import Path

import torch

from rtsep.nets.unet import SeparationNet
from rtsep.zoo import ModelCard, NetworkCard, write_folder

STEMS = ("vocals", "drums", "bass", "other")


def write_model(folder: Path) -> Path:
    torch.manual_seed(7)
    network = NetworkCard(instruments=STEMS, conv_n_filters=(2, 2, 2, 4, 4, 4))
    card = ModelCard(
        name="random-4stems", stems=STEMS, n_frames=64, n_bins=512, mask="direct", network=network
    )
    state = SeparationNet(network.instruments, network.unet).state_dict()
    return write_folder(folder / "random-4stems", card, state).path
