"""The compiled callback, driven without a card, against a model of it in plain numpy."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.callback import CHUNK_SAMPLES, FADE_SAMPLES
from rtsep.chain import Chain
from rtsep.desk import Cable, Desk, Limit, _function
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.tape import Tape

RATE_HZ = 8000
OFFSET = 700
N_STEMS = 2
N_SAMPLES = 12_000
# Every stem goes to outputs of its own, residual and fallback to the first two.
STRIPS = {"a": Strip(route=(2, 3)), "b": Strip(route=(4, 5))}


MAIN_ONLY = {MAIN: Bus((0, 1))}


def make_mixer(strips: dict[str, Strip] = STRIPS, **options: object) -> Mixer:
    return Mixer(Mix(strips, MAIN_ONLY), 6, **options)  # type: ignore[arg-type]


def make_desk(
    mixture: np.ndarray,
    mixer: Mixer | None = None,
    *,
    offset: int = OFFSET,
    ramp_samples: int = 80,
    limit: Limit | None = None,
    start: int = 0,
    n_card_outputs: int = 0,
) -> Desk:
    """The stems a and b of a mixture that comes from a source tape."""
    coefficients = (mixer or make_mixer()).open(("a", "b"))
    chain = Chain(coefficients, N_STEMS, offset, RATE_HZ, ramp_samples, start)
    tape = Tape(2, 1 << 18)
    desk = Desk(chain, tape, RATE_HZ, (0, 1), n_card_outputs=n_card_outputs, has_source=True, limit=limit)
    assert desk.source_tape is not None
    desk.source_tape.append(mixture)
    return desk


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(-0.5, 0.5, shape).astype(np.float32)


@dataclass
class Script:
    """What happens: which blocks, how far the stems are at each, when the mixture alone is wanted."""

    blocks: list[int]
    stems_written: list[int]
    bypass: list[bool]
    stems: np.ndarray  # (4, samples), with holes


def write_script(rng: np.random.Generator, block_samples: int) -> Script:
    """Spans of all lengths in which stems are late, not finite, or not wanted."""
    blocks = list(block_lengths(rng, block_samples))
    positions = np.cumsum([0, *blocks])
    stems = noise(rng, 2 * N_STEMS, N_SAMPLES)
    for start in rng.integers(0, N_SAMPLES - 400, 6):
        length = rng.choice([1, 63, 64, 300])
        stems[rng.integers(2 * N_STEMS), start : start + length] = rng.choice([np.nan, np.inf, -np.inf])
    late_samples = spans(rng, N_SAMPLES, lambda: int(rng.choice([0, 0, FADE_SAMPLES - 1, 200, 900])))
    bypass = spans(rng, N_SAMPLES, lambda: int(rng.random() < 0.2))
    written, so_far = [], 0
    for block, position in zip(blocks, positions, strict=False):
        needed = position + block - OFFSET + FADE_SAMPLES
        so_far = max(so_far, min(position, int(needed - late_samples[position])))
        written.append(max(so_far, 0))
    return Script(blocks, written, [bool(bypass[p]) for p in positions[:-1]], stems)


def block_lengths(rng: np.random.Generator, block_samples: int) -> Iterator[int]:
    left = N_SAMPLES
    while left:
        block = min(left, block_samples or int(rng.choice([1, 2, 63, 64, 65, 255, 256, 257, 700])))
        yield block
        left -= block


def spans(rng: np.random.Generator, n: int, draw: object) -> np.ndarray:
    out, at = np.zeros(n, int), 0
    while at < n:
        length = int(rng.integers(20, 1500))
        out[at : at + length] = draw()  # type: ignore[operator]
        at += length
    return out


@dataclass
class Model:
    """What the callback promises, one sample at a time."""

    fade: float = 1.0
    is_late: bool = False
    n_late: int = 0
    fades: list[float] = field(default_factory=list)

    def block(self, script: Script, index: int) -> None:
        left, first = script.blocks[index], sum(script.blocks[:index]) - OFFSET
        while left:
            n = min(left, CHUNK_SAMPLES)
            self.chunk(script, index, first, n)
            first, left = first + n, left - n

    def chunk(self, script: Script, index: int, first: int, n: int) -> None:
        end = first + n + FADE_SAMPLES
        is_there = script.stems_written[index] >= end
        ready = is_there and bool(np.isfinite(script.stems[:, max(first, 0) : max(end, 0)]).all())
        wants_stems = ready and not script.bypass[index]
        self.is_late = not script.bypass[index] and (self.is_late or not ready)
        for position in range(first, first + n):
            self.fade = min(1.0, max(0.0, self.fade + (1 if wants_stems else -1) / FADE_SAMPLES))
            self.is_late = self.is_late and self.fade < 1
            if position >= 0:
                self.n_late += self.is_late
                self.fades.append(self.fade)


@pytest.mark.parametrize("block_samples", [1, 64, 65, 512, 513, 0])
def test_every_sample_is_the_stem_or_inside_a_counted_span_the_mixture(block_samples: int) -> None:
    rng = np.random.default_rng(block_samples)
    mixture, script, model = noise(rng, 2, N_SAMPLES), write_script(rng, block_samples), Model()
    desk = make_desk(mixture)
    n_late_blocks = 0
    for index, block in enumerate(script.blocks):
        desk.chain.stem_tape.append(
            script.stems[:, desk.chain.stem_tape.written : script.stems_written[index]]
        )
        desk.state["bypass"] = script.bypass[index]
        before = model.n_late
        desk.call(block)
        model.block(script, index)
        n_late_blocks += model.n_late > before
        assert desk.state["n_late_samples"] == model.n_late
        assert desk.chain.is_late == model.is_late
    assert desk.state["n_late_blocks"] == n_late_blocks
    assert desk.state["n_blocks"] == len(script.blocks)
    assert 0 < model.n_late < N_SAMPLES - OFFSET
    check_outputs(desk, mixture, script.stems, np.array(model.fades, np.float32))


def check_outputs(desk: Desk, mixture: np.ndarray, stems: np.ndarray, fades: np.ndarray) -> None:
    outputs = desk.sink_tape.read(0, N_SAMPLES)
    assert outputs is not None
    assert not outputs[:, :OFFSET].any()
    main, stem_outputs = outputs[:2, OFFSET:], outputs[2:, OFFSET:]
    mixture, stems = mixture[:, :-OFFSET], stems[:, :-OFFSET]
    whole = fades == 1
    assert 0.05 < whole.mean() < 0.95
    np.testing.assert_array_equal(stem_outputs[:, whole], stems[:, whole])
    np.testing.assert_array_equal(main[:, fades == 0], mixture[:, fades == 0])
    np.testing.assert_array_equal(stem_outputs[:, fades == 0], 0)
    expected = np.where(fades > 0, stems, 0) * fades  # a stem that is not finite is never touched
    np.testing.assert_allclose(stem_outputs, expected, rtol=0, atol=1e-7)
    total = main.astype(np.float64) + stem_outputs[:2] + stem_outputs[2:]
    np.testing.assert_allclose(total, mixture, rtol=0, atol=1.2e-7)


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 3000),
    holes=st.lists(st.tuples(st.integers(0, 6000), st.sampled_from([1, 64, 700])), max_size=4),
    moves=st.lists(
        st.tuples(
            st.one_of(st.integers(0, 6000), st.integers(-130, 130).map(lambda n: f"by {n}")),
            st.sampled_from([1, 63, 64, 65, 300]),
            st.integers(0, 2000),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_wherever_a_follower_jumps_what_is_heard_is_the_mixture_by_stems_or_as_it_is(
    start: int, holes: list[tuple[int, int]], moves: list[tuple[int | str, int, int]]
) -> None:
    """Also to where stems are missing, are not made yet, or never were: before the first ones of a chain."""
    rng = np.random.default_rng(start)
    mixture = noise(rng, 2, 8000)
    stems = np.concatenate((0.25 * mixture, 0.5 * mixture))
    for at, n in holes:
        stems[:, at : at + n] = np.nan
    desk = make_desk(mixture, start=start, n_card_outputs=6)
    play(desk, 8000)
    position = start + OFFSET
    for move, n, n_made in moves:
        written = desk.chain.stem_tape.written
        desk.chain.stem_tape.append(stems[:, written : written + n_made])
        position += int(move[3:]) if isinstance(move, str) else move - position
        position = max(0, min(position, 8000 - n))
        desk.state["position"] = position
        played = play(desk, n)
        expected = np.zeros((2, n), np.float32)
        n_early = min(n, max(0, OFFSET - position))
        expected[:, n_early:] = mixture[:, position + n_early - OFFSET : position + n - OFFSET]
        np.testing.assert_allclose(played.reshape(n, 3, 2).sum(axis=1).T, expected, rtol=0, atol=1e-6)
        position += n
    assert np.isfinite(desk.chain.levels_dbfs()).all()


def play(desk: Desk, n_samples: int) -> np.ndarray:
    """What the card gets."""
    played = np.full((n_samples, 6), np.nan, np.float32)
    _function(None, played.ctypes.data, n_samples, None, 0, desk.state_address)
    return played


def test_stems_that_are_there_from_the_start_are_never_late() -> None:
    rng = np.random.default_rng(1)
    desk = make_desk(noise(rng, 2, N_SAMPLES))
    desk.chain.stem_tape.append(noise(rng, 4, N_SAMPLES))
    for _ in range(20):
        desk.call(500)
    assert desk.state["n_late_samples"] == desk.state["n_late_blocks"] == 0


def test_what_is_not_a_number_does_not_get_in() -> None:
    mixture = np.ones((2, 1000), np.float32)
    mixture[:, 100:103] = np.array([np.nan, np.inf, -np.inf])
    desk = make_desk(mixture, offset=0)
    desk.call(1000)
    mixture[:, 100:103] = 0
    np.testing.assert_array_equal(desk.input_tape.read(0, 1000), mixture)
    assert np.isfinite(desk.levels_dbfs()).all()
    assert np.isfinite(desk.chain.levels_dbfs()).all()


def test_a_meter_falls_again_after_what_no_meter_can_show() -> None:
    mixture = np.full((2, 16_000), 1e-3, np.float32)
    mixture[:, 100:103] = np.float32(1e30)  # its square is more than a float32 can be
    desk = make_desk(mixture, offset=0)
    desk.call(16_000)
    _, rms_dbfs = desk.levels_dbfs()
    assert rms_dbfs[:2] == pytest.approx([-60, -60], abs=0.1)


def test_a_source_that_runs_dry_is_silent_and_counted() -> None:
    desk = make_desk(np.ones((2, 300), np.float32), offset=0)
    desk.call(1000)
    assert desk.state["n_starved_samples"] == 700
    assert desk.sink_tape.written == desk.position == 1000
    heard = desk.sink_tape.read(0, 1000)
    assert heard is not None
    assert not heard[:, 300:].any()


def test_a_card_is_read_from_and_written_to() -> None:
    coefficients = Mixer(Mix({"a": Strip()}, {MAIN: Bus((2, 0))}), 3).open(("a",))
    chain = Chain(coefficients, 1, 64, RATE_HZ, 0)
    cables = (Cable(3, 0), Cable(1, 1))
    desk = Desk(chain, Tape(2, 1 << 14), RATE_HZ, (2, 0), cables=cables, n_card_inputs=4, n_card_outputs=5)
    block = np.arange(4 * 600, dtype=np.float32).reshape(600, 4) / 4096
    played = np.full((600, 5), np.nan, np.float32)
    flags = 0x2  # the card says: input overflow
    _function(block.ctypes.data, played.ctypes.data, 600, None, flags, desk.state_address)
    np.testing.assert_array_equal(desk.input_tape.read(0, 600), block[:, [3, 1]].T)
    expected = np.zeros((600, 5), np.float32)
    expected[64:, [2, 0]] = block[:-64, [3, 1]]  # no stem was made: the mixture, to the main bus 3, 1
    np.testing.assert_array_equal(played, expected)
    assert desk.state["n_xruns"] == 1


def play_constant_stem(mixer: Mixer, desk: Desk, gains_db: list[float], blocks: list[int]) -> np.ndarray:
    """A stem of ones while its fader moves: what is heard is the gain."""
    desk.chain.stem_tape.append(
        np.array([[1], [1], [0], [0]], np.float32).repeat(sum(blocks) + FADE_SAMPLES, axis=1)
    )
    for gain_db, block in zip(gains_db, blocks, strict=True):
        mixer.edit("strips", "a", gain_db=gain_db)
        desk.call(block)
    heard = desk.sink_tape.read(0, sum(blocks))
    assert heard is not None
    return heard[2]


@pytest.mark.parametrize("ramp_samples", [1, 80, 400])
def test_gains_never_step(ramp_samples: int) -> None:
    rng = np.random.default_rng(ramp_samples)
    mixer = make_mixer()
    n_total = 40_000
    desk = make_desk(np.ones((2, n_total), np.float32), mixer, offset=0, ramp_samples=ramp_samples)
    blocks = [int(n) for n in rng.choice([1, 64, 65, 512], 200)]
    gains_db = [float(db) for db in rng.choice([-math.inf, -12, -3, 0, 6], 200)]
    heard = play_constant_stem(mixer, desk, gains_db, blocks).astype(np.float64)
    largest_gain = 10 ** (6 / 20)
    assert np.abs(np.diff(heard)).max() <= largest_gain / ramp_samples + 1e-6
    assert np.ptp(heard) == pytest.approx(largest_gain, rel=1e-5)


def test_a_ramp_is_a_line_that_ends_exactly_where_it_should() -> None:
    mixer = make_mixer()
    desk = make_desk(np.ones((2, 2000), np.float32), mixer, offset=0, ramp_samples=300)
    heard = play_constant_stem(mixer, desk, [0.0, -7.3, -7.3], [100, 150, 500])
    target = np.float32(10 ** (-7.3 / 20))
    # The third block begins a ramp anew, from where the second had got to.
    half_way = 1 + (target - 1) * 150 / 300
    np.testing.assert_allclose(heard[100:250], np.linspace(1, half_way, 151)[1:], atol=2e-6)
    np.testing.assert_allclose(heard[250:550], np.linspace(half_way, target, 301)[1:], atol=2e-6)
    np.testing.assert_array_equal(heard[549:], target)


@pytest.mark.parametrize("block_samples", [1, 64, 513])
def test_meters_agree_with_a_plain_model(block_samples: int) -> None:
    n_samples, amplitude = 2 * RATE_HZ, 0.25
    tone = amplitude * np.sin(2 * np.pi * 441 * np.arange(n_samples) / RATE_HZ)
    desk = make_desk(np.tile(tone.astype(np.float32), (2, 1)), offset=0)
    stems = np.stack([tone, tone / 10, np.zeros(n_samples), np.zeros(n_samples)]).astype(np.float32)
    desk.chain.stem_tape.append(stems)
    for _ in range((n_samples - FADE_SAMPLES) // block_samples):
        desk.call(block_samples)
    peak_dbfs, rms_dbfs = desk.chain.levels_dbfs()
    outputs_dbfs, _ = desk.levels_dbfs()
    level_dbfs = 20 * math.log10(amplitude)
    sine_dbfs = -10 * math.log10(2)
    assert peak_dbfs[:2] == pytest.approx([level_dbfs, level_dbfs - 20], abs=0.1)
    assert rms_dbfs[:2] == pytest.approx([level_dbfs + sine_dbfs, level_dbfs - 20 + sine_dbfs], abs=0.1)
    assert (peak_dbfs[2:4] <= -119).all()
    # The residual and the main bus hold the tone less stem a: 0 on the left, 0.9 on the right.
    right_dbfs = level_dbfs + 20 * math.log10(0.9)
    for left, right in (peak_dbfs[4:6], outputs_dbfs[:2]):
        assert left <= -119
        assert right == pytest.approx(right_dbfs, abs=0.1)


def test_the_callback_runs_while_the_interpreter_is_busy() -> None:
    desk = make_desk(np.zeros((2, 100), np.float32))
    interval_s = sys.getswitchinterval()
    thread = threading.Thread(target=desk.call, args=(20_000_000,))  # one call of several seconds
    thread.start()
    while desk.state["position"] == 0:
        pass
    sys.setswitchinterval(1000)  # from here on no other thread gets the interpreter
    try:
        before = int(desk.state["position"])
        for _ in range(2_000_000):
            if desk.state["position"] > before + 100_000:
                break
        after = int(desk.state["position"])
    finally:
        sys.setswitchinterval(interval_s)
    thread.join()
    assert before < after < 20_000_000
    assert after > before + 100_000
