"""The window of columns against the network as it is written."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import NAMES, make_frames, make_net

from rtsep.nets.unet import Activation, UNetSpec
from rtsep.nets.window import WindowUNet


@pytest.mark.parametrize("activations", [("LeakyReLU", "ReLU"), ("ELU", "ELU"), ("ReLU", "LeakyReLU")])
@pytest.mark.parametrize(
    ("widths", "size"),
    [
        ((4, 6, 8, 10, 12, 14), (64, 128)),
        ((17, 2, 33), (24, 8)),
        ((5, 1, 3), (8, 40)),
        ((3,), (2, 6)),
        ((3, 2), (32, 4)),
    ],
)
@pytest.mark.parametrize("n_threads", [1, 2, 3, 5])
def test_the_masks_are_those_of_the_network(
    widths: tuple[int, ...], size: tuple[int, int], activations: tuple[Activation, Activation], n_threads: int
) -> None:
    net = make_net(UNetSpec(widths, *activations))
    window = WindowUNet(net, NAMES, *size, n_threads=n_threads)
    for seed in range(3):  # a buffer that remembered the window before would show
        magnitude = make_frames(*size, seed=seed)
        with torch.inference_mode():
            expected = np.asarray(net(torch.from_numpy(magnitude)[None])[:, 0])
        np.testing.assert_allclose(window.evaluate(magnitude), expected, rtol=0, atol=1e-5)
    window.close()


def test_softmax_compression_and_a_choice_of_networks() -> None:
    magnitude = make_frames(64, 64)
    for spec, names in (
        (UNetSpec((2, 3, 4, 3, 2, 2), "ELU", "ELU", "softmax"), NAMES),
        (UNetSpec((2, 3, 4, 3, 2, 2), input_exponent=0.3), ("c", "a")),
    ):
        net = make_net(spec)
        with torch.inference_mode():
            expected = np.asarray(net(torch.from_numpy(magnitude)[None], names)[:, 0])
        got = WindowUNet(net, names, 64, 64).evaluate(magnitude)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_many_chunks_are_one_window() -> None:
    # Full width: the sums of a level do not fit into a chunk.
    net = make_net(UNetSpec(), ("vocals",))
    magnitude = make_frames(128, 512)
    with torch.inference_mode():
        expected = np.asarray(net(torch.from_numpy(magnitude)[None])[:, 0])
    got = WindowUNet(net, ("vocals",), 128, 512, n_threads=2).evaluate(magnitude)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_bfloat16_is_near() -> None:
    net = make_net(UNetSpec((4, 6, 8, 10, 12, 14)))
    magnitude = make_frames(64, 128)
    exact = WindowUNet(net, NAMES, 64, 128).evaluate(magnitude)
    near = WindowUNet(net, NAMES, 64, 128, precision="bfloat16").evaluate(magnitude)
    assert 1e-5 < np.abs(near - exact).max() < 0.1


def test_what_does_not_fit_is_refused() -> None:
    window = WindowUNet(make_net(UNetSpec((3,))), NAMES, 64, 64)
    with pytest.raises(ValueError, match=r"a window of \(2, 64, 64\) is wanted"):
        window.evaluate(make_frames(65, 64))
    window.close()
    with pytest.raises(ValueError, match="of a network that is open"):
        window.evaluate(make_frames(64, 64))
