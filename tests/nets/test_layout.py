"""The laid-out network against the network as it is written, layer by layer."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import nn

from rtsep.nets.crew import Crew
from rtsep.nets.layout import LaidOutUNet
from rtsep.nets.unet import Activation, UNet, UNetSpec


def trained(spec: UNetSpec) -> UNet:
    """A network whose norms, biases and statistics all matter, down to a scale of zero."""
    torch.manual_seed(3)
    net = UNet(spec).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                assert tensor is not None
                tensor.normal_()
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2)
            module.weight.data[0] = 0
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            assert module.bias is not None
            module.bias.data.normal_()
    return net


@pytest.mark.parametrize("activations", [("LeakyReLU", "ReLU"), ("ELU", "ELU"), ("ReLU", "LeakyReLU")])
@pytest.mark.parametrize(
    ("widths", "size"),
    [((4, 6, 8, 10, 12, 14), (64, 128)), ((1, 2, 3), (24, 8)), ((5, 1, 3), (8, 40)), ((3,), (2, 6))],
)
def test_the_logits_are_those_of_the_network(
    widths: tuple[int, ...], size: tuple[int, int], activations: tuple[Activation, Activation]
) -> None:
    net = trained(UNetSpec(widths, *activations))
    laid_out = LaidOutUNet(net, *size)
    with torch.inference_mode():
        for _ in range(3):  # a buffer that remembered the window before would show
            magnitude = torch.rand(1, 2, *size) * 5
            expected = net(magnitude)
            np.testing.assert_allclose(
                laid_out(magnitude), expected, rtol=0, atol=2e-5 * expected.abs().max()
            )


@pytest.mark.parametrize(("n_threads", "n_jobs"), [(1, 3), (2, 1), (2, 2), (2, 5), (3, 4), (4, 2), (5, 5)])
def test_a_crew_keeps_the_order_and_leaves_threads_as_they_were(n_threads: int, n_jobs: int) -> None:
    before = torch.get_num_threads()
    crew = Crew(n_threads, n_jobs)
    assert crew.map(lambda job: job * job, range(n_jobs)) == [job * job for job in range(n_jobs)]
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), seen) == (before, [before])


def test_what_breaks_in_a_crew_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        Crew(2, 2).map(lambda job: 1 // job, [1, 0])
