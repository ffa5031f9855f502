"""Where sound goes and how late, on a real JACK server: clicks, direct inputs, buses, and a cable around the card."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from heard import N_OUTPUTS, heard_share
from jack_server import Desk, run_server
from live_session import Session, environment, running

from rtsep.card_latency import RoundTrip, read_round_trips

TOLERANCE = 2e-6


def clicks(duration_s: float, rate_hz: int) -> np.ndarray:
    """A click every 50 to 150 ms, no two of one height: silence else."""
    rng = np.random.default_rng(2)
    sound = np.zeros((2, round(duration_s * rate_hz)), np.float32)
    at = np.cumsum(rng.integers(rate_hz // 20, rate_hz // 7, 100))
    sound[:, at[at < sound.shape[1]]] = rng.uniform(0.1, 0.9, int((at < sound.shape[1]).sum()))
    return sound


@pytest.mark.parametrize(("rate_hz", "period_samples", "lookahead_ms"), [(44100, 64, 0.0), (48000, 512, 3.0)])
def test_a_click_is_as_late_as_declared(
    model: Path, rate_hz: int, period_samples: int, lookahead_ms: float
) -> None:
    """Offset and adapter, to the sample, with the short window and with a limiter that looks ahead."""
    settings = {
        "input": {"source": "device:system"},
        "model": {"name": str(model), "latency": "low", "update_hops": 1, "precision": "float32"},
        "mixer": {"limiter": {"lookahead_ms": lookahead_ms}},
        "output": {"sink": "device:system", "max_block_samples": 512},
    }
    played = clicks(1.2, rate_hz)
    with run_server(2, 2, period_samples, rate_hz=rate_hz) as server, Desk(server, played, 2) as desk:
        with Session(settings, environment(server)) as session:
            desk.patch()
            session.say("stats")  # it plays by now
            desk.play_for(2.0)
            stats = session.say("stop")
        heard = desk.recording()
    assert desk.n_gaps == 0
    assert stats["latency_ms"]["limiter"] == pytest.approx(lookahead_ms, abs=0.02)
    assert stats["latency_ms"]["synthesis window"] == pytest.approx(1000 * 2048 / 44100, abs=0.1)
    delay = stats["latency_samples"]
    n = heard.shape[1] - delay
    assert n > 0.7 * rate_hz
    # Stems and residual are the mixture at every instant, and so are the main bus' clicks.
    np.testing.assert_allclose(heard[:, delay:], np.pad(played, ((0, 0), (0, n)))[:, :n], atol=TOLERANCE)
    assert np.abs(heard[:, :delay]).max() < TOLERANCE


def test_direct_inputs_cue_and_balance_are_where_they_should_be(music: np.ndarray) -> None:
    """Side on the main bus and to cue, mid on 3-4 with a balance, a microphone on 7-8, a guitar on the main bus."""
    settings = {
        "input": {"source": "device:system"},
        "model": {"name": "midside"},
        "mixer": {
            "stems": {
                "mid": {"route": [3, 4], "pan": 0.5, "gain_db": -6.0},
                "side": {"gain_db": -3.0, "cue": True, "invert": True},
            },
            "direct": {
                "microphone": {"channels": [3], "route": [7, 8], "gain_db": -20.0},
                "guitar": {"channels": [4]},
            },
            "buses": {"cue": {"channels": [5, 6], "gain_db": -10.0}},
            "limiter": None,
        },
        "output": {"sink": "device:system"},
    }
    hands = np.random.default_rng(3).uniform(-0.3, 0.3, (2, music.shape[1])).astype(np.float32)
    with (
        run_server(4, 8) as server,
        Desk(server, np.concatenate((music, hands)), 8) as desk,
        Session(settings, environment(server)) as session,
    ):
        desk.patch()
        session.say("stats")  # it plays by now
        desk.play_for(1.5)
        stats = session.say("stop")
        heard = desk.recording().astype(np.float64)
    assert desk.n_gaps == 0
    card = stats["latency_samples"] - stats["offset_samples"]  # what a direct input is late by
    delay = stats["latency_samples"]
    n = int(np.flatnonzero(heard[6])[-1]) - delay  # until the session was over
    assert n > 44100
    left, right = music[:, :n].astype(np.float64)
    mid, side = (left + right) / 2, (left - right) / 2
    microphone, guitar = hands.astype(np.float64)
    np.testing.assert_allclose(
        heard[6:8, card : card + n], np.tile(0.1 * microphone[:n], (2, 1)), atol=TOLERANCE
    )

    of_stems = heard[:, delay : delay + n]
    now = guitar[delay - card :][:n]  # what is played now, while the music of a while ago is heard
    mids = 10 ** (-6 / 20) * np.stack((0.5 * mid, mid))
    share = heard_share(of_stems[2:4], mids)
    assert (share == 1).mean() > 0.5
    known = ~np.isnan(share)
    np.testing.assert_allclose(of_stems[2:4, known], (share * mids)[:, known], atol=TOLERANCE)
    cue = -(10 ** (-10 / 20)) * np.stack((side, -side))  # before the fader
    np.testing.assert_allclose(of_stems[4:6, known], (share * cue)[:, known], atol=TOLERANCE)
    sides = -(10 ** (-3 / 20)) * np.stack((side, -side))
    main = share * sides + (1 - share) * np.stack((left, right)) + now
    np.testing.assert_allclose(of_stems[:2, known], main[:, known], atol=TOLERANCE)


def test_a_cable_around_the_card_is_measured_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """JACK closes a loop with one period of delay, which no port reports: that is what must be found."""
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    period_samples = 128
    command = [sys.executable, "-m", "rtsep", "live", "--measure-latency"]
    command += ["--input", "device:system", "--output", "device:system"]
    settings = {
        "input": {"source": "device:system"},
        "model": {"name": "midside"},
        "output": {"sink": "device:system"},
    }
    with run_server(2, N_OUTPUTS, period_samples) as server:
        with running(command, server) as process:
            close_loop(server)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        ((_, found),) = read_round_trips().items()
        assert found == RoundTrip(samples=period_samples, reported_samples=found.reported_samples)
        assert f"{period_samples} samples (2.9 ms)" in said
        with Session(settings, environment(server)) as session:
            stats = session.say("stop")
    assert stats["latency_ms"]["card measured"] == pytest.approx(1000 * period_samples / 44100)
    assert not {"card input", "card output"} & set(stats["latency_ms"])
    assert stats["latency_samples"] == stats["offset_samples"] + period_samples


def close_loop(server: str) -> None:
    """Connect the first output of the session with its first input, as a cable would."""
    jack = pytest.importorskip("jack")
    client = jack.Client("cable", servername=server, no_start_server=True)
    until_s = time.monotonic() + 60
    try:
        while time.monotonic() < until_s:
            outs = client.get_ports("^PortAudio:", is_audio=True, is_output=True)
            ins = client.get_ports("^PortAudio:", is_audio=True, is_input=True)
            if outs and ins:
                client.connect(outs[0], ins[0])
                return
            time.sleep(0.02)
        pytest.fail("no session appeared on the JACK server")
    finally:
        client.close()
