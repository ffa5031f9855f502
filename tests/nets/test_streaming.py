"""The streamed U-Net against the published one over the full window of 512 frames."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import NAMES, make_frames, make_net, whole_window
from numba.core.runtime import rtsys
from numba.core.runtime._nrt_python import memsys_disable_stats, memsys_enable_stats

from rtsep.nets.step import MAX_PUSH_FRAMES, wanted_bounds
from rtsep.nets.streaming import StreamingUNet
from rtsep.nets.unet import SeparationNet, UNetSpec

N_BINS = 64
SPECS = {
    "leaky": UNetSpec((2, 3, 4, 3, 2, 2)),
    "softmax": UNetSpec((2, 3, 1, 3, 2, 5), "ELU", "ELU", "softmax"),
    "compressed": UNetSpec((17, 4, 4, 4, 4, 33), "ReLU", "LeakyReLU", input_exponent=0.3),
}
NETS = {name: make_net(spec) for name, spec in SPECS.items()}
FRAMES = make_frames(700, N_BINS)
TOLERANCE = 1e-5


def expect(
    got: np.ndarray, net: SeparationNet, end: int, n_wanted: int, ahead: int, names: Sequence[str] = NAMES
) -> None:
    expected = whole_window(net, tuple(names), FRAMES, end, n_wanted, ahead)
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("net", NETS.values(), ids=list(NETS))
def test_the_networks_of_these_tests_say_something(net: SeparationNet) -> None:
    masks = whole_window(net, NAMES, FRAMES, 300, 16, 0)
    assert masks.std(axis=(2, 3)).min() > 1e-3


@pytest.mark.parametrize("name", list(SPECS))
def test_every_phase_is_that_of_the_whole_window(name: str) -> None:
    unet = StreamingUNet(NETS[name], NAMES, N_BINS)
    for end in range(1, 64 + 8):
        expect(unet.push(FRAMES[:, end - 1 : end], 1), NETS[name], end, 1, 0)


@pytest.mark.parametrize("update", [1, 2, 3, 4, 8, 16, 64])
@pytest.mark.parametrize("ahead", [0, 1, 7, 128])
def test_columns_are_those_of_the_whole_window(update: int, ahead: int) -> None:
    net = NETS["leaky"]
    unet = StreamingUNet(net, ("c", "a"), N_BINS, grid_hops=update & -update, reach_frames=update + ahead)
    for g in range(600 // update):
        end = (g + 1) * update
        got = unet.push(FRAMES[:, end - update : end], update, ahead)
        if g in (0, 1, 5, 63, 64, 100) or end > 600 - update:
            expect(got, net, end, update, ahead, ("c", "a"))


Steps = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 16), st.integers(0, 128)), min_size=1, max_size=12
)


@given(
    grid_shift=st.integers(0, 6),
    steps=Steps,
    name=st.sampled_from(list(SPECS)),
    n_threads=st.integers(1, 4),
    reach=st.sampled_from([1, 2, 9, 17, 144]),
)
@settings(deadline=None, max_examples=80)
def test_any_schedule_gives_the_columns_of_the_whole_window(
    grid_shift: int, steps: list[tuple[int, int, int]], name: str, n_threads: int, reach: int
) -> None:
    grid, net = 1 << grid_shift, NETS[name]
    unet = StreamingUNet(net, NAMES, N_BINS, grid_hops=grid, reach_frames=reach, n_threads=n_threads)
    end = 0
    for n_visits, n_wanted, ahead in steps:
        n_wanted = min(n_wanted, reach)
        ahead = min(ahead, reach - n_wanted)
        n_new = n_visits * grid
        if end + n_new > FRAMES.shape[1]:
            break
        end += n_new
        got = unet.push(FRAMES[:, end - n_new : end], n_wanted, ahead)
        assert got.shape == (len(NAMES), 2, n_wanted, N_BINS)
        if n_wanted:
            expect(got, net, end, n_wanted, ahead)
    unet.close()


def test_catching_up_leaves_the_state_exact() -> None:
    unet = StreamingUNet(NETS["softmax"], NAMES, N_BINS)
    unet.push(FRAMES[:, :401], 0)  # more than one call of compiled code takes
    assert MAX_PUSH_FRAMES < 401
    expect(unet.push(FRAMES[:, 401:402], 1), NETS["softmax"], 402, 1, 0)


def test_reset_is_silence() -> None:
    unet = StreamingUNet(NETS["compressed"], NAMES, N_BINS, grid_hops=2, reach_frames=2, n_threads=2)
    first = unet.push(FRAMES[:, :2], 2).copy()
    for end in range(4, 100, 2):
        unet.push(FRAMES[:, end - 2 : end], 2)
    assert np.abs(unet.push(FRAMES[:, :2], 2) - first).max() > 1e-3
    unet.reset()
    np.testing.assert_array_equal(unet.push(FRAMES[:, :2], 2), first)


def test_a_long_silence_is_the_state_after_reset() -> None:
    unet = StreamingUNet(NETS["leaky"], NAMES, N_BINS)
    first = unet.push(FRAMES[:, :1], 1).copy()
    unet.push(np.zeros((2, 448, N_BINS), np.float32), 0)
    np.testing.assert_allclose(unet.push(FRAMES[:, :1], 1), first, rtol=0, atol=1e-6)


def test_threads_change_nothing_to_the_bit() -> None:
    unets = [StreamingUNet(NETS["leaky"], NAMES, N_BINS, n_threads=n) for n in (1, 2, 3, 5)]
    for end in range(1, 20):
        alone, *others = [unet.push(FRAMES[:, end - 1 : end], 1) for unet in unets]
        for other in others:
            np.testing.assert_array_equal(other, alone)


def test_bfloat16_is_near_and_its_masks_are_masks() -> None:
    net = NETS["leaky"]
    unet = StreamingUNet(net, NAMES, N_BINS, precision="bfloat16")
    for end in range(1, 80):
        got = unet.push(FRAMES[:, end - 1 : end], 1)
    assert got.dtype == np.float32
    assert ((got >= 0) & (got <= 1)).all()
    difference = np.abs(got - whole_window(net, NAMES, FRAMES, 79, 1, 0)).max()
    assert 1e-5 < difference < 0.1


@pytest.mark.parametrize("n_bins", [1024, 1536])
def test_full_size_columns(n_bins: int) -> None:
    net = make_net(UNetSpec(), ("vocals",))
    frames = make_frames(70, n_bins)
    unet = StreamingUNet(net, ("vocals",), n_bins, n_threads=2)
    unet.push(frames[:, :69], 0)
    expected = whole_window(net, ("vocals",), frames, 70, 1, 0)
    np.testing.assert_allclose(unet.push(frames[:, 69:], 1), expected, rtol=0, atol=TOLERANCE)


def test_a_step_allocates_nothing_that_grows() -> None:
    unet = StreamingUNet(NETS["compressed"], NAMES, N_BINS, n_threads=2)
    for end in range(10):
        unet.push(FRAMES[:, end : end + 1], 1)
    n_blocks, n_held = [], []
    rtsys.initialize(None)
    memsys_enable_stats()
    try:
        for _ in range(4):
            for _ in range(1000):
                unet.push(FRAMES[:, :1], 1)
            gc.collect()
            stats = rtsys.get_allocation_stats()
            n_blocks.append(sys.getallocatedblocks())
            n_held.append(stats.mi_alloc - stats.mi_free)
    finally:
        memsys_disable_stats()
    assert n_held[-1] == n_held[1]  # what compiled code holds, exactly
    assert n_blocks[-1] - n_blocks[1] < 1000  # Python's own; an object a step would be 2000


def test_what_the_decoder_needs() -> None:
    # By hand, as the derivation says: the edge and one final column of every level; 0 .. 3 at the top.
    assert wanted_bounds(6, 1, 0).tolist() == [[0, 3]] + [[0, 2]] * 6
    # Lookahead 128, 16 columns: frame 382 of 512 is the oldest that is seen.
    deepest = int(wanted_bounds(6, 16, 128)[-1, 1])
    reach = deepest
    for _ in range(6):
        reach = 2 * reach + 2
    assert (deepest, reach) == (4, 382)


def test_helpers_go_when_nobody_holds_the_network() -> None:
    before = threading.active_count()
    unet = StreamingUNet(NETS["leaky"], NAMES, N_BINS, n_threads=3)
    assert threading.active_count() == before + 2
    del unet
    assert threading.active_count() == before


def test_a_closed_network_says_so() -> None:
    unet = StreamingUNet(NETS["leaky"], NAMES, N_BINS, n_threads=2)
    unet.close()
    unet.close()
    with pytest.raises(ValueError, match="the network is closed"):
        unet.push(FRAMES[:, :1], 1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="grid_hops=3 must be a power of two"):
        StreamingUNet(NETS["leaky"], NAMES, N_BINS, grid_hops=3)
    unet = StreamingUNet(NETS["leaky"], NAMES, N_BINS, grid_hops=2, reach_frames=4)
    with pytest.raises(ValueError, match=r"frames are \(2, n, 64\); got \(2, 2, 65\)"):
        unet.push(np.zeros((2, 2, 65), np.float32), 1)
    with pytest.raises(ValueError, match="-1 ahead"):
        unet.push(FRAMES[:, :2], 1, -1)
    with pytest.raises(ValueError, match="0 frames"):
        unet.push(FRAMES[:, :0], 1)
    with pytest.raises(ValueError, match="n_bins=65 must be a multiple of 64"):
        StreamingUNet(NETS["leaky"], NAMES, 65)
    with pytest.raises(ValueError, match="1 frames must be a multiple of the grid of 2"):
        unet.push(FRAMES[:, :1], 1)
    with pytest.raises(ValueError, match=r"4 wanted \+ 1 ahead at most 4"):
        unet.push(FRAMES[:, :2], 4, 1)


def test_a_push_needs_the_interpreter_once() -> None:
    """While another thread keeps the interpreter, the compiled part of a push runs through."""
    unet = StreamingUNet(NETS["leaky"], NAMES, N_BINS, n_threads=2)
    expected = unet.push(FRAMES[:, :1], 1).copy()
    unet.reset()
    masks = unet.push(FRAMES[:, :1], 1)
    unet.reset()
    masks[:] = -1
    interval = sys.getswitchinterval()
    thread = threading.Thread(target=lambda: unet.push(FRAMES[:, :1], 1))
    try:
        sys.setswitchinterval(1000.0)  # whoever has the interpreter now keeps it until it lets go itself
        thread.start()
        until_s = time.monotonic() + 10
        while not np.array_equal(masks, expected) and time.monotonic() < until_s:
            pass
        np.testing.assert_array_equal(masks, expected)
        assert thread.is_alive()  # it waits for the interpreter
    finally:
        sys.setswitchinterval(interval)
    thread.join()
