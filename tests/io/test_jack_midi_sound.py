"""From a button to the sound: a JACK server, a controller, ``rtsep live``, and a client that listens."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from jack_pad import Pad, until
from jack_server import RATE_HZ, run_server
from live_session import running
from test_jack_change import Ears, closing_all

from rtsep.control.midi.ports import SEQUENCER
from rtsep.io.files import AudioWriter

pytestmark = pytest.mark.skipif(
    SEQUENCER.exists(), reason="where ALSA's sequencer is, MIDI goes through that"
)

LEVEL = 0.5
RAMP_SAMPLES = round(0.010 * RATE_HZ)
STEP = LEVEL / RAMP_SAMPLES
MUTE_FIRST = b"\x90\x24\x40"  # of configs/midi/generic.yaml


def test_a_button_is_heard_as_a_ramp_and_nothing_else(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    with AudioWriter(song, RATE_HZ, 2, subtype="FLOAT") as writer:
        writer.write(np.full((2, 60 * RATE_HZ), LEVEL, np.float32))  # all of it is the middle
    with run_server() as server:
        ears = Ears(server, "ears", 2)
        options = ["-m", "midside", "--output", "device:ears", "--midi", "hand", "--no-keys"]
        command = [sys.executable, "-m", "rtsep", "live", str(song), *options]
        with (
            closing_all(ears),
            Pad(server, "hand") as pad,
            running(command, server, RTSEP_CONFIG=str(tmp_path / "config")) as session,
        ):
            until(lambda: ears._blocks and ears.heard[0, -1] == LEVEL)
            until(lambda: b"\x90\x24\x7f" in pad.lit)
            for is_muted in (True, False):
                pad.say(MUTE_FIRST)
                wanted = 0.0 if is_muted else LEVEL
                until(lambda wanted=wanted: ears.heard[0, -1] == wanted)
            heard = ears.heard[0]
            session.terminate()  # killed, it would leave the server waiting
            assert session.wait(20) == 0
    first = int(np.argmax(heard == LEVEL))
    moves = np.abs(np.diff(heard[first:]))
    assert moves.max() < 1.01 * STEP
    moving = np.flatnonzero(moves)
    spans = np.split(moving, np.flatnonzero(np.diff(moving) > 1) + 1)
    assert [len(span) for span in spans] == pytest.approx([RAMP_SAMPLES, RAMP_SAMPLES], abs=1)
