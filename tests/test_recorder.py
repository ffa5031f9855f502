"""Tapes to files: complete, aligned, of one length; and what becomes of them when the disk fails."""

from __future__ import annotations

import errno
import math
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from rtsep.errors import AudioFileError
from rtsep.io.files import read_audio
from rtsep.recorder import Recorder, Track
from rtsep.tape import Tape

RATE_HZ = 8000
OFFSET = 300


def noise(n_channels: int, n_samples: int) -> np.ndarray:
    values = np.random.default_rng(n_channels).integers(-(2**15), 2**15, (n_channels, n_samples))
    return (values / 2**15).astype(np.float32)


class Takes:
    """Two tapes and a recorder of three files."""

    def __init__(self, folder: Path, n_samples: int = 50000) -> None:
        self.input, self.sink = Tape(2, 100000), Tape(4, 100000)
        self.heard = 0
        self.input.append(noise(2, n_samples))
        self.sink.append(np.concatenate((np.zeros((4, OFFSET), np.float32), noise(4, n_samples)), axis=1))
        tracks = [
            Track(folder / "mixture.wav", self.input, (0, 1)),
            Track(folder / "swapped.wav", self.sink, (3, 0), OFFSET),
            Track(folder / "one.flac", self.sink, (2,), OFFSET),
        ]
        self.recorder = Recorder(tracks, RATE_HZ, lambda: self.heard, "PCM_24")


def test_files_hold_what_was_heard_aligned_and_of_one_length(tmp_path: Path) -> None:
    takes = Takes(tmp_path)
    for takes.heard in (0, 1, 20000, 45678):
        takes.recorder.step()
    takes.recorder.close()
    assert takes.recorder.error is None
    assert takes.recorder.n_lost_samples == 0
    wanted = {
        "mixture.wav": noise(2, 50000),
        "swapped.wav": noise(4, 50000)[[3, 0]],
        "one.flac": noise(4, 50000)[[2]],
    }
    for name, expected in wanted.items():
        found, rate_hz = read_audio(tmp_path / name)
        assert rate_hz == RATE_HZ
        np.testing.assert_array_equal(found, expected[:, :45678])
    assert len(list(tmp_path.iterdir())) == 3


def test_what_was_lost_is_silence_and_counted(tmp_path: Path) -> None:
    takes = Takes(tmp_path, 1000)
    hole = noise(2, 500)
    hole[:, 100:200] = np.nan  # a skip of the engine marks what it did not separate
    takes.input.append(hole)
    takes.heard = 2000  # a tape that ends early: the engine is behind
    takes.recorder.close()
    found, _ = read_audio(tmp_path / "mixture.wav")
    assert found.shape == (2, 2000)
    assert not found[:, 1100:1200].any()
    np.testing.assert_array_equal(found[:, 1200:1500], hole[:, 200:])
    assert not found[:, 1500:].any()
    assert takes.recorder.n_lost_samples == 100 + 500 + 2 * 1000


def test_what_was_clipped_is_counted_file_by_file(tmp_path: Path) -> None:
    takes = Takes(tmp_path, 1000)
    loud = noise(2, 100)
    loud[0, :30], loud[1, :2] = 1.5, -1.1
    takes.input.append(loud)
    takes.heard = 1100
    takes.recorder.close()
    counts = {path.name: n for path, n in takes.recorder.n_clipped_samples.items()}
    assert counts == {"mixture.wav": 32, "swapped.wav": 0, "one.flac": 0}


def test_a_recorder_that_was_overtaken_goes_on(tmp_path: Path) -> None:
    takes = Takes(tmp_path)
    takes.input.append(noise(2, takes.input.capacity_samples))
    takes.heard = 50000
    takes.recorder.close()
    assert takes.recorder.n_lost_samples >= 50000
    assert read_audio(tmp_path / "mixture.wav")[0].shape == (2, 50000)


