"""The files of a session: no two uses of one, and none is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_session import music, play, session, write_song

from rtsep.errors import UsageError
from rtsep.host import Host


def test_a_recording_never_replaces_the_song_nor_another_take(tmp_path: Path) -> None:
    song = write_song(tmp_path / "mid.wav", music(0.2))  # named as one of the stems
    before = song.read_bytes()
    accounts = [play(session(song, tmp_path / "out.flac", "midside", output={"record": str(tmp_path)}))]
    accounts.append(play(session(song, tmp_path / "out.flac", "midside", output={"record": str(tmp_path)})))
    assert song.read_bytes() == before
    names = ["mixture.wav", "mid.wav", "side.wav", "mix.wav"]
    for account, take in zip(accounts, ("take-2", "take-3"), strict=True):
        assert sorted(path.name for path in (tmp_path / take).iterdir()) == sorted([*names, "session.yaml"])
        assert account["files"] == [str(tmp_path / "out.flac"), *(str(tmp_path / take / n) for n in names)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mid.wav", "out.flac", "take-2", "take-3"]


def test_two_sessions_at_a_time_record_two_takes(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(0.2))
    hosts = [Host(session(song, tmp_path / f"{i}.wav", "midside", output={"record": "takes"})) for i in "12"]
    for host in hosts:
        with host:
            assert host.wait(60)
    assert hosts[0].stats()["files"][1] == str(Path("takes") / "mixture.wav")
    assert hosts[1].stats()["files"][1] == str(Path("takes") / "take-2" / "mixture.wav")


@pytest.mark.parametrize(
    ("sink", "text"),
    [
        ("song.wav", "'song.wav' is input and output"),
        ("other/../song.wav", "is input and output"),
        ("takes/mix.wav", "'takes/mix.wav' is a file of the recording in takes; name another"),
        ("takes/take-2/side.wav", "is a file of the recording in takes; name another"),
        ("link.wav", "is input and output"),
    ],
)
def test_two_uses_of_one_file_are_refused(tmp_path: Path, sink: str, text: str) -> None:
    song = write_song(Path("song.wav"), music(0.2))
    Path("link.wav").hardlink_to(song)
    Path("other").mkdir()
    Path("takes").mkdir()
    write_song(Path("takes/mixture.wav"), music(0.1))  # an earlier take: this one is take-2
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.wav")}
    with pytest.raises(UsageError, match=text):
        Host(session(song, Path(sink), "midside", output={"record": "takes"}))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.wav")} == before
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("stats", "text"),
    [
        ("song.wav", "--stats-json song.wav would replace the music"),
        ("out.wav", "would replace the music"),
        ("none/stats.json", "none/stats.json: No such file or directory"),
        (".", "--stats-json .: Is a directory"),
    ],
)
def test_an_account_that_could_not_be_left_is_refused_at_the_start(
    tmp_path: Path, stats: str, text: str
) -> None:
    song = write_song(Path("song.wav"), music(0.2))
    with pytest.raises(UsageError, match=text):
        Host(session(song, Path("out.wav"), "midside", control={"stats_json": stats}))
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]
