"""Small networks in which every number matters, and the window that all faster forms must equal."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from rtsep.nets.unet import SeparationNet, UNetSpec

WINDOW_FRAMES = 512
NAMES = ("a", "b", "c")


def made_to_matter(net: nn.Module, seed: int = 3) -> None:
    """Norms, statistics and biases that would all be missed."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            if module.num_features > 1:
                module.weight.data[0] = 0
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            assert module.bias is not None
            module.bias.data.normal_(0, 0.3)


def make_net(spec: UNetSpec, names: tuple[str, ...] = NAMES) -> SeparationNet:
    torch.manual_seed(1)
    net = SeparationNet(names, spec).eval()
    made_to_matter(net)
    return net


def make_frames(n_frames: int, n_bins: int, seed: int = 0) -> np.ndarray:
    """Magnitudes with a silent stretch, as of music that stops and goes on."""
    frames = np.random.default_rng(seed).uniform(0, 5, (2, n_frames, n_bins)).astype(np.float32)
    frames[:, n_frames // 3 : n_frames // 2] = 0
    return frames


def whole_window(
    net: SeparationNet, names: tuple[str, ...], frames: np.ndarray, end: int, n_wanted: int, ahead: int
) -> np.ndarray:
    """The published network over the window of 512 frames before `end`; before frame 0 there is silence."""
    padded = np.concatenate((np.zeros((2, WINDOW_FRAMES, frames.shape[2]), np.float32), frames), axis=1)
    window = torch.from_numpy(padded[:, end : end + WINDOW_FRAMES].copy())[None]
    last = WINDOW_FRAMES - ahead
    with torch.no_grad():
        return np.asarray(net(window, names)[:, 0, :, last - n_wanted : last])
