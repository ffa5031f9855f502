"""Small models with random weights, and a network that lets everything through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rtsep.arithmetic import MaskPlan
from rtsep.nets.runner import Window
from rtsep.nets.unet import SeparationNet
from rtsep.pace import Steady
from rtsep.spectral import SpectralStream, choose_tapers, host_stream
from rtsep.zoo import ModelCard, ModelFolder, NetworkCard, write_folder

N_FILTERS = (2, 3, 3, 2, 2, 2)


class Transparent:
    """A runner whose networks want everything."""

    def __init__(self, n_instruments: int = 1) -> None:
        self._n_instruments = n_instruments

    def reset(self) -> None:
        """Nothing is remembered."""

    def push(self, magnitude: np.ndarray, n_wanted: int, ahead: int) -> np.ndarray:
        return np.ones((self._n_instruments, len(magnitude), n_wanted, magnitude.shape[2]), np.float32)


def transparent_stream(
    update_hops: int, lookahead_frames: int, synthesis_hops: int | None = None
) -> SpectralStream:
    """Spleeter's frames, and masks of ones."""
    card = ModelCard(
        name="glass", stems=("all",), network=NetworkCard(instruments=("all",)), extension="average"
    )
    plan = MaskPlan(card, "direct", "average", ("all",))
    window, tapers = Window(512, update_hops, lookahead_frames), choose_tapers(card, synthesis_hops)
    return host_stream(card, plan, tapers, window, Transparent(), Steady())  # type: ignore[arg-type]


def make_card(
    stems: tuple[str, ...],
    instruments: tuple[str, ...] | None = None,
    *,
    type: str = "unet.unet",
    extension: str = "zeros",
    mask: str = "ratio",
) -> ModelCard:
    """A card of short frames, that the tests be quick."""
    network = NetworkCard(type=type, instruments=instruments or stems, conv_n_filters=N_FILTERS)  # type: ignore[arg-type]
    return ModelCard(
        name="tiny",
        stems=stems,
        frame_samples=256,
        hop_samples=64,
        n_frames=64,
        n_bins=64,
        network=network,
        extension=extension,  # type: ignore[arg-type]
        mask=mask,  # type: ignore[arg-type]
    )


def make_net(card: ModelCard, seed: int = 0) -> SeparationNet:
    """Weights at random, lively enough that masks differ from stem to stem and from bin to bin."""
    torch.manual_seed(seed)
    net = SeparationNet(card.network.instruments, card.network.unet).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


def make_model(path: Path, card: ModelCard, net: SeparationNet | None = None) -> ModelFolder:
    return write_folder(path, card, (net or make_net(card)).state_dict())


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, n_samples)).astype(np.float32)


def cut(samples: np.ndarray, size: int) -> list[np.ndarray]:
    """Blocks of one size, or of random sizes (0), empty ones among them."""
    rng = np.random.default_rng(size)
    parts, at = [], 0
    while at < samples.shape[1]:
        n = size or int(rng.integers(0, 900))
        parts.append(samples[:, at : at + n])
        at += n
    return parts
