"""A session that is over says so to whoever moves it, and keeps nothing that nobody would write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from file_session import music, session, write_song

from rtsep.errors import DeviceError, UsageError
from rtsep.host import Host
from rtsep.io.clocked import ClockedDriver
from rtsep.settings import LiveSettings

MOVES: dict[str, Callable[[Host], object]] = {
    "an address": lambda host: host.board.set("/stem/mid/gain_db", -3),
    "a position": lambda host: host.board.move("/stem/mid/gain_db", 0.5),
    "an attribute": lambda host: setattr(host.stems["mid"], "mute", True),
    "a scene": lambda host: host.board.set("/scene/save", "late"),
    "a jump": lambda host: host.board.set("/transport/seek_s", 1.0),
    "a take": lambda host: host.board.set("/record", True),
    "a take at once": lambda host: host.record(True),
    "a wish": lambda host: host.ask("model", "...", lambda: host.settings),
    "a change": lambda host: host.change(host.settings),
    "a start": lambda host: host.start(),
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, outside: None) -> LiveSettings:
    folder = tmp_path_factory.mktemp("played")
    control = {"scenes": str(folder / "scenes.yaml")}
    song = write_song(folder / "song.wav", music(1.0))
    return session(song, folder / "out.wav", "midside", control=control)


@pytest.fixture(scope="module")
def over(played: LiveSettings) -> Host:
    with Host(played) as host:
        with pytest.raises(UsageError, match="plays already; make another"):
            host.start()
        host.stems["mid"].gain_db = -6
    return host


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_nothing_moves_a_session_that_is_over(over: Host, move: Callable[[Host], object]) -> None:
    before, message = over.board.values, over.message
    with pytest.raises(UsageError, match=r"the session (is over|does not play)"):
        move(over)
    assert (over.board.values, over.message) == (before, message)
    assert over.board["/stem/mid/gain_db"] == over.stems["mid"].gain_db == -6.0, "it can still be read"
    assert not over.is_recording
    over.stop()  # again it does nothing


def test_a_session_that_was_never_played_is_over_when_it_is_stopped(
    played: LiveSettings, tmp_path: Path
) -> None:
    elsewhere = played.with_overrides({"output": {"sink": str(tmp_path / "out.wav")}})
    host = Host(elsewhere)
    host.stop()
    with pytest.raises(UsageError, match="the session is over; make another"), host:
        pass
    with pytest.raises(UsageError, match="the session is over"):
        host.board["/bypass"] = True


class Dead(ClockedDriver):
    """A clock that does not start."""

    def start(self) -> None:
        raise DeviceError("it does not start")


def test_a_session_that_could_not_start_is_over(
    played: LiveSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtsep.rig.ClockedDriver", Dead)
    host = Host(played.with_overrides({"output": {"sink": str(tmp_path / "out.wav")}}))
    with pytest.raises(DeviceError):
        host.start()
    with pytest.raises(UsageError, match="the session is over"):
        host.board["/scene/save"] = "late"
    host.stop()
