"""What a latency in milliseconds leaves for the model, when input and output have a clock each."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch

from rtsep.ends import Ends
from rtsep.errors import UsageError
from rtsep.io.cards import Card
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.nets.unet import SeparationNet
from rtsep.separation import (
    MOST_STREAM_S,
    Model,
    Separation,
    load_model,
    most_offset_samples,
    parts_beside,
)
from rtsep.settings import LiveSettings
from rtsep.stream import Latency
from rtsep.tape import Tape
from rtsep.tuning import Way, open_separator, untimed
from rtsep.zoo import ModelCard, NetworkCard, write_folder

RATE_HZ, HOP_SAMPLES = 44100, 1024
BLOCK = 512
CARD = Card(0, "desk", "test", 2, 2, RATE_HZ, 0.004, 0.006, True, True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(3)
    network = NetworkCard(instruments=("vocals", "rest"), conv_n_filters=(2, 2, 2, 2, 2, 2))
    card = ModelCard(name="tiny", stems=("vocals", "rest"), n_frames=64, n_bins=256, network=network)
    state = SeparationNet(network.instruments, network.unet).state_dict()
    return str(write_folder(tmp_path_factory.mktemp("models") / "tiny", card, state).path)


def make_ends(has_two_clocks: bool, *, output_rate_hz: int = RATE_HZ, jitter_s: float = 0.005) -> Ends:
    """Without a clock, so that what an update takes is not measured."""
    return Ends(None, CARD, CARD, "free", RATE_HZ, BLOCK, output_rate_hz, has_two_clocks, jitter_s)


def untuned(settings: LiveSettings) -> Model:
    """The model, of which nothing is measured."""
    way, notice = untimed(settings.model, load_model(settings))
    return Model(open_separator(settings.model, way), way, notice)


def parts_of(model: str, latency_ms: float, ends: Ends, **groups: dict) -> dict[str, int]:
    """All that is between input and output, by parts."""
    tree = {"model": {"name": model, "update_hops": 1, "latency": latency_ms}}
    settings = LiveSettings().with_overrides(tree).with_overrides(groups)
    loaded = untuned(settings)
    mixer = Mixer(Mix({name: Strip() for name in loaded.separator.stems}, {MAIN: Bus((0, 1))}), 2)
    with closing(Separation(settings, loaded, ends, mixer, Tape(2, 1 << 16))) as separation:
        parts: Latency = separation.latency
        return {**parts.parts, **parts_beside(settings, ends)}


@pytest.mark.parametrize("latency_ms", [100.0, 130.0, 200.0, 400.0])
@pytest.mark.parametrize("jitter_s", [0.005, 0.02])
@pytest.mark.parametrize("output_rate_hz", [RATE_HZ, 96000])
def test_milliseconds_are_kept_with_two_clocks_and_used_to_the_last_hop(
    model: str, latency_ms: float, jitter_s: float, output_rate_hz: int
) -> None:
    ends = make_ends(True, output_rate_hz=output_rate_hz, jitter_s=jitter_s)
    parts = parts_of(model, latency_ms, ends)
    left = latency_ms / 1000 * RATE_HZ - sum(parts.values()) - ends.card_latency_s * RATE_HZ
    is_all = parts["lookahead"] == 8 * HOP_SAMPLES and parts["synthesis window"] == 2048
    assert 0 <= left < HOP_SAMPLES * (3 if is_all else 1)  # the longer window takes two hops at once
    assert parts["block"] == 0  # it is in what the follower needs, and not twice
    ratio = RATE_HZ / output_rate_hz
    assert parts["two clocks"] > BLOCK * ratio + jitter_s * RATE_HZ


def test_two_clocks_take_their_part_from_what_the_model_may_spend(model: str) -> None:
    jitter_s = 1.5 * HOP_SAMPLES / RATE_HZ
    one, two = (parts_of(model, 150, make_ends(has_two, jitter_s=jitter_s)) for has_two in (False, True))
    assert one["two clocks"] == 0
    assert one["block"] == BLOCK
    assert 0 < one["lookahead"] - two["lookahead"] <= two["two clocks"]


def test_too_few_milliseconds_are_refused_with_what_two_clocks_need(model: str) -> None:
    with pytest.raises(UsageError, match=r"latency 60 ms cannot be had .* \+ two clocks 1\d\.\d, .*10\.0 ms"):
        parts_of(model, 60, make_ends(True))
    parts_of(model, 80, make_ends(True))


def test_an_engine_knows_its_own_helpers_and_not_those_of_another(model: str) -> None:
    settings = LiveSettings().with_overrides({"model": {"name": model, "update_hops": 1}})
    loaded = load_model(settings)
    way = Way(update_hops=1, n_threads=2)
    two = Model(open_separator(settings.model, way), way, None)
    mixer = Mixer(Mix({name: Strip() for name in loaded.stems}, {MAIN: Bus((0, 1))}), 2)
    tape, ends = Tape(2, 1 << 16), make_ends(False)
    with (
        closing(Separation(settings, two, ends, mixer, tape)) as first,
        closing(Separation(settings, two, ends, mixer, tape)) as second,
    ):
        helpers = [[thread for thread in s.engine.helpers if thread.is_alive()] for s in (first, second)]
        assert [len(threads) for threads in helpers] == [1, 1]
        assert helpers[0] != helpers[1]


@pytest.mark.parametrize("compute_ms", [None, 0.0, 5000.0])
@pytest.mark.parametrize("has_two_clocks", [False, True])
def test_the_input_tape_reaches_back_as_far_as_any_settings_ask(
    model: str, compute_ms: float | None, has_two_clocks: bool
) -> None:
    ends = Ends(None, CARD, CARD, "free", RATE_HZ, 65536, RATE_HZ, has_two_clocks)
    longest = {"update_hops": 64, "lookahead_frames": 256, "synthesis_hops": 4}
    tree = {
        "model": {"name": model, **longest},
        "mixer": {"limiter": {"lookahead_ms": 10}},
        "output": {"compute_ms": compute_ms, "max_block_samples": 65536},
    }
    settings = LiveSettings().with_overrides(tree)
    loaded = untuned(settings)
    mixer = Mixer(Mix({name: Strip() for name in loaded.separator.stems}, {MAIN: Bus((0, 1))}), 2)
    with closing(Separation(settings, loaded, ends, mixer, Tape(2, 1 << 16))) as separation:
        offset = separation.latency.total_samples + sum(parts_beside(settings, ends).values())
    assert offset <= most_offset_samples(settings, ends)
    assert most_offset_samples(settings, ends) < offset + (MOST_STREAM_S + 1.5) * RATE_HZ


def test_settings_that_ask_for_more_are_refused() -> None:
    """The memory is derived from these limits."""
    for beyond in ({"update_hops": 65}, {"lookahead_frames": 257}, {"synthesis_hops": 5}):
        with pytest.raises(UsageError):
            LiveSettings().with_overrides({"model": beyond})
