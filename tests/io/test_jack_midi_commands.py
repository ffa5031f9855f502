"""``rtsep midi`` as people use it: a JACK server, controllers that exist for this test, and the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jack_pad import Pad
from jack_server import run_server
from live_session import environment

sys.path.insert(0, str(Path(__file__).parents[1] / "control"))
from session import StillSession

from rtsep.control.midi.controllers import Controllers
from rtsep.control.midi.learn import GO_ON
from rtsep.control.midi.maps import read_map
from rtsep.control.midi.messages import Message, encoded
from rtsep.control.midi.ports import SEQUENCER
from rtsep.errors import UsageError

pytestmark = pytest.mark.skipif(
    SEQUENCER.exists(), reason="where ALSA's sequencer is, MIDI goes through that"
)

GAIN = "/stem/vocals/gain_db"
# No SysEx without an end: after one, rtmidi holds back on JACK all that comes until another has its end.
RUBBISH = [
    b"\xf0\x7e\x00\x06\x01\xf7",
    b"\xf8",
    b"\xfe",
    b"\xb0\x07",
    b"\xd0\x40",
    b"\xf2\x01\x02",
    b"\xf7",
    b"\x07",
]
INTERRUPTED = 130


def until(
    is_so: Callable[[], object], act: Callable[[], object] = lambda: None, wait_s: float = 60.0
) -> None:
    end_s = time.monotonic() + wait_s
    while not is_so():
        assert time.monotonic() < end_s
        act()
        time.sleep(0.02)


class Command:
    """``rtsep midi`` in a process of its own; what it has said on both streams so far."""

    def __init__(self, server: str, config: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rtsep", "midi", *words],
            env=environment(server, RTSEP_CONFIG=str(config)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip() for line in iter(self.process.stdout.readline, "") if line.strip())

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def says(self, text: str) -> None:
        until(lambda: text in self.said or self.process.poll() is not None)
        assert text in self.said, self.said

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        code = self.process.wait(60)
        self._thread.join()
        assert "Traceback" not in self.said
        return code

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_server(waits=False) as name:
        yield name


@pytest.fixture
def rtsep(server: str, tmp_path: Path) -> Callable[..., Command]:
    return lambda *words, config=tmp_path: Command(server, config, *words)


def cc(number: int, *values: int, channel: int = 1) -> list[bytes]:
    return [data for value in values for data in encoded(Message("cc", channel, number, value))]


# --- list ---


def test_list_shows_the_ports_their_lights_and_their_maps(server: str, rtsep: Callable[..., Command]) -> None:
    with Pad(server, "nanoKONTROL2"), Pad(server, "pad"), rtsep("list") as command:
        assert command.end() == 0
    assert [" ".join(line.split()) for line in command.lines[1:-1]] == [
        "nanoKONTROL2:knobs yes Korg nanoKONTROL2",
        "pad:knobs generic, if it is named",
    ]
    assert "apc_mini_mk2, generic, launch_control_xl, nanokontrol2" in command.lines[-1]


def test_without_a_controller_every_command_says_so(rtsep: Callable[..., Command]) -> None:
    for words, code in ((["list"], 0), (["monitor"], 1), (["learn", "/bypass"], 1)):
        with rtsep(*words) as command:
            assert command.end() == code
            assert "no midi controller is plugged in" in command.said.lower()


def test_without_midi_every_command_says_what_is_missing_and_jack_is_silent(tmp_path: Path) -> None:
    for words in (["list"], ["monitor"], ["learn", "/bypass"]):
        with Command("rtsep-none", tmp_path, *words) as command:
            assert command.end() == 1
            assert len(command.lines) == 1
            assert command.said.startswith("error: no MIDI here: ")


# --- monitor ---


def test_monitor_prints_what_is_said_and_what_it_would_move(
    server: str, rtsep: Callable[..., Command]
) -> None:
    with Pad(server, "pad") as pad, rtsep("monitor", "pad") as command:
        command.says("Listening to pad:knobs; Ctrl-C ends it.")
        pad.say(
            *RUBBISH,
            b"\xb1\x07\x5d",
            *RUBBISH,
            b"\x90\x24\x40",
            b"\xe0\x00\x50",
            b"\xc0\x05",
            b"\xb0\x09\x10",
        )
        pad.say(
            b"\xb0\x29\x11",
            b"\xb0\x63\x01",
            b"\xb0\x62\x05",
            b"\xb0\x06\x10",
            b"\xb0\x60\x01",
            b"\xb0\x77\x01",
        )
        command.says("CC 119")
        assert command.interrupt() == 0
    assert [" ".join(line.split()) for line in command.lines[1:]] == [
        "channel 2 CC 7 93 → /stem/2/gain_db",
        "channel 1 note 36 64 → /stem/1/mute",
        "channel 1 pitch bend 10240 → /crossfade",
        "channel 1 program 5 → /scene/recall=6",
        "channel 1 CC 9 16",
        "channel 1 CC 41 17",
        "channel 1 CC pair 9 2065",
        "channel 1 CC 99 1",
        "channel 1 CC 98 5",
        "channel 1 CC 6 16",
        "channel 1 NRPN 133 2048",
        "channel 1 CC 96 1",
        "channel 1 step 133 1",
        "channel 1 NRPN 133 2049",
        "channel 1 CC 119 1",
    ]


def test_monitor_names_who_speaks_and_knows_the_maps_and_shift(
    server: str, rtsep: Callable[..., Command]
) -> None:
    with Pad(server, "APC mini mk2") as apc, Pad(server, "pad") as pad, rtsep("monitor") as command:
        command.says("Listening to")
        apc.say(b"\x90\x7a\x7f", b"\x90\x64\x7f")
        command.says("note 100")
        pad.say(b"\xb0\x01\x10")
        command.says("CC 1 ")
        assert command.interrupt() == 0
    assert [" ".join(line.split()) for line in command.lines[1:]] == [
        "APC mini mk2:knobs",
        "channel 1 note 122 127 → shift",
        "channel 1 note 100 127 → /stem/1/mute (with shift /stem/1/solo)",
        "pad:knobs",
        "channel 1 CC 1 16 → /separation",
    ]


def test_monitor_outlives_a_port_and_hears_it_again(server: str, rtsep: Callable[..., Command]) -> None:
    with Pad(server, "other"), rtsep("monitor") as command:
        command.says("Listening to other:knobs")
        for value in (1, 2):
            with Pad(server, "pad") as pad:
                until(lambda value=value: command.lines.count("pad:knobs is there") == value)
                pad.say(*cc(7, value))
                command.says(f"CC 7 {value:>12}")
            until(lambda value=value: command.said.count("pad:knobs is gone") == value)
        assert command.interrupt() == 0


def test_a_port_that_is_not_there_is_told_with_those_that_are(
    server: str, rtsep: Callable[..., Command]
) -> None:
    with Pad(server, "pad"):
        with rtsep("monitor", "keys") as command:
            assert command.end() == 1
        assert "there is no MIDI port 'keys'; there are: pad:knobs" in command.said
        with rtsep("learn", "/bypass", "(") as command:
            assert command.end() == 2
        assert "no name of a port" in command.said


# --- learn ---


def test_a_fader_is_learnt_told_checked_and_used(
    server: str, rtsep: Callable[..., Command], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Pad(server, "nanoKONTROL2") as knobs:
        with rtsep("learn", "/stem/1/gain_db") as command:
            command.says("move a control")
            knobs.say(*RUBBISH, *cc(5, *range(30, 70, 2)))
            assert command.end() == 0
        path = tmp_path / "midi" / "nanokontrol2.yaml"
        moves = "CC 5 on channel 1 of nanoKONTROL2:knobs moves /stem/1/gain_db"
        assert f"{moves}; before, CC 5 moved /stem/6/gain_db.\nKept in {path}, which" in command.said
        with rtsep("check", str(path)) as command:
            assert command.end() == 0
        assert "CC 5 on channel 1  /stem/1/gain_db" in command.said
        assert "/stem/6/gain_db" not in command.said
        assert "47 controls, nothing to look at" in command.lines[-1]
        monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
        monkeypatch.setenv("JACK_DEFAULT_SERVER", server)
        session = StillSession(None)
        for wanted in ("auto", "nanokontrol2"):
            with Controllers(session, [wanted], lambda text: None) as controllers:
                until(lambda: controllers.names)  # a busy machine opens ports later than the session begins
                session.board[GAIN] = 0.0
                knobs.say(*cc(5, *range(80, 110)))
                until(lambda: session.board.position(GAIN) == pytest.approx(109 / 127, abs=0.003))


@pytest.mark.parametrize(
    ("wish", "movements", "line"),
    [
        ("/stem/1/pan", [cc(20, 1, 1, 2, 1), cc(20, 127, 127)], {"cc": 20, "encoder": "twos_complement"}),
        ("/stem/1/mute", [cc(40, 127, 0)], {"cc": 40}),
        ("/stem/1/solo", [cc(41, 127), cc(41, 127)], {"cc": 41, "press": "each"}),
        (
            "/scene/recall=karaoke",
            [[b"\xb0\x00\x01", b"\xb0\x20\x02", b"\xc0\x05"]],
            {"program": 5, "value": "karaoke"},
        ),
        (
            "/crossfade",
            [[data for value in range(99, 9000, 333) for data in encoded(Message("cc14", 1, 3, value))]],
            {"cc14": 3},
        ),
    ],
    ids=[
        "knob without ends",
        "button",
        "button that says only on",
        "program behind a bank",
        "fader of 14 bits",
    ],
)
def test_other_controls_are_learnt(
    server: str,
    rtsep: Callable[..., Command],
    tmp_path: Path,
    wish: str,
    movements: list[list[bytes]],
    line: dict[str, object],
) -> None:
    with Pad(server, "pad") as pad, rtsep("learn", wish, "pad") as command:
        command.says("move a control")
        for n, movement in enumerate(movements, 1):
            pad.say(*movement)
            until(lambda n=n: command.said.count(GO_ON) == n or "Kept in" in command.said)
        assert command.end() == 0
    learnt = read_map(tmp_path / "midi" / "pad_knobs.yaml").bindings[-1]
    wanted = {**line, "channel": 1, "to": wish.partition("=")[0]}
    assert learnt.model_dump(exclude_unset=True) == wanted


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("/stem/1/gain", "did you mean /stem/{stem}/gain_db"),
        ("/message", "tells something"),
        ("/scene/recall", "/scene/recall=NAME"),
        ("off", "no parameter like 'off'"),
    ],
)
def test_what_cannot_be_learnt_is_refused_before_anything_is_waited_for(
    rtsep: Callable[..., Command], wish: str, said: str
) -> None:
    with rtsep("learn", wish) as command:
        assert command.end() == 2
    assert command.said.startswith("error: ")
    assert said in command.said


def test_a_folder_that_cannot_be_written_is_told_with_the_line_to_keep(
    server: str, rtsep: Callable[..., Command], tmp_path: Path
) -> None:
    (tmp_path / "midi").write_text("a file in its place")
    with Pad(server, "pad") as pad, rtsep("learn", "/bypass") as command:
        command.says("move a control")
        pad.say(b"\x90\x30\x40", b"\x80\x30\x40")
        assert command.end() == 1
    assert (
        "note 48 on channel 1 of pad:knobs moves /bypass; before, note 48 moved /stem/5/solo" in command.said
    )
    assert "cannot be written" in command.said
    assert '{"note": 48, "channel": 1, "to": "/bypass", "light": {}}' in command.said
    assert (tmp_path / "midi").read_text() == "a file in its place"


def test_ctrl_c_while_it_waits_keeps_nothing(
    server: str, rtsep: Callable[..., Command], tmp_path: Path
) -> None:
    with Pad(server, "pad") as pad, rtsep("learn", GAIN) as command:
        command.says("move a control")
        pad.say(*cc(20, 1, 1, 1))
        command.says(GO_ON)
        assert command.interrupt() == INTERRUPTED
    assert command.lines[-1] == "interrupted"
    assert not list(tmp_path.iterdir())


# --- check ---


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("bindings: [{cc: 1, to: /bypass}", 2, "is not YAML"),
        ("bindings: [{cc: 1, to: /bypass, pikcup: false}]", 2, "did you mean 'pickup'"),
        ("bindings: [{cc: 1, to: /bypas}]", 2, "did you mean /bypass"),
        ("match: '('", 2, "no name of a port"),
        ("bindings: [{note: 1, to: /bypass, shift: /record}]", 0, "warning: note 1 has a meaning with shift"),
        ("shift: {note: 1}\nbindings: [{note: 1, to: /bypass}]", 0, "warning: note 1 is the shift button"),
        ("", 0, "0 controls, nothing to look at"),
    ],
)
def test_check_says_what_is_wrong_with_a_map(
    rtsep: Callable[..., Command], tmp_path: Path, text: str, code: int, said: str
) -> None:
    (tmp_path / "my.yaml").write_text(text)
    with rtsep("check", str(tmp_path / "my.yaml")) as command:
        assert command.end() == code
    assert said in command.said


def test_check_knows_maps_by_name(rtsep: Callable[..., Command]) -> None:
    with rtsep("check", "generc") as command:
        assert command.end() == 2
    assert "there is no map 'generc'; did you mean 'generic'?" in command.said


# --- the same in a session ---


def test_what_a_session_cannot_keep_works_until_it_ends(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server)
    (tmp_path / "midi").write_text("a file in its place")
    session, said = StillSession(None), list[str]()
    with Pad(server, "pad") as pad, Controllers(session, ["pad"], said.append) as controllers:
        session.board["/midi/learn"] = "/scene/recall=karaoke"
        pad.say(*cc(21, 127))
        until(lambda: GO_ON in session.board["/midi/learned"])
        pad.say(*cc(21, 127))
        until(lambda: "until this session ends" in session.board["/midi/learned"])
        assert "cannot be written" in session.board["/midi/learned"]
        pad.say(*cc(21, 127))
        until(lambda: session.board["/scene/current"] == "karaoke")
        assert controllers.n_broken == 0


@pytest.mark.parametrize(
    "wish", ["/scene/recall", "/message", "/stem/nobody/mute", "/stem/vocals/gain_db=loud"]
)
def test_a_wish_that_cannot_be_is_refused_by_the_board(
    server: str, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server)
    session = StillSession(None)
    with Controllers(session, ["pad"], lambda text: None), pytest.raises(UsageError):
        session.board["/midi/learn"] = wish
