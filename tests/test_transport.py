"""The tape machine, as the callback plays it: every sample is the right one of the file, and no splice clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_desk import small_desk

from rtsep.callback.records import SPLICE_SAMPLES
from rtsep.errors import UsageError
from rtsep.io.files import AudioReader, AudioWriter
from rtsep.transport import AHEAD_S, SOON_S, Transport

RATE_HZ = 8000
N_SAMPLES = 5 * RATE_HZ
AHEAD, SOON = round(AHEAD_S * RATE_HZ), round(SOON_S * RATE_HZ)
BLOCK = 100


class Machine:
    """A transport over a file, and a card that plays it; heard is everything `delay` samples later."""

    def __init__(
        self,
        path: Path,
        file: np.ndarray,
        file_rate_hz: int = RATE_HZ,
        *,
        delay: int = 0,
        ahead: int = AHEAD,
    ) -> None:
        with AudioWriter(path, file_rate_hz, 2, subtype="FLOAT") as writer:
            writer.write(file)
        self.desk, self.ahead = small_desk(RATE_HZ), ahead
        assert self.desk.reels is not None
        self.transport = Transport(
            AudioReader(path),
            self.desk.reels,
            RATE_HZ,
            lambda: self.desk.position,
            lambda: self.desk.position - delay,
        )

    @property
    def position(self) -> int:
        return self.desk.position

    def play(self, n_samples: int, *, reads: bool = True) -> None:
        end = self.position + n_samples
        while (n := min(BLOCK, end - self.position)) > 0:
            if reads:
                self.transport.fill(self.position + max(n, self.ahead))
            self.desk.call(n)

    @property
    def played(self) -> np.ndarray:
        assert self.desk.state["n_starved_samples"] == 0
        block = self.desk.input_tape.read(0, self.position)
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
    first = round(1.234 * RATE_HZ)
    machine.transport.begin_at(1.234, paused=paused, loop_s=(0.5, 1.5))
    if paused:
        machine.play(500)
        assert machine.transport.position_s == pytest.approx(1.234)
        assert not machine.played.any()
        machine.transport.pause(False)
    start, n_to_loop_end = (500 + SOON) * paused, round(1.5 * RATE_HZ) - first
    machine.play(start + n_to_loop_end - machine.position)
    played = machine.played[:, start + SPLICE_SAMPLES :]
    np.testing.assert_allclose(
        played, whole.played[:, first + SPLICE_SAMPLES :][:, : played.shape[1]], atol=atol
    )
    assert np.abs(machine.played[0, start]) <= 1 / SPLICE_SAMPLES  # no click
    assert machine.transport.loop_s == (0.5, 1.5)
    assert machine.transport.position_s == pytest.approx(0.5)


@pytest.mark.parametrize("delta_s", [2.0, -0.5, 100.0, -100.0])
def test_a_seek_lands_on_the_sample_and_is_heard_soon(machine: Machine, delta_s: float) -> None:
    machine.play(RATE_HZ)
    machine.transport.seek(delta_s)
    machine.play(2000)
    start, target = RATE_HZ + SOON, min(max(0, RATE_HZ + round(delta_s * RATE_HZ)), N_SAMPLES)
    file = np.pad(ramp(), ((0, 0), (0, 4000)))
    np.testing.assert_array_equal(machine.played[:, :start], file[:, :start])
    landed = machine.played[:, start + SPLICE_SAMPLES :]
    np.testing.assert_array_equal(landed, file[:, target + SPLICE_SAMPLES :][:, : landed.shape[1]])


@pytest.mark.parametrize("n_between", [0, SOON + 1, SOON + SPLICE_SAMPLES + 1, RATE_HZ // 2])
def test_two_presses_before_the_first_is_heard_are_two_jumps(tmp_path: Path, n_between: int) -> None:
    """Whether the card has seen the first one, is fading to it, or plays it."""
    machine = Machine(tmp_path / "ramp.wav", ramp(), delay=RATE_HZ)
    machine.play(2 * RATE_HZ)  # one second is heard
    machine.transport.seek(1.0)
    machine.play(n_between)
    machine.transport.seek(1.0)
    machine.play(RATE_HZ)
    start, target = 2 * RATE_HZ + n_between + SOON, 3 * RATE_HZ
    after = 2 * SPLICE_SAMPLES  # of the first and of the second
    expected = ramp()[:, target + after : target + after + 2000]
    np.testing.assert_array_equal(machine.played[:, start + after : start + after + 2000], expected)
    machine.play(RATE_HZ)
    assert machine.transport.position_s == pytest.approx(3 + (machine.position - RATE_HZ - start) / RATE_HZ)


@pytest.mark.parametrize("n_between", [0, 10, 2 * SOON])
def test_a_jump_that_is_not_heard_yet_is_not_forgotten_for_another_control(
    machine: Machine, n_between: int
) -> None:
    transport = machine.transport
    machine.play(4000)
    transport.seek(2.0)
    machine.play(n_between)
    transport.loop(1.0, 4.0)
    machine.play(n_between)
    transport.pause(True)
    machine.play(n_between)
    transport.pause(False)
    machine.play(4000)
    last = machine.played[0, -1] * N_SAMPLES
    assert last == pytest.approx(4000 + 2 * RATE_HZ + machine.position - 4000, abs=4 * SOON + 2 * n_between)


def test_a_place_is_gone_to_whatever_is_not_heard_yet(machine: Machine) -> None:
    machine.play(4000)
    for position_s in (3.0, 1.0, 1.5):
        machine.transport.seek_to(position_s)
    machine.play(2000)
    assert machine.played[0, -1] * N_SAMPLES == pytest.approx(1.5 * RATE_HZ + 2000 - SOON, abs=2)


@pytest.mark.parametrize("n_before", [50, 700])
def test_a_pause_just_before_the_end_of_a_loop_goes_on_there(machine: Machine, n_before: int) -> None:
    """More was read already: the start of the loop is on the tape behind it."""
    transport = machine.transport
    transport.loop(0.25, 0.75)
    machine.play(6000 - SOON - n_before)
    transport.pause(True)
    machine.play(2000)
    transport.pause(False)
    machine.play(SOON + 500 + 700)
    place = 6000 - n_before + 500 + 700
    expected = place if place < 6000 else place - 4000
    assert machine.played[0, -1] * N_SAMPLES == pytest.approx(expected, abs=2)


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
    assert machine.transport.loop_s is None
    machine.play(2 * RATE_HZ)
    left = machine.played[
        :, 3 * RATE_HZ + SPLICE_SAMPLES :
    ]  # by now it goes round once more: that is forgotten
    np.testing.assert_array_equal(left, ramp()[:, RATE_HZ + SPLICE_SAMPLES :][:, : left.shape[1]])


@pytest.mark.parametrize(("end_s", "n_on"), [(1.2, RATE_HZ // 5), (0.9, SOON)])
def test_a_loop_is_kept_though_more_was_read_already(machine: Machine, end_s: float, n_on: int) -> None:
    """At its end, or as soon as can be if that is over."""
    machine.play(RATE_HZ)
    machine.transport.loop(0.5, end_s)
    machine.play(RATE_HZ // 3)
    start = RATE_HZ + n_on
    np.testing.assert_array_equal(machine.played[:, :start], ramp()[:, :start])
    back = machine.played[:, start + SPLICE_SAMPLES :]
    np.testing.assert_array_equal(back, ramp()[:, RATE_HZ // 2 + SPLICE_SAMPLES :][:, : back.shape[1]])


def test_a_loop_to_the_end_of_the_file_goes_on(machine: Machine) -> None:
    machine.transport.loop(4.0, 100.0)
    machine.play(8 * RATE_HZ)
    assert machine.transport.end is None
    assert machine.played[0, -1] > 0


def test_a_loop_must_have_a_length(machine: Machine) -> None:
    with pytest.raises(UsageError, match=r"0\.1 s behind the start"):
        machine.transport.loop(1.0, 1.05)


def test_a_file_that_stands_still_is_left_alone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.play(1000)
    with monkeypatch.context() as patch:
        for name in ("seek", "read"):
            patch.delattr(AudioReader, name)
        machine.transport.pause(True)
        machine.play(1000)
        machine.transport.seek_to(2.0)
        machine.transport.loop(1.0, 3.0)
        machine.play(500)
    machine.transport.pause(False)
    machine.play(1000)
    assert machine.played[0, -500] == ramp()[0, 2 * RATE_HZ + 500 - SOON]


def test_pause_is_silence_and_loses_nothing(machine: Machine) -> None:
    machine.play(RATE_HZ)
    machine.transport.pause(True)
    machine.transport.pause(True)
    machine.play(RATE_HZ)
    stood_s = machine.transport.position_s
    machine.play(RATE_HZ)
    assert machine.transport.paused
    assert machine.transport.position_s == stood_s == pytest.approx(1 + SOON_S)
    silent, start = RATE_HZ + SOON + SPLICE_SAMPLES, machine.position + SOON
    machine.transport.pause(False)
    machine.play(RATE_HZ)
    assert not machine.played[:, silent:start].any()
    again = machine.played[:, start + SPLICE_SAMPLES :]
    np.testing.assert_array_equal(again, ramp()[:, silent:][:, : again.shape[1]])


def test_controls_that_come_at_once_all_count(machine: Machine) -> None:
    """Though the card has seen none of them when the next one comes."""
    machine.play(RATE_HZ)
    machine.transport.seek(1.0)
    machine.transport.loop(0.5, 2.5)
    machine.transport.pause(True)
    machine.play(1000)
    assert machine.transport.position_s == pytest.approx(2.0)
    machine.transport.pause(False)
    machine.transport.loop(None, None)
    start = machine.position + SOON
    machine.play(RATE_HZ)
    after = machine.played[:, start + SPLICE_SAMPLES :]
    np.testing.assert_array_equal(after, ramp()[:, 2 * RATE_HZ + SPLICE_SAMPLES :][:, : after.shape[1]])


@pytest.mark.parametrize("control", ["none", "seek", "pause", "loop"])
def test_for_half_a_second_nobody_needs_to_read(machine: Machine, control: str) -> None:
    """So long may the disk or the machine be busy; what a control leaves ready lasts till somebody reads again."""
    machine.play(RATE_HZ)
    if control == "seek":
        machine.transport.seek(1.0)
    elif control == "loop":
        machine.transport.loop(0.5, 0.9)
    elif control == "pause":
        machine.transport.pause(True)
        machine.play(SOON + SPLICE_SAMPLES)
        machine.transport.pause(False)
    if control != "none":
        machine.play(SOON + SPLICE_SAMPLES, reads=False)
    machine.transport.fill(machine.position + AHEAD)
    machine.play(AHEAD, reads=False)
    assert machine.played[0, RATE_HZ:].all() == (control != "pause")
    machine.play(SOON + SPLICE_SAMPLES, reads=False)
    assert machine.desk.state["n_starved_samples"] > 0


def test_a_reel_that_comes_too_late_is_faded_in_at_once(machine: Machine) -> None:
    machine.play(RATE_HZ)
    assert machine.desk.reels is not None
    reel = machine.desk.reels.free()
    reel.restart(RATE_HZ - 50)
    reel.tape.append(np.full((2, 1000), -1, np.float32))
    machine.desk.reels.hand_over(reel)
    machine.play(500, reads=False)
    share = np.minimum(1, np.arange(1, 501) / SPLICE_SAMPLES)
    expected = (1 - share) * ramp()[0, RATE_HZ : RATE_HZ + 500] - share
    np.testing.assert_allclose(machine.played[0, RATE_HZ:], expected, atol=1e-6)


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
@given(controls, st.sampled_from([0, AHEAD]))
def test_nothing_clicks(tmp_path: Path, moves: list, ahead: int) -> None:
    machine = Machine(tmp_path / "sine.wav", sine(), ahead=ahead)
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
    played, start = machine.played, RATE_HZ + SOON + SPLICE_SAMPLES
    np.testing.assert_allclose(played[:, :RATE_HZ], expected[:, :RATE_HZ], atol=1e-5)
    end = machine.transport.end
    assert end is not None
    target = round(2.3 * RATE_HZ) + SPLICE_SAMPLES
    assert end - start == expected.shape[1] - target
    np.testing.assert_allclose(played[:, start:end], expected[:, target:], atol=1e-5)
