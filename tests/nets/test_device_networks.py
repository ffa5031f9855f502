"""The networks as torch runs them for a GPU, on a CPU and (where there is one) on a GPU, against the full window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import NAMES, make_frames, make_net, whole_window

from rtsep.nets.device import layers
from rtsep.nets.device.ascent import stream_places
from rtsep.nets.device.layers import Networks, n_split_axes
from rtsep.nets.device.recording import KINDS, Lane
from rtsep.nets.device.streamed import StreamedNetworks
from rtsep.nets.device.windowed import WindowedNetworks
from rtsep.nets.unet import SeparationNet, UNetSpec, compress
from rtsep.stream import Precision

N_BINS = 64
SPECS = {
    "leaky": UNetSpec((2, 3, 4, 3, 2, 2)),
    "softmax": UNetSpec((2, 3, 1, 3, 2, 5), "ELU", "ELU", "softmax"),
    "compressed": UNetSpec((17, 4, 4, 4, 4, 33), "ReLU", "LeakyReLU", input_exponent=0.3),
}
NETS = {name: make_net(spec) for name, spec in SPECS.items()}
FRAMES = make_frames(500, N_BINS)
TOLERANCE = 1e-5
CPU = torch.device("cpu")


class Deck:
    """Networks that take and give arrays, as the arithmetic does around them."""

    def __init__(
        self,
        net: SeparationNet,
        *,
        names: tuple[str, ...] = NAMES,
        n_bins: int = N_BINS,
        grid: int = 1,
        wanted: tuple[tuple[int, int], ...] = ((1, 0),),
        n_decks: int = 1,
        kind: torch.dtype = torch.float32,
        context: int | None = None,
    ) -> None:
        self._net = net
        networks = Networks([net.unets[name] for name in names], net.spec, CPU, kind)
        silent = float(compress(np.zeros(1, np.float32), net.spec.input_exponent)[0])
        with torch.no_grad():
            self.inner: StreamedNetworks | WindowedNetworks = (
                StreamedNetworks(networks, n_bins, n_decks, grid, wanted, silent)
                if context is None
                else WindowedNetworks(networks, n_bins, n_decks, context, silent)
            )

    @torch.no_grad()
    def push(self, *decks: np.ndarray, wanted: tuple[int, int] | None) -> np.ndarray | None:
        """``(stems, decks, 2, wanted, bins)``."""
        seen = self._net.compressed(torch.from_numpy(np.stack(decks)))
        logits = self.inner.push(seen, wanted)
        return None if logits is None else self._net.masks(logits).numpy()


def expect(got: np.ndarray | None, net: SeparationNet, end: int, wanted: tuple[int, int]) -> None:
    assert got is not None
    np.testing.assert_allclose(got, whole_window(net, NAMES, FRAMES, end, *wanted), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", list(SPECS))
def test_every_phase_is_that_of_the_whole_window(name: str) -> None:
    deck = Deck(NETS[name])
    for end in range(1, 64 + 8):
        expect(deck.push(FRAMES[:, end - 1 : end], wanted=(1, 0))[:, 0], NETS[name], end, (1, 0))  # type: ignore[index]


@pytest.mark.parametrize("update", [1, 2, 3, 4, 16, 64])
@pytest.mark.parametrize("ahead", [0, 1, 2, 3, 4, 7, 16, 33, 64])
def test_columns_are_those_of_the_whole_window(update: int, ahead: int) -> None:
    net = NETS["leaky"]
    deck = Deck(net, grid=update & -update, wanted=((update, ahead),))
    for g in range(448 // update):
        end = (g + 1) * update
        is_checked = g in (0, 1, 5, 63, 64, 100) or end > 448 - update
        got = deck.push(FRAMES[:, end - update : end], wanted=(update, ahead) if is_checked else None)
        if got is not None:
            expect(got[:, 0], net, end, (update, ahead))


PAIRS = ((1, 0), (1, 16), (3, 5), (8, 9))


@given(
    grid_shift=st.integers(0, 6),
    steps=st.lists(st.tuples(st.integers(1, 20), st.sampled_from([None, *PAIRS])), min_size=1, max_size=10),
    name=st.sampled_from(list(SPECS)),
    n_split=st.sampled_from([1, 8, 10**6]),
)
@settings(deadline=None, max_examples=60)
def test_any_schedule_gives_the_columns_of_the_whole_window(
    grid_shift: int, steps: list[tuple[int, tuple[int, int] | None]], name: str, n_split: int
) -> None:
    grid, net, end = 1 << grid_shift, NETS[name], 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "LEAST_INNER", 1)
        deck = Deck(net, grid=grid, wanted=PAIRS)
        deck.inner._networks.n_multiprocessors = n_split  # products whole, and split over taps
        for n_visits, wanted in steps:
            n_new = n_visits * grid
            if end + n_new > FRAMES.shape[1]:
                break
            end += n_new
            got = deck.push(FRAMES[:, end - n_new : end], wanted=wanted)
            if wanted is not None:
                expect(got[:, 0], net, end, wanted)  # type: ignore[index]


def test_decks_do_not_hear_one_another() -> None:
    net, others = NETS["softmax"], make_frames(500, N_BINS, seed=7)
    three, one = Deck(net, n_decks=3, grid=2, wanted=((2, 3),)), Deck(net, grid=2, wanted=((2, 3),))
    for end in range(2, 80, 2):
        now = slice(end - 2, end)
        got = three.push(others[:, now], FRAMES[:, now], 3 * others[:, now], wanted=(2, 3))
        alone = one.push(others[:, now], wanted=(2, 3))
        assert got is not None
        assert alone is not None
        np.testing.assert_allclose(got[:, 0], alone[:, 0], rtol=0, atol=2e-6)
        expect(got[:, 1], net, end, (2, 3))


def test_reset_is_silence() -> None:
    deck = Deck(NETS["compressed"], grid=2, wanted=((2, 0),))
    first = deck.push(FRAMES[:, :2], wanted=(2, 0))
    for end in range(4, 100, 2):
        deck.push(FRAMES[:, end - 2 : end], wanted=(2, 0))
    again = deck.push(FRAMES[:, :2], wanted=(2, 0))
    assert np.abs(again - first).max() > 1e-3  # type: ignore[operator]
    deck.inner.reset()
    np.testing.assert_array_equal(deck.push(FRAMES[:, :2], wanted=(2, 0)), first)


@pytest.mark.parametrize("name", list(SPECS))
@pytest.mark.parametrize("update", [1, 3, 64])
def test_windows_slide_over_the_frames(name: str, update: int) -> None:
    net, wanted = NETS[name], (update, 0 if update == 64 else 5)
    deck = Deck(net, context=64)
    padded = np.concatenate((np.zeros((2, 64, N_BINS), np.float32), FRAMES), axis=1)
    for g in range(192 // update):
        end = (g + 1) * update
        is_checked = g in (0, 1, 20, 60)
        got = deck.push(FRAMES[:, end - update : end], wanted=wanted if is_checked else None)
        if got is None:
            continue
        with torch.no_grad():
            whole = net(torch.from_numpy(padded[:, end : end + 64].copy())[None], NAMES)[:, 0].numpy()
        last = 64 - wanted[1]
        np.testing.assert_allclose(got[:, 0], whole[:, :, last - update : last], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("n_bins", [1024, 1536])
def test_full_size_columns(n_bins: int) -> None:
    net = make_net(UNetSpec(), ("vocals",))
    frames = make_frames(70, n_bins)
    deck = Deck(net, names=("vocals",), n_bins=n_bins)
    deck.push(frames[:, :69], wanted=None)
    got = deck.push(frames[:, 69:], wanted=(1, 0))
    assert got is not None
    expected = whole_window(net, ("vocals",), frames, 70, 1, 0)
    np.testing.assert_allclose(got[:, 0], expected, rtol=0, atol=TOLERANCE)


# Largest error of a mask that a precision is allowed here.
BOUNDS: dict[Precision, float] = {"float16": 1e-2, "bfloat16": 1e-1}


@pytest.mark.parametrize("precision", list(BOUNDS))
def test_reduced_precision_is_near_and_its_masks_are_masks(precision: Precision) -> None:
    deck, net = Deck(NETS["leaky"], kind=KINDS[precision]), NETS["leaky"]
    deck.push(FRAMES[:, :78], wanted=None)
    got = deck.push(FRAMES[:, 78:79], wanted=(1, 0))
    assert got is not None
    assert got.dtype == np.float32
    assert ((got >= 0) & (got <= 1)).all()
    difference = np.abs(got[:, 0] - whole_window(net, NAMES, FRAMES, 79, 1, 0)).max()
    assert 1e-5 < difference < BOUNDS[precision]


def test_what_lasts_stays_where_it_is() -> None:
    """A recorded step reads and writes addresses."""
    deck = Deck(NETS["leaky"], grid=2, wanted=((2, 1), (4, 0)))
    inner = deck.inner
    assert isinstance(inner, StreamedNetworks)

    def addresses() -> list[int]:
        stores = [ring.store for ring in (*inner._active, *inner._raw)]
        made = [tensor for ascent in inner._ascents.values() for tensor in ascent._made]
        return [tensor.data_ptr() for tensor in (*stores, *made, inner._visits)]

    before = addresses()
    for wanted in ((2, 1), None, (4, 0)):
        deck.push(FRAMES[:, :4], wanted=wanted)
    inner.reset()
    assert addresses() == before


def test_where_the_doublings_work() -> None:
    # By hand: columns 0 .. 3 at the top; at every level from its edge and one final column.
    assert stream_places(6, 1, 0) == [(0, 1)] * 6
    # Lookahead 64: columns 61 .. 67, so at 30 .. 33 of level 1, which needs 29 .. 34 of it.
    assert stream_places(6, 1, 64)[:2] == [(30, 33), (14, 17)]


def test_a_product_is_split_until_a_device_is_busy() -> None:
    """Spleeter's four stems, a step of one hop: the deepest layers over one axis, the first not at all."""
    net = make_net(UNetSpec(), ("a", "b", "c", "d"))
    networks = Networks(list(net.unets.values()), net.spec, CPU, torch.float32)
    n_rows = [3 * (512 >> i) for i in range(6)]
    axes = [n_split_axes(layer, n, 132) for layer, n in zip(networks.down, n_rows, strict=True)]
    assert axes == [0, 0, 1, 1, 1, 1]
    assert all(n_split_axes(layer, n, 1) == 0 for layer, n in zip(networks.down, n_rows, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize("precision", ["float32", "tf32", "float16", "bfloat16"])
def test_on_a_gpu_a_recording_does_what_its_operations_do(precision: Precision) -> None:
    gpu, net, wanted = torch.device("cuda"), make_net(UNetSpec(), ("vocals", "drums")), (1, 2)
    networks = Networks(list(net.unets.values()), net.spec, gpu, KINDS[precision])
    frames = make_frames(80, 1024)
    bound = {"float32": 1e-4, "tf32": 1e-2, "float16": 1e-2, "bfloat16": 1e-1}[precision]
    with torch.no_grad():
        streams = [StreamedNetworks(networks, 1024, 1, 1, (wanted,), 0.0) for _ in range(2)]
        column = torch.zeros(1, 2, 1, 1024, device=gpu)
        logits = torch.zeros(2, 1, 2, 1, 1024, device=gpu)

        def step() -> None:
            made = streams[0].push(column, wanted)
            assert made is not None
            logits.copy_(made)

        lane = Lane(gpu)
        recorded = lane.record(step, precision)
        streams[0].reset()
        for end in range(1, 81):
            column.copy_(torch.from_numpy(frames[:, end - 1 : end])[None])
            torch.cuda.synchronize()
            lane.do(recorded)
            lane.finish()
            directly = streams[1].push(column, wanted)
            assert directly is not None
            torch.testing.assert_close(net.masks(logits), net.masks(directly), rtol=0, atol=bound)
    expected = whole_window(net, ("vocals", "drums"), frames, 80, *wanted)
    np.testing.assert_allclose(net.masks(logits)[:, 0].cpu().numpy(), expected, rtol=0, atol=bound)
