"""What stands around a chain: cables and direct inputs, the fade to another chain, the limiter, and what is noted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.callback import FADE_SAMPLES
from rtsep.chain import Chain
from rtsep.desk import CROSS_FADE_S, Cable, Desk, Event, Limit, _function
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.offset import tell_block
from rtsep.tape import Tape

RATE_HZ = 8000
OFFSET = 700
CROSS_SAMPLES = round(CROSS_FADE_S * RATE_HZ)
BUSES = {MAIN: Bus((0, 1))}


def noise(*shape: int, peak: float = 0.5) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(-peak, peak, shape).astype(np.float32)


def make_desk(mixture: np.ndarray, *, mixer: Mixer | None = None, limit: Limit | None = None) -> Desk:
    """One stem that is the whole mixture, unless somebody writes something else on its tape."""
    mixer = mixer or Mixer(Mix({"a": Strip()}, BUSES), 2)
    desk = Desk(make_chain(mixer), Tape(2, 1 << 16), RATE_HZ, (0, 1), has_source=True, limit=limit)
    assert desk.source_tape is not None
    desk.source_tape.append(mixture)
    return desk


def make_chain(mixer: Mixer, offset: int = OFFSET, start: int = 0, stems: tuple[str, ...] = ("a",)) -> Chain:
    return Chain(mixer.open(stems), len(stems), offset, RATE_HZ, 80, start)


def heard(desk: Desk) -> np.ndarray:
    block = desk.sink_tape.read(0, desk.position)
    assert block is not None
    return block


def drive(desk: Desk, n_samples: int, block_samples: int = 100) -> None:
    for first in range(0, n_samples, block_samples):
        desk.call(min(block_samples, n_samples - first))


# ------------------------------------------------------------------------------------ what comes in


def test_cables_lead_from_the_card_to_mixture_and_direct_inputs_which_are_heard_at_once() -> None:
    mixer = Mixer(Mix({"a": Strip()}, BUSES, directs={"microphone": Strip(route=(2, 3), gain_db=-20.0)}), 4)
    chain = make_chain(mixer)
    fold = [Cable(c, c % 2, 0.5) for c in range(4)]
    microphone = [Cable(5, 2), Cable(5, 3)]
    desk = Desk(
        chain,
        Tape(4, 1 << 14),
        RATE_HZ,
        (0, 1),
        cables=(*fold, *microphone),
        n_card_inputs=6,
        n_card_outputs=4,
    )
    block = np.ascontiguousarray(noise(600, 6))
    played = np.full((600, 4), np.nan, np.float32)
    _function(block.ctypes.data, played.ctypes.data, 600, None, 0, desk.state_address)
    folded = np.stack((block[:, 0] + block[:, 2], block[:, 1] + block[:, 3])) / 2
    np.testing.assert_allclose(desk.input_tape.read(0, 600)[:2], folded, atol=1e-7)  # type: ignore[index]
    np.testing.assert_allclose(played[:, 2:], 0.1 * block[:, [5, 5]], atol=1e-7)
    assert not played[:, :2].any()  # the mixture is still on its way


def test_the_longest_block_is_kept_and_told_if_the_latency_does_not_allow_for_it() -> None:
    desk = make_desk(noise(2, 6000))
    for n in (64, 2048, 256):
        desk.call(n)
    longest = int(desk.state["longest_block"])
    assert longest == 2048
    times_s = np.zeros(3)
    for n, times_s[1] in (
        *((1024, 1.0), (1024, 1.0), (1024, 1.0)),  # PortAudio cuts what is much
        *((2048, 0.0), (2048, 0.0)),  # some tell no time
    ):
        _function(None, None, n, times_s.ctypes.data, 0, desk.state_address)
    assert desk.state["longest_block"] == 3072
    assert tell_block(longest, 2048) is None
    assert "output.max_block_samples: 2048" in (tell_block(longest, 1024) or "")


# ------------------------------------------------------------------------- from one chain to another


@pytest.mark.parametrize("block_samples", [1, 64, 100, 257])
def test_another_chain_fades_in_and_the_first_is_let_go_of(block_samples: int) -> None:
    mixture = noise(2, 6000)
    mixer = Mixer(Mix({"a": Strip(), "b": Strip(-math.inf)}, BUSES), 2)
    desk = make_desk(mixture, mixer=mixer)
    desk.chain.stem_tape.append(mixture)  # of the one model all is vocals,
    drive(desk, 2000, block_samples)
    after = make_chain(mixer, OFFSET - 200, 1300, ("b", "c"))
    after.stem_tape.append(
        np.concatenate((mixture, 0 * mixture))[:, 1300:]
    )  # of the other all is b, and b is silent
    assert not any(event.kind == "switch" for event in desk.new_events())
    desk.fade_to(after)
    assert not desk.has_switched()
    drive(desk, 2000, block_samples)
    assert desk.has_switched()
    assert desk.chain is after
    out = heard(desk)
    np.testing.assert_array_equal(out[:, OFFSET:2000], mixture[:, : 2000 - OFFSET])
    crossed = 2000 + CROSS_SAMPLES + block_samples
    assert not out[:, crossed:].any()
    share = 1 - (1 + np.arange(CROSS_SAMPLES)) / CROSS_SAMPLES
    expected = share * mixture[:, 2000 - OFFSET :][:, :CROSS_SAMPLES]
    np.testing.assert_allclose(out[:, 2000 : 2000 + CROSS_SAMPLES], expected, atol=1e-6)
    [switch] = [event for event in desk.new_events() if event.kind == "switch"]
    assert switch.n_samples == -200
    assert 2000 + CROSS_SAMPLES - 257 <= switch.position + OFFSET - 200 <= crossed


def test_the_same_chain_once_more_is_the_same_sound() -> None:
    mixture, mixer = noise(2, 6000), Mixer(Mix({"a": Strip()}, BUSES), 2)
    desk = make_desk(mixture, mixer=mixer)
    desk.chain.stem_tape.append(mixture)
    drive(desk, 2000)
    after = make_chain(mixer)
    after.stem_tape.append(mixture)
    desk.fade_to(after)
    drive(desk, 2000)
    assert desk.has_switched()
    np.testing.assert_array_equal(heard(desk)[:, OFFSET:], mixture[:, : 4000 - OFFSET])


def test_before_the_first_stem_of_a_late_starter_the_mixture_is_played() -> None:
    mixture, mixer = noise(2, 6000), Mixer(Mix({"a": Strip()}, BUSES), 2)
    desk = make_desk(mixture, mixer=mixer)
    desk.chain.stem_tape.append(mixture)
    drive(desk, 2000)
    after = make_chain(mixer, OFFSET, 3000)
    after.stem_tape.append(0 * mixture[:, 3000:])
    after.record["fade"] = 0.0
    desk.fade_to(after)
    drive(desk, 4000)
    np.testing.assert_allclose(heard(desk)[:, OFFSET:], mixture[:, : 6000 - OFFSET], rtol=0, atol=1.2e-7)


# ------------------------------------------------------------------------------------- the limiter


@settings(max_examples=30, deadline=None)
@given(
    loud=st.lists(st.tuples(st.integers(0, 2900), st.integers(1, 300), st.floats(0.9, 12)), max_size=4),
    lookahead=st.sampled_from([0, 1, 40, 128]),
    block_samples=st.sampled_from([1, 64, 257, 600]),
)
def test_the_limiter_holds_its_ceiling_and_leaves_alone_what_is_below(
    loud: list[tuple[int, int, float]], lookahead: int, block_samples: int
) -> None:
    mixture = noise(2, 3000, peak=0.7)
    for start, n, gain in loud:
        mixture[:, start : start + n] *= np.float32(gain)
    desk = make_desk(mixture, limit=Limit(0.75, lookahead, 0.005))
    desk.chain.stem_tape.append(mixture)
    drive(desk, 3000, block_samples)
    delay = OFFSET + lookahead
    out, inside = heard(desk)[:, delay:], mixture[:, : 3000 - delay]
    assert np.abs(out).max(initial=0) <= np.float32(0.75)
    # Linked: both channels are turned down alike, and by no more than a clipper or the release would.
    over = np.flatnonzero(np.abs(mixture[:, : 3000 - OFFSET]).max(axis=0) > 0.75)
    near = np.zeros(inside.shape[1], bool)
    for at in over:
        near[max(0, at - lookahead) : at + lookahead + round(0.005 * RATE_HZ * 20)] = True
    np.testing.assert_array_equal(out[:, ~near], inside[:, ~near])
    assert desk.state["n_limited_samples"] == len(over)


def limited(mixture: np.ndarray, ceiling: float, lookahead: int, release_s: float) -> np.ndarray:
    """The formulas of `rtsep.callback.limiter` as they stand there, sample by sample."""
    peaks = np.abs(mixture).max(axis=0)
    needs = np.concatenate((np.ones(lookahead), ceiling / np.maximum(peaks, ceiling)))
    least = [needs[n : n + lookahead + 1].min() for n in range(len(peaks))]
    release, held = math.exp(-1 / (release_s * RATE_HZ)), np.ones(lookahead + 1)
    out = np.zeros_like(mixture)
    for n in range(lookahead, len(peaks)):
        held = np.append(held[1:], min(least[n], 1 - (1 - held[-1]) * release))
        out[:, n] = held.mean() * mixture[:, n - lookahead]
    return out


@pytest.mark.parametrize("lookahead", [0, 1, 7, 128])
def test_the_limiter_is_what_its_formulas_say(lookahead: int) -> None:
    mixture = noise(2, 3000, peak=1.5)
    mixture[:, 900:1700] *= np.float32(0.2)
    mixture[:, :OFFSET] = 0
    desk = make_desk(mixture, limit=Limit(0.75, lookahead, 0.005))
    desk.chain.stem_tape.append(mixture)
    drive(desk, 3000, 97)
    wanted = limited(np.pad(mixture, ((0, 0), (OFFSET, 0)))[:, :3000], 0.75, lookahead, 0.005)
    first = OFFSET + 2 * lookahead  # what comes before the first peak is silence
    np.testing.assert_allclose(heard(desk)[:, first:], wanted[:, first:], atol=2e-6)


def test_a_limiter_with_a_lookahead_turns_down_without_corners() -> None:
    tone = np.sin(2 * np.pi * 100 * np.arange(4000) / RATE_HZ).astype(np.float32)
    mixture = np.stack((tone, tone)) * np.where(np.arange(4000) < 2000, 0.5, 2).astype(np.float32)
    gains = []
    for lookahead in (0, 80):
        desk = make_desk(mixture, limit=Limit(1.0, lookahead, 0.1))
        desk.chain.stem_tape.append(mixture)
        drive(desk, 4000)
        out, inside = heard(desk)[0, OFFSET + lookahead :], mixture[0, : 4000 - OFFSET - lookahead]
        loud = np.abs(inside) > 0.05
        gains.append(np.abs(np.diff(out[loud] / inside[loud])).max())
    assert gains[1] < 0.3 * gains[0]


def test_the_limiter_is_for_the_main_bus_alone() -> None:
    mixer = Mixer(Mix({"a": Strip(route=(2, 3))}, BUSES), 4)
    mixture = np.full((2, 2000), 3, np.float32)
    desk = make_desk(mixture, mixer=mixer, limit=Limit(0.5, 10))
    desk.chain.stem_tape.append(mixture / 3)
    drive(desk, 2000)
    out = heard(desk)[:, OFFSET + 10 :]
    np.testing.assert_array_equal(out[2:], np.float32(1))  # delayed as all, and as loud as it was
    np.testing.assert_allclose(out[:2, 10:], 0.5)


# ---------------------------------------------------------------------------------- what is noted


def test_late_spans_and_xruns_are_noted_where_they_were() -> None:
    mixture = noise(2, 6000)
    desk = make_desk(mixture)
    desk.chain.stem_tape.append(mixture[:, :1000])
    drive(desk, 2500)
    desk.chain.stem_tape.append(mixture[:, 1000:])
    _function(None, None, 100, None, 0x2, desk.state_address)
    drive(desk, 1000)
    late, xrun = sorted(desk.new_events(), key=lambda event: event.kind)
    # Late from the first chunk whose end, and a fade, was not there; till the stems were back in full.
    assert late == Event(900, "late", 2500 - OFFSET + FADE_SAMPLES - 1 - 900)
    assert late.n_samples == desk.state["n_late_samples"]
    assert xrun == Event(2500, "xrun", 0)
    assert desk.state["n_xruns"] == desk.state["n_xruns_at_start"] == 1  # within half a second
    assert list(desk.new_events()) == []


def test_a_late_span_is_told_in_parts_while_it_goes_on_and_then_as_a_whole() -> None:
    mixture = noise(2, 6000)
    desk = make_desk(mixture)
    desk.chain.stem_tape.append(mixture[:, :1000])
    drive(desk, 1500)
    assert list(desk.new_events()) == []
    told = []
    for _ in range(3):
        drive(desk, 500)
        told += desk.new_events()
        assert list(desk.new_events()) == []
    ends = [desk.position - OFFSET - n for n in (1000, 500, 0)]
    assert told == [Event(start, "late", end - start) for start, end in zip([900, *ends], ends, strict=False)]
    desk.chain.stem_tape.append(mixture[:, 1000:])
    drive(desk, 1000)
    assert list(desk.new_events()) == [Event(900, "late", int(desk.state["n_late_samples"]))]
    assert list(desk.new_events()) == []


def test_of_too_many_events_the_newest_are_told() -> None:
    desk = make_desk(noise(2, 100))
    for _ in range(3000):
        _function(None, None, 1, None, 0x1, desk.state_address)
    events = [event for event in desk.new_events() if event.kind == "xrun"]
    assert 500 < len(events) <= 1024
    assert events[-1] == Event(2999, "xrun", 0)
