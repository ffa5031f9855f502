"""What controllers ask for in vain is counted, also of those that are gone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jack_pad import Pad, until
from jack_server import run_server

sys.path.insert(0, str(Path(__file__).parents[1] / "control"))
from session import StillSession

from rtsep.control.midi.controllers import Controllers
from rtsep.control.midi.ports import SEQUENCER

pytestmark = pytest.mark.skipif(
    SEQUENCER.exists(), reason="where ALSA's sequencer is, MIDI goes through that"
)
LAST_PROGRAM = b"\xc0\x0f"  # the sixteenth scene, of which there are fewer


def test_what_was_refused_stays_counted_when_the_controller_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    said: list[str] = []
    with run_server() as server:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", server)
        with Controllers(StillSession(None), ["pad"], said.append) as controllers:
            for n_refused in (3, 6):  # each of them, though a reason is told once
                with Pad(server, "pad") as pad:
                    until(lambda: controllers.names != [])
                    pad.say(*[LAST_PROGRAM] * 3)
                    until(lambda n=n_refused: controllers.counts["n_refused"] == n)
                until(lambda: controllers.names == [])
        assert controllers.counts == {"n_refused": 6, "n_failed": 0}
