"""Models of random weights: how fast a network is does not depend on what it has learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from rtsep.nets.unet import SPLEETER_N_FILTERS, SeparationNet
from rtsep.zoo.card import ModelCard, ModelFolder, NetworkCard
from rtsep.zoo.weights import write_folder

STEMS = {
    1: ("vocals",),
    2: ("vocals", "accompaniment"),
    4: ("vocals", "drums", "bass", "other"),
    5: ("vocals", "piano", "drums", "bass", "other"),
}
SMALL_N_FILTERS = (2, 2, 2, 2, 2, 2)  # for --quick


def random_model(
    n_stems: int, *, is_small: bool = False, n_frames: int = 512
) -> tuple[ModelCard, SeparationNet]:
    """A card as Spleeter's published one of so many stems, and networks of random weights."""
    torch.manual_seed(n_stems)
    widths = SMALL_N_FILTERS if is_small else SPLEETER_N_FILTERS
    kind = "unet.softmax_unet" if n_stems == 5 else "unet.unet"
    network = NetworkCard(type=kind, instruments=STEMS[n_stems], conv_n_filters=widths)
    card = ModelCard(
        name=f"random-{n_stems}stems",
        stems=STEMS[n_stems],
        n_frames=64 if is_small else n_frames,
        n_bins=1024,
        network=network,
    )
    net = SeparationNet(card.network.instruments, card.network.unet).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return card, net


def random_folder(target: Path, n_stems: int, *, is_small: bool = False) -> ModelFolder:
    """The same as a model folder."""
    card, net = random_model(n_stems, is_small=is_small)
    return write_folder(target, card, net.state_dict())


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    """Music enough for a clock: ``(2, samples)`` of pink-ish noise at -20 dBFS."""
    white = np.random.default_rng(seed).standard_normal((2, n_samples)).astype(np.float32)
    return np.ascontiguousarray(0.05 * (white + np.roll(white, 1, axis=1) + np.roll(white, 2, axis=1)))
