"""The tape machine: what lies on the source tape is the right sample of the file, and no splice clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtsep.errors import UsageError
from rtsep.io.files import AudioReader, AudioWriter
from rtsep.tape import Tape
from rtsep.transport import SPLICE_SAMPLES, Transport

RATE_HZ = 8000
N_SAMPLES = 5 * RATE_HZ


class Machine:
    """A transport over a file, whose listener hears everything `delay` samples after it was written."""

    def __init__(self, path: Path, file: np.ndarray, file_rate_hz: int = RATE_HZ, delay: int = 0) -> None:
        with AudioWriter(path, file_rate_hz, 2, subtype="FLOAT") as writer:
            writer.write(file)
        self.tape = Tape(2, 20 * RATE_HZ)
        self.transport = Transport(AudioReader(path), self.tape, RATE_HZ, lambda: self.tape.written - delay)

    def play(self, n_samples: int) -> None:
        self.transport.fill(self.tape.written + n_samples)

    @property
    def played(self) -> np.ndarray:
        block = self.tape.read(0, self.tape.written)
        assert block is not None
        return block


def ramp(n_samples: int = N_SAMPLES) -> np.ndarray:
    """A file whose samples say where they stand."""
    return np.tile(np.arange(1, n_samples + 1, dtype=np.float32) / n_samples, (2, 1))


def sine(rate_hz: int = RATE_HZ, n_samples: int = N_SAMPLES) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * 60 * np.arange(n_samples) / rate_hz)
    return np.tile(wave.astype(np.float32), (2, 1))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "ramp.wav", ramp())


def test_the_tape_is_the_file_and_its_end_is_exact(machine: Machine) -> None:
    machine.play(N_SAMPLES + 1000)
    np.testing.assert_array_equal(machine.played[:, :N_SAMPLES], ramp())
    assert not machine.played[:, N_SAMPLES:].any()
    assert machine.transport.end == N_SAMPLES
    assert machine.transport.position_s == machine.transport.duration_s == 5.0


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize(("rate_hz", "atol"), [(RATE_HZ, 0), (6000, 1e-6)])
def test_it_begins_where_another_has_stood(tmp_path: Path, rate_hz: int, atol: float, paused: bool) -> None:
    whole = Machine(tmp_path / "whole.wav", sine(rate_hz, 5 * rate_hz), rate_hz)
    whole.play(N_SAMPLES)
    machine = Machine(tmp_path / "part.wav", sine(rate_hz, 5 * rate_hz), rate_hz)
    start = round(1.234 * RATE_HZ)
    machine.transport.begin_at(1.234, paused=paused, loop_s=(0.5, 1.5))
    if paused:
        machine.play(500)
        assert machine.transport.position_s == pytest.approx(1.234)
        assert not machine.played.any()
        machine.transport.pause(False)
    n_before, n_to_loop_end = 500 * paused, round(1.5 * RATE_HZ) - start
    machine.play(n_to_loop_end - SPLICE_SAMPLES)
    played = machine.played[:, n_before + SPLICE_SAMPLES : n_before + n_to_loop_end]
    expected = whole.played[:, start + SPLICE_SAMPLES : start + n_to_loop_end]
    np.testing.assert_allclose(played, expected, atol=atol)
    assert np.abs(machine.played[0, n_before]) < 1e-6  # no click
    machine.play(1)
    assert machine.transport.loop_s == (0.5, 1.5)
    assert machine.transport.position_s == pytest.approx(0.5, abs=2 * SPLICE_SAMPLES / RATE_HZ)


@pytest.mark.parametrize("delta_s", [2.0, -0.5, 100.0, -100.0])
def test_a_seek_lands_on_the_sample(machine: Machine, delta_s: float) -> None:
    machine.play(RATE_HZ)
    machine.transport.seek(delta_s)
    machine.play(2000)
    target = min(max(0, RATE_HZ + round(delta_s * RATE_HZ)), N_SAMPLES)
    file = np.pad(ramp(), ((0, 0), (0, 4000)))
    after = slice(SPLICE_SAMPLES, SPLICE_SAMPLES + 2000)
    landed = machine.played[:, RATE_HZ : RATE_HZ + SPLICE_SAMPLES + 2000][:, after]
    np.testing.assert_array_equal(landed[:, :1700], file[:, target:][:, after][:, :1700])


def test_two_presses_before_the_first_is_heard_are_two_jumps(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "ramp.wav", ramp(), delay=RATE_HZ)
    machine.play(2 * RATE_HZ)  # one second is heard
    machine.transport.seek(1.0)
    machine.transport.seek(1.0)
    machine.play(2 * RATE_HZ)
    at = 2 * RATE_HZ + 2 * SPLICE_SAMPLES
    # From 1 s to 2 s; there a splice is played, from whose end it is one second more.
    expected = ramp()[:, 3 * RATE_HZ + 2 * SPLICE_SAMPLES :]
    np.testing.assert_array_equal(machine.played[:, at : at + 2000], expected[:, :2000])
    assert machine.transport.position_s == pytest.approx(
        (machine.tape.written - RATE_HZ) / RATE_HZ + 1, abs=0.1
    )


def test_a_loop_is_as_long_as_it_says_and_can_be_left(machine: Machine) -> None:
    machine.transport.loop(1.0, 1.5)
    assert machine.transport.loop_s == (1.0, 1.5)
    machine.play(3 * RATE_HZ)
    half = RATE_HZ // 2
    for start in (RATE_HZ + half, 2 * RATE_HZ, 2 * RATE_HZ + half):
        inside = slice(start + SPLICE_SAMPLES, start + half)
        expected = ramp()[:, RATE_HZ + SPLICE_SAMPLES : RATE_HZ + half]
        np.testing.assert_array_equal(machine.played[:, inside], expected)
    machine.transport.loop(None, None)
    machine.play(RATE_HZ)
    assert machine.transport.position_s == pytest.approx(2.0, abs=0.6)
    assert machine.transport.loop_s is None


def test_a_loop_to_the_end_of_the_file_goes_on(machine: Machine) -> None:
    machine.transport.loop(4.0, 100.0)
    machine.play(8 * RATE_HZ)
    assert machine.transport.end is None
    assert machine.played[0, -1] > 0


def test_a_loop_must_have_a_length(machine: Machine) -> None:
    with pytest.raises(UsageError, match=r"0\.1 s behind the start"):
        machine.transport.loop(1.0, 1.05)


def test_pause_is_silence_and_loses_nothing(machine: Machine) -> None:
    machine.play(RATE_HZ)
    machine.transport.pause(True)
    machine.transport.pause(True)
    machine.play(RATE_HZ)
    stood_s = machine.transport.position_s
    machine.play(RATE_HZ)
    assert machine.transport.paused
    assert machine.transport.position_s == stood_s == pytest.approx(1 + SPLICE_SAMPLES / RATE_HZ)
    start = machine.tape.written
    machine.transport.pause(False)
    machine.play(RATE_HZ)
    assert not machine.played[:, RATE_HZ + SPLICE_SAMPLES : start].any()
    expected = ramp()[:, RATE_HZ + 2 * SPLICE_SAMPLES :]
    np.testing.assert_array_equal(
        machine.played[:, start + SPLICE_SAMPLES : start + 5000], expected[:, : 5000 - SPLICE_SAMPLES]
    )


controls = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), st.floats(-6, 6)),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("loop"), st.floats(0, 4.5)),
        st.tuples(st.just("play"), st.floats(0.01, 0.6)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(controls)
def test_nothing_clicks(tmp_path: Path, moves: list) -> None:
    machine = Machine(tmp_path / "sine.wav", sine())
    for name, value in moves:
        if name == "play":
            machine.play(round(value * RATE_HZ))
        elif name == "loop":
            machine.transport.loop(value, value + 0.3)
        else:
            getattr(machine.transport, name)(value)
    machine.play(1000)
    at_end = 0 if machine.transport.end is None else machine.transport.end
    jumps = np.abs(np.diff(machine.played, axis=1))
    jumps[:, max(0, at_end - 2) : at_end + 1] = 0  # the file may end as it likes
    slope = 0.5 * 2 * np.pi * 60 / RATE_HZ  # the steepest of the sine; a fade adds its own
    assert jumps.max() <= 2 * slope + 1.5 / SPLICE_SAMPLES
    assert len(machine.played[0]) == machine.tape.written


@pytest.mark.parametrize("file_rate_hz", [11025, 7350, 16000])
def test_a_file_of_another_rate_is_converted_and_seeks_to_the_sample(
    tmp_path: Path, file_rate_hz: int
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, (2, 4 * file_rate_hz)).astype(np.float32)
    machine = Machine(tmp_path / "other.wav", noise, file_rate_hz)
    expected = soxr.resample(np.ascontiguousarray(noise.T), file_rate_hz, RATE_HZ, quality="HQ").T
    machine.play(RATE_HZ)
    machine.transport.seek(1.3)
    machine.play(2 * RATE_HZ)
    played, start = machine.played, RATE_HZ + SPLICE_SAMPLES
    np.testing.assert_allclose(played[:, :RATE_HZ], expected[:, :RATE_HZ], atol=1e-5)
    end = machine.transport.end
    assert end is not None
    target = round(2.3 * RATE_HZ) + SPLICE_SAMPLES
    assert end - start == expected.shape[1] - target
    np.testing.assert_allclose(played[:, start:end], expected[:, target:], atol=1e-5)
