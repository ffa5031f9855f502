"""The runners over a stream against the network over frames that lie there whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import make_frames, make_net, whole_window

from rtsep.errors import DeviceError, UsageError
from rtsep.nets.runner import (
    Effort,
    StreamRunner,
    Window,
    WindowRunner,
    choose_device,
    choose_effort,
    open_runner,
)
from rtsep.nets.unet import SeparationNet, UNetSpec
from rtsep.stream import Precision

SPEC = UNetSpec(conv_n_filters=(2, 2, 3, 3, 2, 2))
N_BINS, CONTEXT = 64, 64
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net() -> SeparationNet:
    return make_net(SPEC)


def short_window(net: SeparationNet, frames: np.ndarray, names: tuple[str, ...], end: int) -> np.ndarray:
    """Masks of the window of frames before `end`; before frame 0 there is silence."""
    padded = np.concatenate((np.zeros((2, CONTEXT, N_BINS), np.float32), frames), axis=1)
    window = torch.from_numpy(padded[:, end : end + CONTEXT].copy())[None]
    with torch.no_grad():
        return np.asarray(net(window, names)[:, 0])


UPDATES = [(1, 0), (1, 5), (2, 0), (3, 8), (8, 1), (64, 0), (32, 32)]


@pytest.mark.parametrize(("update", "ahead"), UPDATES)
def test_columns_are_those_of_the_window(net: SeparationNet, update: int, ahead: int) -> None:
    frames, names, window = make_frames(3 * 64, N_BINS), ("c", "a"), Window(CONTEXT, update, ahead)
    runner = open_runner(net, names, window, N_BINS, Effort(CPU))
    assert isinstance(runner, WindowRunner)
    for g in range(min(70, 192 // update)):  # the window has been filled and left behind
        end = (g + 1) * update
        got = runner.push(frames[:, end - update : end], update, ahead)
        if g in (0, 1, 20, 69):
            last = CONTEXT - ahead
            expected = short_window(net, frames, names, end)[:, :, last - update : last]
            np.testing.assert_allclose(got, expected, rtol=0, atol=5e-6)  # another order of sums
    runner.close()


@pytest.mark.parametrize(("update", "ahead"), UPDATES)
def test_without_a_context_columns_are_those_of_the_full_window(
    net: SeparationNet, update: int, ahead: int
) -> None:
    frames, names, window = make_frames(256, N_BINS), ("c", "a"), Window(None, update, ahead)
    runner = open_runner(net, names, window, N_BINS, Effort(CPU))
    assert isinstance(runner, StreamRunner)
    for g in range(min(20, 256 // update)):
        end = (g + 1) * update
        got = runner.push(frames[:, end - update : end], update, ahead)
        if g in (0, 1, 19):
            expected = whole_window(net, names, frames, end, update, ahead)
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    runner.close()


@pytest.mark.parametrize("context", [CONTEXT, None])
def test_reset_is_silence(net: SeparationNet, context: int | None) -> None:
    frames = np.random.default_rng(2).uniform(0, 5, (2, 2, N_BINS)).astype(np.float32)
    runner = open_runner(net, ("a",), Window(context, 2), N_BINS, Effort(CPU))
    first = runner.push(frames, 2, 0).copy()
    assert np.abs(runner.push(frames, 2, 0) - first).max() > 0
    runner.reset()
    np.testing.assert_array_equal(runner.push(frames, 2, 0), first)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (Window(64, 0), "update_hops=0 must be 1 or more"),
        (Window(64, 1, -1), "lookahead_frames=-1 0 or more"),
        (Window(100), "context_frames=100 must be a multiple of 64"),
        (Window(0), "context_frames=0 must be a multiple of 64"),
        (Window(64, 60, 5), r"update_hops \+ lookahead_frames = 65 must fit into context_frames=64"),
        (Window(None, 65), "update_hops=65 must be at most 64"),
    ],
)
def test_a_window_that_cannot_be_is_refused(net: SeparationNet, window: Window, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_runner(net, ("a",), window, N_BINS, Effort(CPU))


def test_networks_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert [Effort(CPU).threads_for(n) for n in (1, 2, 64)] == [1, 2, 4]
    assert Effort(CPU, n_threads=3).threads_for(1) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert choose_device("auto").type == choose_device("cpu").type == "cpu"
    with pytest.raises(DeviceError, match=r"torch sees no GPU here. Use --device cpu"):
        choose_device("cuda")


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_a_precision_of_gpus_is_refused_on_a_cpu_with_what_is_allowed(precision: Precision) -> None:
    with pytest.raises(UsageError, match=rf"precision {precision} is for a GPU.*float32 or bfloat16"):
        choose_effort("cpu", precision)
    assert choose_effort("cpu", "bfloat16") == Effort(CPU, "bfloat16")
