"""The stream whose arithmetic is a device's against the one of the host: the same samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_separator import cut, make_card, make_net, noise

from rtsep import spectral
from rtsep.arithmetic import MaskPlan
from rtsep.dsp import masks as mask_math
from rtsep.dsp.stft import Tapers
from rtsep.errors import DeviceError, UsageError
from rtsep.nets import runner
from rtsep.nets.device import arithmetic, spectra
from rtsep.nets.device.arithmetic import N_SEGMENTS, DeviceStreams, Task
from rtsep.nets.device.recording import Mark, explained
from rtsep.nets.device.spectra import Framing
from rtsep.nets.runner import Effort, Window, open_runner
from rtsep.nets.unet import SeparationNet
from rtsep.pace import Pace, Steady
from rtsep.spectral import SpectralSeparator, SpectralStream, choose_tapers, device_stream, host_stream
from rtsep.stream import Options, Precision, Schedule
from rtsep.zoo import ModelCard

CPU = torch.device("cpu")
CARD = make_card(("vocals", "rest", "drums"), extension="top_band")
HANN = choose_tapers(CARD, None)
DEVICES = [
    CPU,
    pytest.param(
        torch.device("cuda"),
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here"),
    ),
]


class Scripted(Pace):
    """Changes at random, as often as it can."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = np.random.default_rng(seed)

    def following(self, work_s: float, hop_s: float) -> int:
        self._move(int(self._rng.integers(len(self._sizes))))
        return self.update_hops


def both(
    window: Window,
    card: ModelCard = CARD,
    mask: str = "ratio",
    stems: tuple[str, ...] = CARD.stems,
    device: torch.device = CPU,
    paces: tuple[Pace, Pace] | None = None,
    synthesis_hops: int | None = None,
) -> tuple[SpectralStream, SpectralStream]:
    """The host's and the device's."""
    net, plan = make_net(card), MaskPlan(card, mask, card.extension, stems)  # type: ignore[arg-type]
    paces = paces or (Steady(), Steady())
    networks = open_runner(net, plan.instruments, window, card.n_bins, Effort(CPU))
    tapers = choose_tapers(card, synthesis_hops)
    host = host_stream(card, plan, tapers, window, networks, paces[0])
    return host, device_stream(card, make_net(card), plan, tapers, window, Effort(device), paces[1])


def whole(stream: SpectralStream, mixture: np.ndarray, size: int = 0) -> np.ndarray:
    blocks = [stream.process(part) for part in cut(mixture, size)]
    return np.concatenate([*blocks, stream.flush()], axis=2)


WINDOWS = [Window(None, 1, 0), Window(None, 2, 5), Window(None, 3, 0), Window(64, 2, 3), Window(64, 64, 0)]


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_device_gives_the_samples_of_the_host(window: Window, device: torch.device) -> None:
    host, there = both(window, device=device)
    mixture = noise(9000)
    assert there.latency == host.latency
    expected = whole(host, mixture)
    assert expected.std() > 0.01
    np.testing.assert_allclose(whole(there, mixture), expected, rtol=0, atol=1e-5)
    there.reset()
    np.testing.assert_allclose(whole(there, mixture, 64), expected, rtol=0, atol=1e-5)
    there.close()


@pytest.mark.parametrize("extension", ["zeros", "average", "top_band"])
@pytest.mark.parametrize("mask", ["ratio", "direct"])
@pytest.mark.parametrize(("instruments", "stems"), [(2, (2, 0)), (3, (1,)), (3, (2, 1, 0)), (2, (0, 1, 2))])
def test_masks_are_those_of_the_host(
    extension: str, mask: str, instruments: int, stems: tuple[int, ...]
) -> None:
    names = ("vocals", "rest", "drums")
    card = make_card(names, tuple(names[:instruments]), extension=extension)
    plan = MaskPlan(card, mask, extension, tuple(names[i] for i in stems))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    said = rng.uniform(0, 0.7, (len(plan.instruments), 2, 5, 64)).astype(np.float32)
    magnitude = (1024 * rng.uniform(0, 1, (2, 5, 64)) ** 8).astype(np.float32)
    magnitude[:, 2] = 0  # silence, where epsilon decides
    got = spectra.follow(plan.recipe, torch.from_numpy(said), torch.from_numpy(magnitude)).numpy()
    expected = mask_math.follow(plan.recipe, said, magnitude)
    assert got.shape == expected.shape == (len(stems), 2, 5, 129)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mask", ["ratio", "direct"])
def test_a_softmax_and_a_complement_come_through(mask: str) -> None:
    names = ("vocals", "drums", "rest")
    complement = make_card(names, names[:2], mask=mask)
    for host, there in (
        both(WINDOWS[1], complement, mask, ("rest", "vocals")),
        both(WINDOWS[0], make_card(names, type="unet.softmax_unet"), "ratio", names),
    ):
        mixture = noise(5000, seed=4)
        np.testing.assert_allclose(whole(there, mixture), whole(host, mixture), rtol=0, atol=1e-5)