def test_the_tapes_of_a_thread_are_followed(tmp_path: Path) -> None:
    takes, stop = Takes(tmp_path), threading.Event()
    takes.heard = 30000
    thread = threading.Thread(target=takes.recorder.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(10)
    takes.recorder.close()
    assert read_audio(tmp_path / "swapped.wav")[0].shape == (2, 30000)


class FullDisk:
    """The end of a hidden file that finds its disk full, until somebody makes room if `n_refusals` says so."""

    def __init__(self, takes: Takes, i: int, n_refusals: float) -> None:
        part = takes.recorder._writers[i]._part
        self._file, self._n_left = part._file, n_refusals
        part._file = self

    def write(self, data: memoryview) -> int:
        if self._n_left > 0:
            self._n_left -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def test_a_full_disk_ends_the_recording_which_keeps_what_it_has(tmp_path: Path) -> None:
    takes = Takes(tmp_path)
    takes.heard = 20000
    takes.recorder.step()
    FullDisk(takes, 1, n_refusals=1)
    takes.heard = 40000
    takes.recorder.step()
    assert isinstance(takes.recorder.error, AudioFileError)
    assert "No space left" in str(takes.recorder.error)
    assert "after 2.5 s; kept: mixture.wav, swapped.wav, one.flac" in str(takes.recorder.error)
    takes.heard = 45000
    takes.recorder.step()
    takes.recorder.close()
    assert takes.recorder.is_over
    for name, n_samples in (("mixture.wav", 40000), ("swapped.wav", 20000), ("one.flac", 20000)):
        found, _ = read_audio(tmp_path / name)
        assert found.shape[1] >= n_samples
        whole = {"mixture.wav": noise(2, 50000), "swapped.wav": noise(4, 50000)[[3, 0]]}
        whole["one.flac"] = noise(4, 50000)[[2]]
        np.testing.assert_array_equal(found, whole[name][:, : found.shape[1]])
    assert len(list(tmp_path.iterdir())) == 3


def test_a_full_disk_does_not_end_the_files_on_another(tmp_path: Path) -> None:
    tape = Tape(2, 100000)
    tape.append(noise(2, 50000))
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    tracks = [Track(tmp_path / name / "a.wav", tape, (0, 1)) for name in ("here", "there")]
    takes = Takes.__new__(Takes)
    takes.recorder = Recorder(tracks, RATE_HZ, lambda: 30000)
    FullDisk(takes, 0, n_refusals=math.inf)
    takes.recorder.step()
    assert takes.recorder.error is not None
    assert not takes.recorder.is_over
    takes.recorder.close()
    assert read_audio(tmp_path / "there" / "a.wav")[0].shape == (2, 30000)
    assert not list((tmp_path / "here").iterdir())


def test_a_disk_that_takes_nothing_any_more_costs_that_file_alone(tmp_path: Path) -> None:
    takes = Takes(tmp_path)
    takes.heard = 20000
    takes.recorder.step()
    FullDisk(takes, 1, n_refusals=math.inf)
    takes.heard = 40000
    takes.recorder.step()
    takes.recorder.close()
    assert "kept: mixture.wav, one.flac" in str(takes.recorder.error)
    assert {path.name for path in tmp_path.iterdir()} == {"mixture.wav", "one.flac"}


def test_of_nothing_heard_no_file_is_made(tmp_path: Path) -> None:
    (tmp_path / "mixture.wav").write_bytes(b"an earlier take")
    takes = Takes(tmp_path)
    takes.recorder.step()
    takes.recorder.close()
    assert takes.recorder.error is None
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"an earlier take"]


def test_a_file_that_cannot_be_made_leaves_none(tmp_path: Path) -> None:
    tape = Tape(2, 1000)
    tracks = [Track(tmp_path / "a.wav", tape, (0, 1)), Track(tmp_path / "none" / "b.wav", tape, (0, 1))]
    with pytest.raises(AudioFileError, match="does not exist"):
        Recorder(tracks, RATE_HZ, lambda: 0)
    assert not list(tmp_path.iterdir())
