"""Tapes to files: complete, aligned, of one length; and what becomes of them when the disk fails."""

from __future__ import annotations

import errno
import math
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.errors import AudioFileError
from rtsep.io.files import AudioWriter, read_audio
from rtsep.io.labels import Label, from_track
from rtsep.io.part import target_of
from rtsep.notes import Event
from rtsep.recorder import Recorder
from rtsep.recover import recover
from rtsep.tape import Tape
from rtsep.track import CHUNK_SAMPLES, Track

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


def test_a_take_that_ends_while_it_plays_ends_at_one_instant(tmp_path: Path) -> None:
    """More is heard while the rest is written; none of it is in the files, as silence least of all."""
    takes = Takes(tmp_path)
    takes.recorder._limit = lambda: setattr(takes, "heard", takes.heard + 500) or takes.heard  # type: ignore[func-returns-value]
    takes.recorder.step()
    takes.recorder.close()
    found, _ = read_audio(tmp_path / "mixture.wav")
    np.testing.assert_array_equal(found, noise(2, 50000)[:, :1000])


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
        part = takes.recorder._growing[i].writer._part
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
    for name in ("mixture.wav", "swapped.wav", "one.flac"):
        found, _ = read_audio(tmp_path / name)
        assert 20000 <= found.shape[1] <= 20000 + CHUNK_SAMPLES
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


def test_of_a_file_that_cannot_be_ended_the_hidden_one_is_left(tmp_path: Path) -> None:
    takes = Takes(tmp_path)
    takes.heard = 20000
    takes.recorder.step()
    FullDisk(takes, 1, n_refusals=math.inf)
    takes.heard = 40000
    takes.recorder.step()
    takes.recorder.close()
    assert "kept: mixture.wav, one.flac" in str(takes.recorder.error)
    assert f"`rtsep recover {tmp_path}` makes a file of it" in str(takes.recorder.error)
    (part,) = tmp_path.glob(".*")
    assert target_of(part).name == "swapped.wav"
    assert {path.name for path in tmp_path.iterdir()} == {"mixture.wav", "one.flac", part.name}


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


