"""What a session has learnt, in the next one that is asked for the same controllers."""

from __future__ import annotations

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

GAIN, VIRTUAL = "/stem/vocals/gain_db", "rtsep control"


def fader(*values: int) -> list[bytes]:
    return [bytes((0xB0, 21, value)) for value in values]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_server(waits=False) as name:
        yield name


@pytest.fixture(autouse=True)
def _own_folder(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server)


@pytest.mark.parametrize(
    ("wanted", "virtual", "kept_in"),
    [
        (["generic"], None, "midi/generic.yaml"),
        (["mine.yaml"], None, "mine.yaml"),
        (["knobs"], None, "midi/pad_knobs.yaml"),
        ([], VIRTUAL, "midi/rtsep_control.yaml"),
    ],
)
def test_a_session_knows_what_the_one_before_it_has_learnt(
    server: str, tmp_path: Path, wanted: list[str], virtual: str | None, kept_in: str
) -> None:
    (tmp_path / "mine.yaml").write_text("bindings: [{cc: 1, to: /separation}]")
    wishes = [str(tmp_path / text) if text.endswith(".yaml") else text for text in wanted]
    said = list[str]()
    with Pad(server, "pad") as pad:
        for n in range(2):
            session = StillSession(None)
            with Controllers(session, wishes, said.append, virtual) as controllers:
                if virtual is not None:
                    pad.connect(f"{virtual}:in")
                if n == 0:
                    session.board["/midi/learn"] = GAIN
                    pad.say(*fader(*range(60, 100)))
                    until(lambda session=session: "Kept in" in session.board["/midi/learned"])
                    assert f"Kept in {tmp_path / kept_in}, " in session.board["/midi/learned"]
                pad.say(*fader(*range(99, 79, -1)))  # it takes hold at 0 dB, of 95
                until(
                    lambda session=session: session.board.position(GAIN) == pytest.approx(0.75 * 80 / 95),
                )
                assert controllers.n_broken == 0
