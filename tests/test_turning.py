"""Recordings that go elsewhere while a session plays: without a gap in what is heard, and none between the takes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from test_desk import OFFSET, drive, make_desk, noise
from test_handover import (  # noqa: F401
    RATE_HZ,
    STEP_24_BIT,
    _outside,
    mixed,
    settings,
    write_noise,
)

from rtsep.desk import _function
from rtsep.errors import AudioFileError, UsageError
from rtsep.host import Host
from rtsep.io.files import read_audio
from rtsep.recording import Recording


def read_take(folder: str, suffix: str = "wav") -> dict[str, np.ndarray]:
    names = ("mixture", "mid", "side", "mix")
    return {name: read_audio(Path(folder) / f"{name}.{suffix}")[0] for name in names}


def check_joined(song: np.ndarray, takes: list[dict[str, np.ndarray]]) -> None:
    """Every file goes on in the next take at the very sample, in all but what was late."""
    for name, first in takes[0].items():
        assert {one[name].shape[1] for one in takes} == {one["mixture"].shape[1] for one in takes}
        assert first.shape[1] > 0.2 * RATE_HZ
    mixture = np.concatenate([take["mixture"] for take in takes], axis=1)
    np.testing.assert_array_equal(mixture, song[:, : mixture.shape[1]])


def test_takes_go_to_another_folder_and_format_and_nothing_is_lost(tmp_path: Path) -> None:
    song = write_noise(tmp_path / "song.wav")
    host = Host(settings())
    with host:
        rig = host._rig
        time.sleep(0.5)
        assert host.change(settings(output={"record": "second"})) == 0
        time.sleep(0.4)
        host.change(settings(output={"record": "second", "record_format": "flac"}))
        time.sleep(0.4)
        host.change(settings(output={"record": None, "record_format": "flac"}))
        assert not host.is_recording
        time.sleep(0.2)
        assert host._rig is rig
    takes = [read_take("takes"), read_take("second"), read_take("second/take-2", "flac")]
    check_joined(song, takes)
    stats = host.stats()
    assert (stats["n_rigs"], stats["n_switches"], len(stats["files"])) == (1, 0, 13)
    assert stats["settings"]["output"]["record"] is None
    heard, _ = read_audio(Path("out.wav"))
    n_in_takes = sum(take["mix"].shape[1] for take in takes)
    assert heard.shape[1] > n_in_takes
    if stats["n_late_samples"] == 0:
        np.testing.assert_allclose(heard, mixed(song)[:, : heard.shape[1]], atol=2 * STEP_24_BIT)
        for name, side in (("mid", song.mean(axis=0)), ("side", (song[0] - song[1]) / 2)):
            stem = np.concatenate([take[name][0] for take in takes])
            np.testing.assert_allclose(stem, side[:n_in_takes], atol=STEP_24_BIT)
    assert not list(tmp_path.rglob(".rtsep*"))


def test_a_folder_that_cannot_be_made_leaves_the_take_as_it_goes(tmp_path: Path) -> None:
    song = write_noise(tmp_path / "song.wav")
    host = Host(settings())
    with host:
        time.sleep(0.4)
        for groups in ({}, {"model": {"lookahead_frames": 1}}):  # beside a model that is ready to fade in
            with pytest.raises(AudioFileError, match="cannot be made"):
                host.change(settings(output={"record": "song.wav/takes"}, **groups))
            with pytest.raises(UsageError, match="is a file of the recording"):
                host.change(settings(output={"record": ".", "sink": "file:mix.wav"}, **groups))
        assert host.settings.output.record == Path("takes")
        assert host.is_recording
        time.sleep(0.4)
    check_joined(song, [read_take("takes")])
    assert host.stats()["n_switches"] == 0
    assert not Path("takes/take-2").exists()


def test_a_model_fades_in_and_its_take_goes_to_another_folder(tmp_path: Path) -> None:
    song = write_noise(tmp_path / "song.wav")
    host = Host(settings())
    with host:
        time.sleep(0.4)
        host.change(settings(model={"lookahead_frames": 1}, output={"record": "second"}))
        time.sleep(0.5)
    stats = host.stats()
    assert (stats["n_rigs"], stats["n_switches"]) == (1, 1)
    check_joined(song, [read_take("takes")])
    assert read_take("second")["mix"].shape[1] > 0.2 * RATE_HZ
    assert not Path("takes/take-2").exists()


def place_in(song: np.ndarray, part: np.ndarray) -> int:
    """The sample of the song with which a part of it begins."""
    windows = np.lib.stride_tricks.sliding_window_view(song[0], 16)
    (place,) = np.flatnonzero((windows == part[0, :16]).all(axis=1))
    np.testing.assert_array_equal(part, song[:, place : place + part.shape[1]])
    return int(place)


def test_a_disk_that_takes_seconds_for_a_file_costs_nothing_of_the_music_when_the_model_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song, fsync = write_noise(tmp_path / "song.wav"), os.fsync

    def crawl(file: int) -> None:
        time.sleep(0.5)
        fsync(file)

    host = Host(settings())
    with host:
        time.sleep(0.5)
        monkeypatch.setattr(os, "fsync", crawl)
        host.change(settings(model={"lookahead_frames": 1}))
        monkeypatch.setattr(os, "fsync", fsync)
        time.sleep(0.5)
    first, second = (read_take(folder)["mixture"] for folder in ("takes", "takes/take-2"))
    assert place_in(song, first) == 0
    n_lost = place_in(song, second) - first.shape[1]
    assert n_lost < RATE_HZ  # four files alone take two seconds
    assert host.stats()["n_recording_lost_samples"] == 0


def test_a_take_that_a_hand_has_ended_stays_ended_until_the_settings_say_otherwise(tmp_path: Path) -> None:
    write_noise(tmp_path / "song.wav")
    host = Host(settings())
    with host:
        time.sleep(0.3)
        host.record(False)
        host.change(settings(output={"record_format": "flac"}))
        host.change(settings(output={"record_format": "flac"}, model={"lookahead_frames": 1}))
        assert not host.is_recording
        host.change(settings(output={"record": "second"}, model={"lookahead_frames": 1}))
        assert host.is_recording
        time.sleep(0.3)
    assert read_take("second")["mix"].shape[1] > 0
    assert not Path("takes/take-2").exists()


def test_what_a_killed_session_left_in_the_other_folder_is_finished(tmp_path: Path) -> None:
    write_noise(tmp_path / "song.wav")
    left = Host(settings(output={"record": "second", "sink": "file:left.wav", "clock": "free"}))
    try:
        left.start()
        while left.status().position_s < 1:
            time.sleep(0.01)
        (part,) = Path("second").glob(".rtsep*mixture*")
        data = part.read_bytes()
    finally:
        left.stop()
    name = part.name
    for path in Path("second").iterdir():
        path.unlink()
    Path("second", name).write_bytes(data)
    host = Host(settings())
    with host:
        time.sleep(0.3)
        host.change(settings(output={"record": "second"}))
        assert any("mixture" in line for line in host.news())
        time.sleep(0.3)
    assert Path("second/mixture.wav").is_file()
    assert Path("second/take-2/mixture.wav").is_file()


def test_an_unchanged_model_is_handed_over_to_another_rig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = write_noise(tmp_path / "song.wav")
    log = tmp_path / "log.txt"
    monkeypatch.setenv("OUTSIDE_SLOW", f"0 {log}")
    host = Host(settings(model={"name": "slow"}))
    n_loaded = log.read_text().count("loaded")
    with host:
        time.sleep(0.5)
        host.change(settings(model={"name": "slow"}, mixer={"ramp_ms": 20.0}))
        assert host.stats()["n_rigs"] == 2
        assert log.read_text().count("loaded") == n_loaded
        with pytest.raises(UsageError, match="slow makes no stem 'middle'"):
            host.change(
                settings(model={"name": "slow"}, mixer={"ramp_ms": 30.0, "stems": {"middle": {"mute": True}}})
            )
        time.sleep(0.5)
    check_joined(song, [read_take("takes"), read_take("takes/take-2")])


def test_input_that_is_lost_is_marked_in_the_take_in_which_that_is_heard(tmp_path: Path) -> None:
    """Here it is lost before one take is turned to the next, and heard in the second."""
    mixture = noise(2, 8000)
    desk = make_desk(mixture)
    desk.chain.stem_tape.append(mixture)
    recording = Recording(settings(output={"sink": "device:none"}), ("a",), desk, lambda: None)
    drive(desk, 3000)
    _function(
        None, None, 100, None, 2, desk.state_address
    )  # an overflow: the input's next sample is another one
    recording.step()
    recording.turn(settings(output={"sink": "device:none", "record": "second"}), ("a",))
    drive(desk, 2900)
    recording.close()
    takes = [read_audio(Path(folder) / "mixture.wav")[0] for folder in ("takes", "second")]
    assert [take.shape[1] for take in takes] == [3100 - OFFSET, 2900]
    np.testing.assert_allclose(np.concatenate(takes, axis=1), mixture[:, : 6000 - OFFSET], atol=STEP_24_BIT)
    assert not Path("takes/marks.txt").exists()
    start_s, _, text = Path("second/marks.txt").read_text().splitlines()[0].split("\t")
    assert float(start_s) == pytest.approx((3000 - (3100 - OFFSET)) / desk.sample_rate_hz)
    assert text.startswith("xrun")
