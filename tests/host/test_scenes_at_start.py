"""A session starts with whatever is in the file of the scenes, and says what is wrong there."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_session import music, session, write_song

from rtsep.host import Host

pytestmark = pytest.mark.usefixtures("outside")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scenes: {bad: {stem: {x: {foo: 1}}}, good: {}}", "the scene 'bad' is left out: "),
        ("{", "no scenes of your own are there: "),
    ],
)
def test_a_slip_in_the_scenes_is_told_and_stops_no_session(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "scenes.yaml"
    path.write_text(text)
    song = write_song(tmp_path / "song.wav", music(1.0))
    with Host(session(song, tmp_path / "out.wav", "midside", control={"scenes": str(path)})) as host:
        assert host.notice is not None
        assert said in host.notice
        assert said in str(host.board["/message"])  # for surfaces without a terminal
    assert path.read_text() == text
