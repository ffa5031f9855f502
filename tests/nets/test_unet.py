"""The U-Net against Spleeter's own stems, and against the rules of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from rtsep.nets.unet import SeparationNet, UNetSpec, _SameConv, _SameDeconv
from rtsep.zoo import ModelCard, convert, load_network

NARROW = UNetSpec(conv_n_filters=(2, 3, 4, 3, 2, 2))


def stft(mixture: NDArray[np.float32]) -> NDArray[np.complex128]:
    """Spleeter's spectrum, ``(channels, frames, bins)``: a frame of zeros in front, zeros to fill the last."""
    n_frames = -(-(len(mixture) + 4096) // 1024)
    padded = np.zeros((n_frames * 1024 + 4096, 2))
    padded[4096 : 4096 + len(mixture)] = mixture
    frames = np.stack([padded[1024 * n : 1024 * n + 4096].T for n in range(n_frames)], axis=1)
    return np.fft.rfft(frames * window())


def istft(spectrum: NDArray[np.complex128], n_samples: int) -> NDArray[np.float64]:
    frames = np.fft.irfft(spectrum) * window() * (2 / 3)
    out = np.zeros((2, frames.shape[1] * 1024 + 4096))
    for n in range(frames.shape[1]):
        out[:, 1024 * n : 1024 * n + 4096] += frames[:, n]
    return out[:, 4096 : 4096 + n_samples].T


def window() -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)


def ratio_masks(card: ModelCard, masked: NDArray[np.float32]) -> NDArray[np.float64]:
    """Spleeter's masks over all bins of a frame, from masked magnitudes ``(stems, channels, frames, bins)``."""
    power = masked.astype(np.float64) ** card.exponent
    ratio = (power + 1e-10 / len(power)) / (power.sum(axis=0) + 1e-10)
    top = (
        ratio.mean(axis=-1, keepdims=True)
        if card.extension == "average"
        else np.zeros((*ratio.shape[:-1], 1))
    )
    n_top = card.frame_samples // 2 + 1 - card.n_bins
    return np.concatenate((ratio, np.repeat(top, n_top, axis=-1)), axis=-1)


@pytest.mark.parametrize("name", ["2stems", "4stems", "5stems"])
def test_stems_equal_spleeters(shared: Path, tmp_path: Path, name: str) -> None:
    model = convert(shared / "golden" / name, tmp_path / name)
    card, network = model.card, load_network(model)
    mixture, _ = soundfile.read(shared / "golden" / "mixture.wav", dtype="float32")
    spectrum = stft(mixture)
    n_frames = spectrum.shape[1]
    n_segments = -(-n_frames // card.n_frames)
    magnitude = np.zeros((2, n_segments * card.n_frames, card.n_bins), np.float32)
    magnitude[:, :n_frames] = np.abs(spectrum[..., : card.n_bins])
    segments = magnitude.reshape(2, n_segments, card.n_frames, card.n_bins).swapaxes(0, 1)
    with torch.inference_mode():
        masks = network(torch.from_numpy(np.ascontiguousarray(segments))).numpy()
    masked = (masks * segments).swapaxes(1, 2).reshape(len(masks), *magnitude.shape)
    expected = np.load(shared / "golden" / name / "expected_stems.npz")
    assert set(expected.files) == set(card.stems)
    for stem, mask in zip(card.stems, ratio_masks(card, masked[:, :, :n_frames]), strict=True):
        np.testing.assert_allclose(istft(spectrum * mask, len(mixture)), expected[stem], rtol=0, atol=1e-5)


def test_same_padding_is_tensorflows() -> None:
    # SAME with stride 2 over an even size: output n sees inputs 2n - 1 .. 2n + 3.
    conv, deconv = _SameConv(1, 1), _SameDeconv(1, 1)
    for layer in (conv, deconv):
        torch.nn.init.ones_(layer.weight)
        torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    x = torch.zeros(1, 1, 8, 10)
    x[0, 0, 4, 5] = 1
    with torch.inference_mode():
        seen, spread = conv(x)[0, 0], deconv(conv(x) * 0 + x[:, :, ::2, 1::2])[0, 0]
    assert seen.shape == (4, 5)
    assert seen.nonzero().tolist() == [[t, f] for t in (1, 2) for f in (1, 2, 3)]
    # The transpose lets input n reach outputs 2n - 1 .. 2n + 3: rows 3..7 of n = 2, and so for the bins.
    assert spread.shape == (8, 10)
    assert spread.nonzero().tolist() == [[t, f] for t in range(3, 8) for f in range(3, 8)]


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_shapes_and_ranges(output: str) -> None:
    torch.manual_seed(0)
    spec = UNetSpec(NARROW.conv_n_filters, "ELU", "ELU", "softmax" if output == "softmax" else "sigmoid")
    network = SeparationNet(("a", "keys", "type"), spec).eval()  # names that torch's own containers refuse
    with torch.inference_mode():
        masks = network(torch.rand(2, 2, 64, 128))
        alone = network(torch.rand(1, 2, 128, 64), ["keys"])
    assert masks.shape == (3, 2, 2, 64, 128)
    assert alone.shape == (1, 1, 2, 128, 64)
    assert ((masks >= 0) & (masks <= 1)).all()
    sums = masks.sum(dim=0)
    assert torch.allclose(sums, torch.ones(())) == (output == "softmax")


def test_one_network_alone_gives_what_it_gives_among_others() -> None:
    torch.manual_seed(0)
    network = SeparationNet(("a", "b", "c"), NARROW).eval()
    magnitude = torch.rand(1, 2, 64, 64)
    with torch.inference_mode():
        together, alone = network(magnitude), network(magnitude, ["c", "a"])
    torch.testing.assert_close(alone, together[[2, 0]], rtol=0, atol=1e-6)


def test_published_size() -> None:
    # 78,614,080 bytes of Deezer's data file: two nets of float32, the dead norm of each, and the step.
    with torch.device("meta"):
        network = SeparationNet(("vocals", "accompaniment"), UNetSpec())
    n_numbers = sum(t.numel() for k, t in network.state_dict().items() if "num_batches" not in k)
    assert 4 * (n_numbers + 2 * 4 * 512) + 8 == 78_614_080