@given(seed=st.integers(0, 1000), update=st.integers(1, 3))
@settings(deadline=None, max_examples=10)
def test_updates_of_all_sizes_come_and_go(seed: int, update: int) -> None:
    host, there = both(Window(None, update, 7), paces=(Scripted(seed), Scripted(seed)))
    mixture = noise(4000, seed)
    np.testing.assert_allclose(whole(there, mixture), whole(host, mixture), rtol=0, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("n_segments", [0.3, 1, 2 * N_SEGMENTS + 0.5])
def test_a_recording_is_separated_as_on_the_host(n_segments: float, device: torch.device) -> None:
    net, plan = make_net(CARD), MaskPlan(CARD, "ratio", "zeros", CARD.stems)
    window = Window(CARD.n_frames, CARD.n_frames)
    host = host_stream(
        CARD, plan, HANN, window, open_runner(net, plan.instruments, window, 64, Effort(CPU)), Steady()
    )
    there = device_stream(CARD, make_net(CARD), plan, HANN, None, Effort(device), Steady())
    mixture = noise(round(n_segments * CARD.n_frames * CARD.hop_samples))
    expected = whole(host, mixture)[:, :, host.latency_samples :]
    for _ in range(2):
        got = whole(there, mixture)
        assert not got[:, :, : there.latency_samples].any()
        np.testing.assert_allclose(got[:, :, there.latency_samples :], expected, rtol=0, atol=1e-5)
        there.reset()
    there.close()


class Later:
    """A lane that does nothing before somebody waits, and then anything that its marks allow, in any order."""

    rng = np.random.default_rng(0)
    lanes: ClassVar[list[Later]] = []

    def __init__(self, device: torch.device) -> None:
        self._queue: list[tuple[list[Spot], Callable[[], None]]] = []
        self._awaited: list[Spot] = []
        self.n_given, self.n_done = 0, 0
        self.lanes.append(self)

    def record(self, work: Callable[[], None], precision: Precision) -> Callable[[], None]:
        return work

    def do(self, work: Callable[[], None]) -> None:
        self._queue.append((self._awaited, work))
        self._awaited = []
        self.n_given += 1

    def mark(self) -> Spot:
        return Spot(self, self.n_given)

    def follow(self, mark: Spot | Mark) -> None:
        if isinstance(mark, Spot):
            self._awaited.append(mark)

    def finish(self) -> None:
        self.mark().wait()

    def can_go_on(self) -> bool:
        return bool(self._queue) and all(spot.is_reached() for spot in self._queue[0][0])

    def go_on(self) -> None:
        self._queue.pop(0)[1]()
        self.n_done += 1


class Spot:
    """A mark of such a lane."""

    def __init__(self, lane: Later, number: int) -> None:
        self._lane, self._number = lane, number

    def is_reached(self) -> bool:
        return self._lane.n_done >= self._number

    def wait(self) -> None:
        while not self.is_reached():
            ready = [lane for lane in Later.lanes if lane.can_go_on()]
            ready[int(Later.rng.integers(len(ready)))].go_on()


@pytest.mark.parametrize("seed", range(8))
def test_copies_beside_the_work_wait_for_what_they_must(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, mixture = MaskPlan(CARD, "ratio", "zeros", CARD.stems), noise(3 * N_SEGMENTS * 64 * 64)
    expected = whole(device_stream(CARD, make_net(CARD), plan, HANN, None, Effort(CPU), Steady()), mixture)
    monkeypatch.setattr(Later, "rng", np.random.default_rng(seed))
    monkeypatch.setattr(Later, "lanes", [])
    monkeypatch.setattr(arithmetic, "Lane", Later)
    stream = device_stream(CARD, make_net(CARD), plan, HANN, None, Effort(CPU), Steady())
    np.testing.assert_array_equal(whole(stream, mixture), expected)


def test_a_separator_takes_the_device_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU: here one is feigned, up to the moment when it would be needed."""
    opened: list[Window | None] = []

    def on_the_cpu(
        card: ModelCard,
        net: SeparationNet,
        plan: MaskPlan,
        tapers: Tapers,
        window: Window | None,
        effort: Effort,
        pace: Pace,
    ) -> SpectralStream:
        assert effort == Effort(torch.device("cuda"), "tf32")
        opened.append(window)
        return device_stream(card, net, plan, tapers, window, Effort(CPU), pace)

    monkeypatch.setattr(runner, "choose_device", lambda device: torch.device("cuda"))
    monkeypatch.setattr(spectral, "device_stream", on_the_cpu)
    separator = SpectralSeparator(CARD, make_net(CARD), Options(precision="tf32"))
    assert "tf32 on cuda" in separator.summary
    monkeypatch.undo()
    host = SpectralSeparator(CARD, make_net(CARD), Options("cpu"))
    monkeypatch.setattr(spectral, "device_stream", on_the_cpu)
    mixture = noise(3000)
    for schedule in (None, Schedule(None, 2, 5), Schedule(64, 3, 1)):
        streams = separator.open_stream(schedule), host.open_stream(schedule)
        got, expected = (
            whole(stream, mixture)[:, :, stream.latency_samples :]  # type: ignore[arg-type]
            for stream in streams
        )
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    assert opened == [None, Window(None, 2, 5), Window(64, 3, 1)]


def test_decks_are_streams_by_themselves() -> None:
    plan = MaskPlan(CARD, "ratio", "zeros", ("vocals", "drums"))
    framing = Framing(HANN.analysis, HANN.synthesis, CARD.hop_samples, CARD.n_bins)
    task = Task(make_net(CARD), plan.instruments, plan.recipe, framing, Effort(CPU))
    decks, alone = (DeviceStreams(task, Window(None, 2, 3), (2,), n_decks=n) for n in (3, 1))
    rng = np.random.default_rng(0)
    for _ in range(20):
        samples = rng.uniform(-0.5, 0.5, (3, 2, 128)).astype(np.float32)
        got = decks.separate(samples, 2)
        assert got.shape == (2, 3, 2, 128)
        np.testing.assert_allclose(got[:, 1], alone.separate(samples[1:2], 2)[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("synthesis_hops", [2, 3])
def test_a_shorter_synthesis_is_as_early_and_the_same(synthesis_hops: int) -> None:
    host, there = both(Window(None, 2, 1), synthesis_hops=synthesis_hops)
    assert there.latency == host.latency
    assert there.latency_samples == (synthesis_hops + 1 + 1) * CARD.hop_samples
    mixture = noise(5000)
    np.testing.assert_allclose(whole(there, mixture), whole(host, mixture), rtol=0, atol=1e-5)


def test_what_is_skipped_is_missing_and_leaves_no_trace() -> None:
    mixture, got = noise(5000), []
    for stream in both(Window(None, 2, 3), synthesis_hops=2):
        parts = [
            stream.process(mixture[:, :2000]),
            stream.skip(mixture[:, 2000:3000]),
            stream.process(mixture[:, 3000:]),
        ]
        got.append(np.concatenate(parts, axis=2))
    assert np.isnan(got[0]).any()
    np.testing.assert_allclose(got[1], got[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("precision", "bound"), [("float16", 3e-3), ("bfloat16", 3e-2)])
def test_reduced_precision_stays_near_in_the_stems(precision: Precision, bound: float) -> None:
    window, plan = Window(None, 1, 0), MaskPlan(CARD, "ratio", "zeros", CARD.stems)
    exact, near = (
        device_stream(CARD, make_net(CARD), plan, HANN, window, Effort(CPU, kind), Steady())
        for kind in ("float32", precision)
    )
    mixture = noise(6000)
    difference = np.abs(whole(near, mixture) - whole(exact, mixture)).max()
    assert 1e-6 < difference < bound


def test_a_window_that_cannot_be_is_refused() -> None:
    plan = MaskPlan(CARD, "ratio", "zeros", CARD.stems)
    with pytest.raises(UsageError, match="update_hops=65 must be at most 64"):
        device_stream(CARD, make_net(CARD), plan, HANN, Window(None, 65), Effort(CPU), Steady())


def test_a_full_memory_says_what_to_do() -> None:
    with (
        pytest.raises(DeviceError, match=r"opening tiny on cpu: its memory is full.*--precision float16"),
        explained(CPU, "opening tiny"),
    ):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_another_complaint_of_a_device_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    with (
        pytest.raises(DeviceError, match=r"separating on Some GPU fails: CUDA error: launch failure\."),
        explained(torch.device("cuda"), "separating"),
    ):
        raise RuntimeError("CUDA error: launch failure\nmore lines")
    with pytest.raises(RuntimeError, match="a mistake of ours"), explained(CPU, "separating"):
        raise RuntimeError("a mistake of ours")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize("precision", ["float32", "tf32", "float16", "bfloat16"])
def test_every_precision_runs_on_a_gpu(precision: Precision) -> None:
    net = make_net(CARD)
    exact = SpectralSeparator(CARD, make_net(CARD), Options("cpu"))
    there = SpectralSeparator(CARD, net, Options("cuda", precision=precision))
    mixture = noise(20_000)
    stems = []
    for separator in (exact, there):
        stream = separator.open_stream(None)
        stems.append(whole(stream, mixture)[:, :, stream.latency_samples :])  # type: ignore[arg-type]
    bound = {"float32": 1e-5, "tf32": 3e-3, "float16": 3e-3, "bfloat16": 3e-2}[precision]
    np.testing.assert_allclose(stems[1], stems[0], rtol=0, atol=bound)
