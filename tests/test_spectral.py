"""The spectral stream: transparent, as late as it says, and blind to how the input is cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tiny_separator import cut, make_card, make_net, noise, transparent_stream

from rtsep.arithmetic import MaskPlan
from rtsep.dsp.masks import follow
from rtsep.errors import UsageError
from rtsep.spectral import SpectralSeparator, SpectralStream
from rtsep.stream import Options, Schedule


@pytest.mark.parametrize("update_hops", [1, 2, 3, 4, 8, 64])
@pytest.mark.parametrize("lookahead_frames", [0, 1, 8])
def test_a_transparent_model_returns_the_input_as_late_as_declared(
    update_hops: int, lookahead_frames: int
) -> None:
    stream = transparent_stream(update_hops, lookahead_frames)
    late = 4096 + 1024 * (update_hops - 1) + 1024 * lookahead_frames
    assert stream.latency_samples == late
    n_samples = 2 * 1024 * update_hops + 9000
    mixture = noise(n_samples)
    got = np.concatenate([*(stream.process(part) for part in cut(mixture, 700)), stream.flush()], axis=2)
    assert got.shape == (1, 2, n_samples + late)
    assert not got[0, :, :late].any()
    np.testing.assert_allclose(got[0, :, late:], mixture, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("update_hops", "lookahead_frames"), [(1, 0), (2, 3), (8, 0)])
def test_a_click_comes_back_at_the_declared_sample(update_hops: int, lookahead_frames: int) -> None:
    stream = transparent_stream(update_hops, lookahead_frames)
    mixture = np.zeros((2, 40_000), np.float32)
    mixture[:, 5001] = 1
    got = stream.process(mixture)[0, 0]
    assert int(np.argmax(np.abs(got))) == 5001 + stream.latency_samples
    assert stream.latency.parts == {
        "synthesis window": 4096,
        "update": 1024 * (update_hops - 1),
        "lookahead": 1024 * lookahead_frames,
        "pipeline": 0,
    }
    assert stream.update_samples == 1024 * update_hops


@pytest.mark.parametrize("synthesis_hops", [2, 3, 4])
@pytest.mark.parametrize(("update_hops", "lookahead_frames"), [(1, 0), (2, 3), (64, 0)])
def test_a_shorter_synthesis_is_as_transparent_and_that_much_earlier(
    update_hops: int, lookahead_frames: int, synthesis_hops: int
) -> None:
    stream = transparent_stream(update_hops, lookahead_frames, synthesis_hops)
    late = 1024 * (synthesis_hops + update_hops - 1 + lookahead_frames)
    assert stream.latency.parts["synthesis window"] == 1024 * synthesis_hops
    assert stream.latency_samples == late
    mixture = noise(2 * 1024 * update_hops + 9000)
    got = np.concatenate([*(stream.process(part) for part in cut(mixture, 700)), stream.flush()], axis=2)
    assert not got[0, :, :late].any()
    np.testing.assert_allclose(got[0, :, late:], mixture, rtol=0, atol=1e-5)


def tiny_stream(schedule: Schedule | None) -> SpectralStream:
    card = make_card(("vocals", "rest"), extension="top_band")
    return SpectralSeparator(card, make_net(card), Options("cpu")).open_stream(schedule)


@pytest.mark.parametrize("size", [1, 64, 65, 512, 513, 0])
@pytest.mark.parametrize("schedule", [Schedule(64, 2, 3), Schedule(64, 5), None])
def test_how_the_input_is_cut_makes_no_difference(size: int, schedule: Schedule | None) -> None:
    mixture = noise(2500)
    at_once = tiny_stream(schedule)
    expected = np.concatenate((at_once.process(mixture), at_once.flush()), axis=2)
    stream = tiny_stream(schedule)
    parts = [stream.process(part) for part in cut(mixture, size)]
    np.testing.assert_array_equal(np.concatenate([*parts, stream.flush()], axis=2), expected)


def test_what_was_returned_stays_as_it_is() -> None:
    stream = tiny_stream(Schedule(64, 2))
    returned = [stream.process(part) for part in cut(noise(4000), 100)]
    copies = [block.copy() for block in returned]
    stream.process(noise(4000, seed=1))
    for block, copy in zip(returned, copies, strict=True):
        np.testing.assert_array_equal(block, copy)


def test_reset_is_a_fresh_stream() -> None:
    stream = tiny_stream(Schedule(64, 2, 1))
    first = stream.process(noise(3000))
    stream.process(noise(777, seed=1))
    stream.reset()
    np.testing.assert_array_equal(stream.process(noise(3000)), first)


@pytest.mark.parametrize(
    ("all_stems", "wanted", "ran"),
    [
        (("vocals", "rest"), ("vocals",), {"vocals"}),
        (("vocals", "rest"), ("rest",), {"vocals"}),
        (("vocals", "rest"), ("rest", "vocals"), {"vocals"}),
        (("vocals", "drums", "bass"), ("drums",), {"drums"}),
        (("vocals", "drums", "bass"), ("bass", "vocals"), {"bass", "vocals"}),
    ],
)
def test_direct_masks_run_only_what_they_need(
    all_stems: tuple[str, ...], wanted: tuple[str, ...], ran: set[str]
) -> None:
    card = make_card(all_stems)
    for broken in all_stems:
        net = make_net(card)
        for parameter in net.unets[broken].parameters():
            parameter.data.fill_(torch.nan)  # where it runs, it shows
        separator = SpectralSeparator(card, net, Options("cpu", mask="direct", stems=wanted))
        stems = separator.open_stream(Schedule(64, 2)).process(noise(1000))
        assert np.isnan(stems).any() == (broken in ran)
        assert separator.stems == wanted


def test_ratio_masks_need_every_network() -> None:
    plan = MaskPlan(make_card(("vocals", "drums", "bass")), "ratio", "zeros", ("drums",))
    assert plan.instruments == ("vocals", "drums", "bass")


def test_direct_masks_of_a_softmax_are_refused_with_the_reason() -> None:
    card = make_card(("vocals", "rest"), type="unet.softmax_unet")
    with pytest.raises(UsageError, match="softmax model, whose masks need the networks of all 2 stems"):
        MaskPlan(card, "direct", "zeros", ("vocals",))


@pytest.mark.parametrize("mask", ["ratio", "direct"])
def test_a_complement_is_what_the_networks_leave(mask: str) -> None:
    card = make_card(("vocals", "drums", "rest"), ("vocals", "drums"))
    plan = MaskPlan(card, mask, "zeros", card.stems)  # type: ignore[arg-type]
    said = np.random.default_rng(0).uniform(0, 0.7, (2, 2, 3, 64)).astype(np.float32)
    magnitude = np.ones((2, 3, 64), np.float32)
    left = np.maximum(1 - said.astype(np.float64).sum(axis=0), 0)
    every = np.concatenate((said, left[None]))
    expected = every if mask == "direct" else every**2 / (every**2).sum(axis=0)
    got = follow(plan.recipe, said, magnitude)
    assert got.shape == (3, 2, 3, 129)
    np.testing.assert_allclose(got[..., :64], expected, atol=1e-6)
    assert (left == 0).any()


def test_threads_change_nothing() -> None:
    card = make_card(("vocals", "rest"))  # T is BATCH_FRAMES: enough for threads
    mixture = noise(3 * card.n_frames * card.hop_samples)
    results, before = [], torch.get_num_threads()
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        try:
            stream = SpectralSeparator(card, make_net(card), Options("cpu")).open_stream(None)
        finally:
            torch.set_num_threads(before)
        results.append(np.concatenate((stream.process(mixture), stream.flush()), axis=2))
    np.testing.assert_allclose(results[1], results[0], rtol=0, atol=1e-6)


def test_the_summary_says_what_is_done() -> None:
    separator = SpectralSeparator(make_card(("vocals", "rest")), None, Options("cpu", extension="top_band"))  # type: ignore[arg-type]
    assert separator.summary == "tiny: ratio masks up to 11 kHz, above it top_band, float32 on cpu"


@pytest.mark.parametrize("update_hops", [1, 2])
@pytest.mark.parametrize(("synthesis_hops", "lookahead_frames"), [(None, 0), (2, 3)])
def test_what_is_skipped_is_missing_and_leaves_no_trace(
    update_hops: int, synthesis_hops: int | None, lookahead_frames: int
) -> None:
    mixture = noise(6000)
    schedule = Schedule(None, update_hops, lookahead_frames, synthesis_hops)
    whole, holed = tiny_stream(schedule), tiny_stream(schedule)
    expected = whole.process(mixture)
    got = np.concatenate(
        [
            holed.process(mixture[:, :2000]),
            holed.skip(mixture[:, 2000:3500]),
            holed.process(mixture[:, 3500:]),
        ],
        axis=2,
    )
    missing = np.isnan(got)
    assert (missing == missing[:1, :1]).all()
    np.testing.assert_array_equal(got[~missing], expected[~missing])
    where = np.flatnonzero(missing[0, 0])
    hop = make_card(("a",)).hop_samples
    n_window = (synthesis_hops or 4) * hop
    assert 2000 <= where[0] < 2000 + update_hops * hop
    assert 3500 - update_hops * hop <= where[-1] < 3500 + update_hops * hop + n_window
    assert len(where) == 1 + where[-1] - where[0]


def test_a_stream_that_begins_with_a_skip_is_right_afterwards() -> None:
    mixture = noise(6000)
    whole, holed = tiny_stream(Schedule(None, 1)), tiny_stream(Schedule(None, 1))
    expected = whole.process(mixture)
    holed.skip(mixture[:, :100])
    got = holed.process(mixture[:, 100:])
    there = ~np.isnan(got)
    assert there[:, :, 1000:].all()
    np.testing.assert_array_equal(got[there], expected[:, :, 100:][there])


@pytest.mark.parametrize(("update_hops", "lookahead_frames"), [(1, 0), (2, 3), (8, 0)])
@pytest.mark.parametrize("size", [1, 64, 1000, 0])
def test_work_comes_when_it_was_said_to_be_due_and_not_before(
    update_hops: int, lookahead_frames: int, size: int
) -> None:
    stream = transparent_stream(update_hops, lookahead_frames)
    n_works = count_works(stream)
    for part in cut(noise(20_000 if size != 1 else 3000), size):
        due, before = stream.due_samples, n_works()
        stream.process(part)
        assert (n_works() > before) == (part.shape[1] >= due)
        assert stream.due_samples >= 1


def count_works(stream: SpectralStream) -> Callable[[], int]:
    """How often the networks were shown frames."""
    times, update = [0], stream._update

    def counted(speak: Callable[[], None]) -> None:
        times[0] += 1
        update(speak)

    stream._update = counted  # type: ignore[method-assign]
    return lambda: times[0]
