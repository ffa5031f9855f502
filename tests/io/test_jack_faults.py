"""What is heard while something goes wrong, on a real JACK server: every sample is checked against what came in."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from heard import N_OUTPUTS, TOLERANCE, check_count, compare, faded, follow, four_stems, stems_of
from jack_server import PERIOD_SAMPLES, RATE_HZ, Desk, end_server, new_name, run_server, start_server
from live_session import Session, environment

from rtsep.io.files import read_audio

BUSY = "while True: pass"


def spans(share: np.ndarray) -> int:
    """How often the stems were left for the mixture."""
    return int((np.diff((share < 1).astype(int)) == 1).sum())


def test_a_slow_model_is_the_mixture_where_it_is_late_and_comes_back(
    model: Path, music: np.ndarray, tmp_path: Path
) -> None:
    """Ten updates that take 140 ms of the 93 that they may: the offset's reserve is used up, and regained later."""
    with run_server(2, N_OUTPUTS) as server, Desk(server, music, N_OUTPUTS) as desk:
        env = environment(server, OUTSIDE_FAULT=f"{model} {RATE_HZ // 2} 0.14x10")
        with Session(four_stems(tmp_path), env) as session:
            desk.patch()
            before = session.say("stats")
            desk.play_for(4.0)
            after = session.say("stop")
        take = compare(desk, after, tmp_path, model)
    np.testing.assert_array_equal(take.mixture, music[:, : take.mixture.shape[1]])
    check_count(take, before, after, PERIOD_SAMPLES)
    assert spans(take.share) >= 1
    assert take.share.min() == 0
    assert (take.share[-RATE_HZ // 4 :] == 1).mean() > 0.5  # it is over


def test_a_server_that_stands_still_and_a_busy_machine_lose_nothing(
    model: Path, music: np.ndarray, tmp_path: Path
) -> None:
    """A second without a server, then a second in which two others want both cores."""
    name = new_name()
    server = start_server(name, 2, N_OUTPUTS)
    env = environment(name, OUTSIDE_FAULT=f"{model} 0 0")
    busy: list[subprocess.Popen[bytes]] = []
    try:
        with Desk(name, music, N_OUTPUTS) as desk, Session(four_stems(tmp_path), env) as session:
            desk.patch()
            before = session.say("stats")
            desk.play_for(1.0)
            server.send_signal(signal.SIGSTOP)
            time.sleep(1.0)
            server.send_signal(signal.SIGCONT)
            desk.play_for(2.0)
            busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
            desk.play_for(3.0)
            end(busy)
            desk.play_for(3.3)
            after = session.say("stop")
            take = compare(desk, after, tmp_path, model)
    finally:
        end(busy)
        end_server(name, server)
    assert take.mixture.shape[1] > 2.5 * RATE_HZ
    np.testing.assert_array_equal(take.mixture, music[:, : take.mixture.shape[1]])
    check_count(take, before, after, PERIOD_SAMPLES)


def test_sound_that_is_lost_is_lost_in_mixture_and_stems_alike(
    model: Path, music: np.ndarray, tmp_path: Path
) -> None:
    """A session is held for 300 ms by a server that does not wait: a splice, and what is heard is what is recorded."""
    with run_server(2, N_OUTPUTS, waits=False) as server, Desk(server, music, N_OUTPUTS) as desk:
        env = environment(server, OUTSIDE_FAULT=f"{model} 0 0")
        with Session(four_stems(tmp_path), env) as session:
            desk.patch()
            before = session.say("stats")  # it plays by now
            desk.play_for(1.0)
            session.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            session.process.send_signal(signal.SIGCONT)
            desk.play_for(3.0)
            after = session.say("stop")
        heard = desk.recording().astype(np.float64)
    recorded, _ = read_audio(tmp_path / "mixture.wav")
    n_lead = int(np.argmax(recorded.any(axis=0)))
    came_in = follow(recorded[:, n_lead:], music, PERIOD_SAMPLES, 0.0)
    assert (
        came_in.min() >= 0
    )  # all of it is music, in whole periods; a server that does not wait may repeat some,
    assert (np.diff(came_in) != PERIOD_SAMPLES).any()  # and has left some out
    assert after["n_xruns"] > before["n_xruns"]

    offset = after["offset_samples"]
    n = recorded.shape[1] - offset  # of the rest the engine knew what came after it
    rows = stems_of(model, recorded, RATE_HZ, 4)[:, :, :n].astype(np.float64)
    stems_and_rest = np.concatenate((recorded[:, :n] - rows.sum(axis=0), faded(rows)))
    expected = np.pad(
        stems_and_rest, ((0, 0), (offset, 0))
    )  # by the card's position, in whose blocks it was heard
    played = follow(heard, expected, PERIOD_SAMPLES, TOLERANCE)
    is_found = played >= 0
    last = int(np.flatnonzero(is_found)[-1])
    assert played[last] >= expected.shape[1] - 8 * PERIOD_SAMPLES  # followed to the end
    n_late_blocks = after["n_late_blocks"] - before["n_late_blocks"]
    assert (~is_found[:last]).sum() <= n_late_blocks
    steps = np.diff(played[is_found])
    assert steps.min() >= 0
    assert (steps > PERIOD_SAMPLES).sum() < 0.05 * last  # cycles that the listener itself has missed


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Kill them, stopped ones too."""
    for process in processes:
        process.kill()
        process.wait(10)
