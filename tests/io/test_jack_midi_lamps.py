"""The lights of controllers on a real MIDI system, when they are not wanted any more: they go out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
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

#: What the generic map says to the pads that mute and solo the four stems, and those of strips without one.
LAMPS = [bytes((0x90, note)) for note in range(36, 52)]
LIT, DARK = b"\x7f", b"\x00"
PEDAL_DOWN = b"\xb0\x40\x7f"


def shown(pad: Pad) -> dict[bytes, bytes]:
    """Lamp to what it was told last."""
    return {data[:2]: data[2:] for data in list(pad.lit)}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    with run_server() as name:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
        yield name


def is_dark(pad: Pad) -> bool:
    """Whether all lights were told to go out."""
    return set(shown(pad)) >= set(LAMPS) and set(shown(pad).values()) == {DARK}


def test_all_lights_are_out_after_the_end(server: str) -> None:
    with Pad(server, "pad") as pad:
        with Controllers(StillSession(None), ["pad"], lambda text: None):
            until(lambda: shown(pad).get(LAMPS[0]) == LIT)
        until(lambda: is_dark(pad))


def test_all_lights_at_a_virtual_port_are_out_after_the_end(server: str) -> None:
    session = StillSession(None)
    with Pad(server, "pad") as pad:
        with Controllers(session, [], lambda text: None, "rtsep control"):
            pad.hear("rtsep control-01:out")  # JACK numbers a client's second name

            def is_lit() -> bool:  # by what is said once the cable is there
                session.board["/stem/drums/solo"] = not session.board["/stem/drums/solo"]
                return LIT in shown(pad).values()

            until(is_lit)
        until(lambda: is_dark(pad))


def test_a_light_that_another_map_lacks_goes_out(server: str) -> None:
    session = StillSession(None)
    with Pad(server, "pad") as pad, Controllers(session, ["pad"], lambda text: None):
        until(lambda: shown(pad).get(LAMPS[0]) == LIT)
        session.board["/midi/learn"] = "/scene/recall=karaoke"
        pad.say(b"\x90\x24\x40", b"\x90\x24\x00")
        until(lambda: "note 36" in str(session.board["/midi/learned"]))
        until(lambda: shown(pad)[LAMPS[0]] == DARK)
        assert shown(pad)[LAMPS[1]] == LIT


SESSION = """
import sys
sys.path[:0] = sys.argv[1:]
from session import StillSession
from rtsep.control.midi.controllers import Controllers

with Controllers(StillSession(None), ["pad"], lambda text: None):
    print("there", flush=True)
    sys.stdin.read()
"""


def test_the_lights_of_a_session_that_is_killed_go_out(server: str) -> None:
    control = str(Path(__file__).parents[1] / "control")
    with Pad(server, "pad") as pad:
        session = subprocess.Popen(
            [sys.executable, "-c", SESSION, control],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with session:
            assert session.stdout is not None
            session.stdout.readline()
            until(lambda: shown(pad).get(LAMPS[0]) == LIT)
            session.kill()
        until(lambda: is_dark(pad))


def test_a_pedal_that_is_unplugged_while_it_is_down_is_let_go(server: str) -> None:
    session = StillSession(None)
    with Controllers(session, ["pad"], lambda text: None) as controllers:
        with Pad(server, "pad") as pad:
            until(lambda: controllers.names)
            pad.say(PEDAL_DOWN)
            until(lambda: session.board["/bypass"])
        until(lambda: not session.board["/bypass"])
    assert controllers.n_broken == 0


def test_a_pedal_that_is_down_at_the_end_is_let_go(server: str) -> None:
    session = StillSession(None)
    with Pad(server, "pad") as pad:
        with Controllers(session, ["pad"], lambda text: None):
            pad.say(PEDAL_DOWN)
            until(lambda: session.board["/bypass"])
        assert not session.board["/bypass"]
