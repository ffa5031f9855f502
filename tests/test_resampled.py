"""A stream at another rate: aligned to the sample, never later than it says."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_separator import cut, make_card, make_net, noise

from rtsep.dsp.polyphase import kernel_taps
from rtsep.resampled import ResampledStream
from rtsep.spectral import SpectralSeparator
from rtsep.stream import Audio, Latency, Options, Schedule

LATE = 5120


class Delay:
    """A separator of one stem, which is the mixture."""

    stems = ("all",)
    latency_samples = LATE
    update_samples = 1024
    due_samples = 1

    def __init__(self, rate_hz: int) -> None:
        self.latency = Latency(rate_hz, {"delay": LATE})
        self.reset()

    def prepare(self) -> None:
        """Nothing to make."""

    def reset(self) -> None:
        self._kept = np.zeros((2, LATE), np.float32)

    def process(self, block: Audio) -> Audio:
        samples = np.concatenate((self._kept, block), axis=1)
        self._kept = samples[:, block.shape[1] :]
        return samples[None, :, : block.shape[1]]

    def flush(self) -> Audio:
        return self.process(np.zeros((2, LATE), np.float32))

    def close(self) -> None:
        """Nothing to let go."""


def chirp(n_samples: int, rate_hz: int) -> np.ndarray:
    """From 100 Hz to 3 kHz, faded in and out: any error of a sample would show."""
    seconds = np.arange(n_samples) / rate_hz
    length_s = n_samples / rate_hz
    phase = 2 * np.pi * (100 * seconds + (3000 - 100) / (2 * length_s) * seconds**2)
    tone = 0.5 * np.sin(phase) * np.sin(np.pi * seconds / length_s) ** 2
    return np.tile(tone.astype(np.float32), (2, 1))


@pytest.mark.parametrize(
    ("inner_hz", "rate_hz"),
    [
        (44100, 48000),
        (44100, 96000),
        (44100, 192000),
        (48000, 44100),
        (96000, 44100),
        (44100, 32000),
        (44100, 22050),
        (44100, 8000),
    ],
)
def test_the_stem_is_the_mixture_as_late_as_declared_for_twenty_seconds(inner_hz: int, rate_hz: int) -> None:
    stream = ResampledStream(Delay(inner_hz), inner_hz, rate_hz)
    late = stream.latency_samples
    assert late == stream.latency.total_samples > LATE * rate_hz / inner_hz
    mixture = chirp(20 * rate_hz + 17, rate_hz)
    parts = [stream.process(part) for part in cut(mixture, 2047)]
    got = np.concatenate([*parts, stream.flush()], axis=2)[0]
    assert got.shape[1] == mixture.shape[1] + late
    assert not got[:, :late].any()
    np.testing.assert_allclose(got[:, late:], mixture, atol=2e-6)


@pytest.mark.parametrize(
    ("inner_hz", "rate_hz"), [(44100, 48000), (48000, 44100), (44100, 192000), (44100, 8000)]
)
def test_it_declares_the_lags_of_its_kernels_and_no_more(inner_hz: int, rate_hz: int) -> None:
    stream = ResampledStream(Delay(inner_hz), inner_hz, rate_hz)
    there, back = (kernel_taps(max(1, a / b)) / 2 for a, b in ((rate_hz, inner_hz), (inner_hz, rate_hz)))
    assert stream.latency_samples == int((back + LATE) * rate_hz / inner_hz + there)
    stream.process(noise(10 * rate_hz))
    assert stream._ready.shape[1] <= rate_hz // inner_hz + 1  # one less, and this block had come up short


@pytest.mark.parametrize("size", [1, 64, 65, 512, 513, 0])
def test_how_the_input_is_cut_makes_no_difference(size: int) -> None:
    card = make_card(("vocals", "rest"))
    separator = SpectralSeparator(card, make_net(card), Options("cpu"))
    mixture = noise(3000)
    results = []
    for parts in ([mixture], cut(mixture, size)):
        stream = ResampledStream(separator.open_stream(Schedule(64, 4)), 44100, 48000)
        results.append(np.concatenate([*map(stream.process, parts), stream.flush()], axis=2))
    np.testing.assert_array_equal(*results)


def test_reset_is_a_fresh_stream() -> None:
    stream = ResampledStream(Delay(44100), 44100, 48000)
    first = np.concatenate((stream.process(noise(9000)), stream.flush()), axis=2)
    stream.reset()
    np.testing.assert_array_equal(
        np.concatenate((stream.process(noise(9000)), stream.flush()), axis=2), first
    )


class Grid(Delay):
    """Works at every thousandth sample."""

    UPDATE = 1000

    def reset(self) -> None:
        super().reset()
        self.n_fed = 0

    @property
    def due_samples(self) -> int:
        return self.UPDATE - self.n_fed % self.UPDATE

    def process(self, block: Audio) -> Audio:
        self.n_fed += block.shape[1]
        return super().process(block)


@pytest.mark.parametrize("rate_hz", [22050, 48000, 96000])
@pytest.mark.parametrize("size", [1, 64, 441, 0])
def test_no_work_comes_before_it_was_said_to_be_due(rate_hz: int, size: int) -> None:
    """And it is not said to be due long before: soxr keeps some samples back, but no more than its lag."""
    inner = Grid(44100)
    stream = ResampledStream(inner, 44100, rate_hz)
    for part in cut(noise(30_000 if size != 1 else 5000), size):
        due, before = stream.due_samples, inner.n_fed // Grid.UPDATE
        stream.process(part)
        if inner.n_fed // Grid.UPDATE > before:
            assert part.shape[1] >= due
    assert 1 <= stream.due_samples <= Grid.UPDATE * rate_hz / 44100 + 1
