"""Controllers on a real MIDI system: a JACK server, clients of the test that are controllers, and rtsep's own ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from jack_pad import Pad, until
from jack_server import end_server, jack_module, new_name, run_server, start_server

sys.path.insert(0, str(Path(__file__).parents[1] / "control"))
from session import StillSession

from rtsep.control import process
from rtsep.control.midi.controllers import Controllers
from rtsep.control.midi.ports import SEQUENCER
from rtsep.errors import DeviceError

pytestmark = pytest.mark.skipif(
    SEQUENCER.exists(), reason="where ALSA's sequencer is, MIDI goes through that"
)

GAIN = "/stem/vocals/gain_db"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    with run_server() as name:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
        yield name


def test_two_controllers_at_once_move_the_board_and_are_lit(server: str) -> None:
    session, said = StillSession(None), list[str]()
    with (
        Pad(server, "left") as left,
        Pad(server, "right") as right,
        Controllers(session, ["left", "right"], said.append) as controllers,
    ):
        assert sorted(controllers.names) == ["left:knobs", "right:knobs"]
        until(lambda: b"\x90\x24\x7f" in left.lit and b"\x90\x24\x7f" in right.lit)
        left.say(b"\x90\x24\x40", b"\xf8")
        until(lambda: session.board["/stem/vocals/mute"])
        right.say(b"\xb1\x07\x5f", b"\xb1\x07\x60")  # channel 2: the drums; met at 0 dB
        until(lambda: session.board["/stem/drums/gain_db"] > 0)
        until(lambda: left.lit[-1] == right.lit[-1] == b"\x90\x24\x00")
    assert not [text for text in said if "error" in text]


def test_a_controller_that_comes_back_works_again_and_shows_everything(server: str) -> None:
    session, said = StillSession(None), list[str]()
    with Controllers(session, ["pad"], said.append) as controllers:
        assert "'pad' is not plugged in; it is waited for" in said[-1]
        for turn in range(2):
            with Pad(server, "pad") as pad:
                until(lambda: controllers.names)
                until(lambda pad=pad: b"\x90\x25\x7f" in pad.lit)
                assert (b"\x90\x24\x00" if turn else b"\x90\x24\x7f") in pad.lit
                if not turn:
                    pad.say(b"\x90\x24\x40")
                    until(lambda: session.board["/stem/vocals/mute"])
            until(lambda: not controllers.names)
        assert controllers.n_broken == 0


def test_a_virtual_port_is_there_for_others(server: str) -> None:
    session = StillSession(None)
    with Controllers(session, [], lambda text: None, "rtsep control"), Pad(server, "pad") as pad:
        pad.connect("rtsep control:in")
        pad.say(b"\x90\x24\x40")
        until(lambda: session.board["/stem/vocals/mute"])


def test_a_control_is_learnt_and_kept(server: str, tmp_path: Path) -> None:
    session = StillSession(None)
    with Pad(server, "pad") as pad:
        with Controllers(session, ["pad"], lambda text: None):
            session.board["/midi/learn"] = GAIN
            pad.say(*(bytes((0xB0, 21, value)) for value in range(60, 100)))
            until(lambda: "CC 21 on channel 1 of pad:knobs moves" in session.board["/midi/learned"])
            assert session.board[GAIN] == 0.0  # while it learns, nothing moves
            pad.say(*(bytes((0xB0, 21, value)) for value in range(99, 79, -1)))
            until(lambda: session.board.position(GAIN) == pytest.approx(80 / 127, abs=0.003))
        assert (tmp_path / "midi" / "pad_knobs.yaml").is_file()
        with Controllers(session, ["auto"], lambda text: None) as controllers:
            assert controllers.names == ["pad:knobs"]
            pad.say(*(bytes((0xB0, 21, value)) for value in range(79, 69, -1)))
            until(lambda: session.board.position(GAIN) == pytest.approx(70 / 127, abs=0.003))


def test_without_midi_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "rtsep-none")
    with pytest.raises(DeviceError, match="no MIDI here"):
        Controllers(StillSession(None), ["auto"], print).__enter__()


def test_a_porter_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    session, said = StillSession(None), list[str]()
    with run_server(waits=False) as server:  # one that waits for all its clients waits for a dead one, too
        monkeypatch.setenv("JACK_DEFAULT_SERVER", server)
        revive(server, session, said)


def revive(server: str, session: StillSession, said: list[str]) -> None:
    with Pad(server, "pad") as pad, Controllers(session, ["pad"], said.append) as controllers:
        os.kill(controllers.porter_pid, signal.SIGKILL)
        until(lambda: "it was started again" in " ".join(said))
        until(lambda: controllers.names == ["pad:knobs"])
        pad.lit.clear()
        pad.say(b"\x90\x24\x40")
        until(lambda: session.board["/stem/vocals/mute"])
        until(lambda: b"\x90\x24\x00" in pad.lit)
        assert controllers.n_broken == 0


def test_a_loose_cable_is_put_in_again(server: str) -> None:
    """So is one of a controller that was away for a moment only: its port has the old name, and no cable."""
    session, said = StillSession(None), list[str]()
    with Pad(server, "pad") as pad, Controllers(session, ["pad"], said.append) as controllers:
        until(lambda: pad.lit)
        client = jack_module().Client("hand", servername=server, no_start_server=True)
        n_lit = pad.lit.count(b"\x90\x24\x7f")
        (ours,) = client.get_all_connections("pad:knobs")
        client.disconnect("pad:knobs", ours)
        client.close()
        until(lambda: pad.lit.count(b"\x90\x24\x7f") > n_lit)  # all is shown again
        assert any("is gone" in text for text in said)
        assert controllers.names == ["pad:knobs"]
        pad.say(b"\x90\x24\x40")
        until(lambda: session.board["/stem/vocals/mute"])


def test_a_server_that_hangs_keeps_nobody(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session, said = StillSession(None), list[str]()
    monkeypatch.setattr(process, "START_S", 1.0)
    jackd = int(subprocess.check_output(["pgrep", "-f", f"jackd.*{server}"]).split()[0])
    with Controllers(session, ["pad"], said.append) as controllers:
        os.kill(jackd, signal.SIGSTOP)
        try:
            os.kill(controllers.porter_pid, signal.SIGKILL)
            until(lambda: any("did not answer" in text for text in said))
            with pytest.raises(DeviceError, match="did not answer"):
                Controllers(session, ["pad"], said.append).__enter__()
        finally:
            os.kill(jackd, signal.SIGCONT)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rtsep-midi")]


def test_controllers_come_back_with_a_new_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    name, session, said = new_name(), StillSession(None), list[str]()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    with ExitStack() as opened:
        first = start_server(name)
        controllers = opened.enter_context(Controllers(session, ["pad"], said.append))
        with Pad(name, "pad"):
            until(lambda: controllers.names)
        end_server(name, first)
        until(lambda: "MIDI: JACK's server is gone" in said)
        opened.callback(end_server, name, start_server(name))
        with Pad(name, "pad") as pad:
            until(lambda: controllers.names)
            until(lambda: b"\x90\x24\x7f" in pad.lit)  # the cable is in
            pad.say(b"\x90\x24\x40")
            until(lambda: session.board["/stem/vocals/mute"])


SESSION = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:]
from session import StillSession
from rtsep.control.midi.controllers import Controllers

with Controllers(StillSession(None), ["pad"], lambda text: None) as controllers:
    assert controllers.names == ["pad:knobs"]
    assert "rtmidi" not in sys.modules
    print(controllers.porter_pid, flush=True)
    sys.stdin.read()
"""


def test_the_session_never_calls_rtmidi_and_a_porter_ends_with_its_session(server: str) -> None:
    """What keeps the interpreter while a port is opened must not be in the process of the engine."""
    control = str(Path(__file__).parents[1] / "control")
    with Pad(server, "pad"):
        session = subprocess.Popen(
            [sys.executable, "-c", SESSION, control],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with session:
            assert session.stdout is not None
            pid = int(session.stdout.readline())
            os.kill(pid, 0)
            session.kill()
        until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Whether a process is there, and not only waiting for somebody to take note of its end."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    ).stdout.strip()
    return state != "" and not state.startswith("Z")