def test_the_files_grow_side_by_side_and_can_be_read_after_every_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much has come at once, and whatever a file is cut off at."""
    lengths: list[tuple[int, ...]] = []
    takes = Takes(tmp_path)
    write = AudioWriter.write

    def write_and_look(writer: AudioWriter, block: np.ndarray) -> None:
        write(writer, block)
        lengths.append(tuple(file.n_written_samples for file in takes.recorder._growing))

    monkeypatch.setattr(AudioWriter, "write", write_and_look)
    frames: list[tuple[int, int]] = []
    for takes.heard in (100, 40000, 50000):
        takes.recorder._sync_due_s = 0.0
        takes.recorder.step()
        for name in ("mixture.wav", "swapped.wav"):
            (part,) = tmp_path.glob(f".rtsep-*-{name}.part")
            frames.append((soundfile.info(part).frames, takes.heard))
    takes.recorder.abort()
    assert len(frames) == 6
    assert all(found == heard for found, heard in frames)
    assert len(lengths) > 18
    assert max(max(row) - min(row) for row in lengths) <= CHUNK_SAMPLES


@settings(deadline=None, max_examples=30)
@given(steps=st.lists(st.integers(0, 20_000), max_size=6), lag=st.integers(0, 5000))
def test_however_it_is_chopped_the_files_are_what_was_heard(steps: list[int], lag: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        takes, end = Takes(Path(name)), 0
        for step in steps:
            end = min(50_000, end + step)
            takes.heard = max(takes.heard, end - lag)
            takes.recorder.step()
        takes.heard = max(1, end)
        takes.recorder.close()
        assert takes.recorder.error is None
        sounds = [read_audio(path)[0] for path in takes.recorder.files]
        expected = [noise(2, 50_000), noise(4, 50_000)[[3, 0]], noise(4, 50_000)[[2]]]
        for sound, whole in zip(sounds, expected, strict=True):
            np.testing.assert_array_equal(sound, whole[:, : takes.heard])


class Session:
    """A recorder of one stereo file, and of a stem that was not made everywhere, with notes."""

    def __init__(self, folder: Path) -> None:
        self.input, self.stems = Tape(2, 100_000), Tape(2, 100_000)
        self.happened: list[Event] = []
        self.heard = 0
        tracks = [Track(folder / "mixture.wav", self.input, (0, 1))]
        tracks += [
            Track(folder / f"{name}.wav", self.stems, rows) for name, rows in (("l", (0,)), ("r", (1,)))
        ]
        self.recorder = Recorder(
            tracks, RATE_HZ, lambda: self.heard, "PCM_24", events=self._take, notes_folder=folder
        )
        self.recorder.account = lambda: {"files": [path.name for path in self.recorder.files]}

    def _take(self) -> list[Event]:
        happened, self.happened = self.happened, []
        return happened


def cues(path: Path) -> list[int]:
    data = path.read_bytes()
    at = data.rfind(b"cue ")
    n_cues = int.from_bytes(data[at + 8 : at + 12], "little") if at > 0 else 0
    return [int.from_bytes(data[at + 16 + 24 * i : at + 20 + 24 * i], "little") for i in range(n_cues)]


def test_lost_time_is_marked_where_it_was_lost(tmp_path: Path) -> None:
    made = Session(tmp_path)
    made.input.append(noise(2, 20_000))
    stems = noise(2, 12_000)
    stems[:, 3000:3500] = np.nan
    stems[0, 10_000:10_010] = np.nan
    made.stems.append(stems)
    made.happened = [(800, "late", 400), (1200, "late", 200)]
    made.heard = 9000
    made.recorder.step()
    made.happened = [(8000, "xrun", 80), (8500, "switch", -40), (15_500, "late", 900), (16_500, "late", 1)]
    made.heard = 16_000
    made.recorder.close()
    assert made.recorder.labels[0] == Label(800, 1400, "late: the mixture was heard instead of the stems")
    marks = [line.split("\t") for line in (tmp_path / "marks.txt").read_text().splitlines()]
    spans = [
        (round(float(start) * RATE_HZ), round(float(end) * RATE_HZ), text[:4]) for start, end, text in marks
    ]
    assert spans == [
        (800, 1400, "late"),
        (3000, 3500, "skip"),
        (8000, 8000, "xrun"),
        (8500, 8500, "swit"),
        (10_000, 10_010, "skip"),
        (12_000, 16_000, "skip"),
        (15_500, 16_000, "late"),
    ]
    assert marks[2][2] == "xrun: the card lost input here, 10.0 ms"
    assert marks[3][2].endswith("from here on, 5.0 ms")
    for name in ("mixture", "l", "r"):
        assert cues(tmp_path / f"{name}.wav") == [span[0] for span in spans]
        assert read_audio(tmp_path / f"{name}.wav")[0].shape[1] == 16_000
    assert yaml.safe_load((tmp_path / "session.yaml").read_text()) == {
        "files": ["mixture.wav", "l.wav", "r.wav"]
    }
    assert len(list(tmp_path.iterdir())) == 5


def test_a_late_span_that_goes_on_is_in_the_marks_at_every_sync(tmp_path: Path) -> None:
    """In a line for each, however many parts it came in."""
    made = Session(tmp_path)
    parts = [(800 + 100 * k, "late", 100) for k in range(10)]
    for made.heard, made.happened, spans in (
        (2000, parts, [(800, 1800)]),
        (3000, [(1800, "late", 200), (800, "late", 1300)], [(800, 1800), (800, 2100)]),
    ):
        made.recorder._sync_due_s = 0.0
        made.recorder.step()
        (part,) = tmp_path.glob(".rtsep-*-marks.txt.part")
        found = [label[:2] for label in from_track(part.read_text(), RATE_HZ)]
        assert found == spans
    assert [label[:2] for label in made.recorder.labels] == [(800, 2100)]
    made.recorder.abort()


def test_without_losses_there_are_no_marks(tmp_path: Path) -> None:
    made = Session(tmp_path)
    made.input.append(noise(2, 1000))
    made.stems.append(noise(2, 1000))
    made.heard = 1000
    made.recorder.close()
    assert {path.name for path in tmp_path.iterdir()} == {"mixture.wav", "l.wav", "r.wav", "session.yaml"}
    assert cues(tmp_path / "mixture.wav") == []


def test_notes_that_cannot_be_written_do_not_cost_the_recording(tmp_path: Path) -> None:
    made = Session(tmp_path)
    made.input.append(noise(2, 1000))
    made.stems.append(noise(2, 1000))
    made.heard = 1000
    assert made.recorder._notes is not None
    made.recorder._notes._session.part_path.mkdir()
    made.recorder.close()
    assert "session.yaml.part cannot be written: Is a directory" in str(made.recorder.error)
    assert read_audio(tmp_path / "mixture.wav")[0].shape == (2, 1000)


def test_an_account_that_cannot_be_given_does_not_cost_the_recording(tmp_path: Path) -> None:
    made = Session(tmp_path)
    made.input.append(noise(2, 1000))
    made.stems.append(noise(2, 1000))
    made.heard = 1000
    made.recorder.account = lambda: {"nobody can write this": object()}
    made.recorder._sync_due_s = 0.0
    made.recorder.step()
    assert made.recorder.error is not None
    assert not made.recorder.is_over
    made.recorder.close()
    assert read_audio(tmp_path / "mixture.wav")[0].shape == (2, 1000)


def test_files_that_cannot_get_their_names_are_left_to_be_recovered(tmp_path: Path) -> None:
    made = Session(tmp_path)
    made.input.append(noise(2, 1000))
    made.stems.append(noise(2, 1000))
    made.heard = 1000
    (tmp_path / "r.wav").mkdir()
    made.recorder.close()
    assert "cannot be renamed" in str(made.recorder.error)
    assert made.recorder.files == ()
    made.recorder.abort()  # as at the end of every session
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["r.wav"]
    (done,) = recover(tmp_path)
    assert {path.name for path in done.files} == {"mixture.wav", "l.wav", "r-recovered.wav"}
    np.testing.assert_array_equal(read_audio(tmp_path / "mixture.wav")[0], noise(2, 1000))
