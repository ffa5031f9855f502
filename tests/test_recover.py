"""Killed recordings: what is left becomes whole files of one length, all but a second, and nothing is replaced."""

from __future__ import annotations

import random
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml

from rtsep.io.encode import CODECS
from rtsep.io.files import AudioWriter, read_audio
from rtsep.io.labels import Label
from rtsep.io.part import NotePart, is_being_filled, new_take, target_of
from rtsep.notes import Notes
from rtsep.recover import recover, takes_of

RATE_HZ = 8000
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")

RECORD = """
    import sys
    import numpy as np
    from pathlib import Path
    from rtsep.recorder import Recorder
    from rtsep.tape import Tape
    from rtsep.track import Track

    folder, suffix, rate_hz = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    tape, heard, events = Tape(4, 100_000), 0, []
    tracks = [Track(folder / f"{name}.{suffix}", tape, rows) for name, rows in (("a", (0, 1)), ("b", (2, 3)))]
    events = lambda: [(heard - 100, "late", 50)]
    recorder = Recorder(tracks, rate_hz, lambda: heard, "PCM_24", events=events, notes_folder=folder)
    recorder.account = lambda: {"model": "none", "heard": heard}
    random = np.random.default_rng(7)
    while True:
        tape.append((random.integers(-(2**15), 2**15, (1000, 4)).T / 2**15).astype(np.float32))
        heard += 1000
        recorder.step()
        print(heard, flush=True)
"""


def source(n_samples: int) -> np.ndarray:
    values = np.random.default_rng(7).integers(-(2**15), 2**15, (n_samples, 4)).T
    return (values / 2**15).astype(np.float32)


def left_takes(folder: Path) -> list[Path]:
    return sorted(folder.glob(".rtsep-*.part"))


def record_and_kill(folder: Path, suffix: str, delay_s: float) -> int:
    """Have a process record, kill it, and give how much it had said that it had written."""
    command = [sys.executable, "-c", textwrap.dedent(RECORD), str(folder), suffix, str(RATE_HZ)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        timer = threading.Timer(delay_s, process.kill)
        timer.start()
        said += process.stdout.readlines()
        timer.join()
    assert process.returncode == -signal.SIGKILL
    return int([line for line in said if line.endswith("\n")][-1])


@POSIX
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_killed_recording_lacks_a_second_at_most(tmp_path: Path, suffix: str) -> None:
    """Whenever it is killed: a few at a time."""
    delays_s = [random.Random(seed).uniform(0, 2.5) for seed in range(4)]
    folders = [tmp_path / f"killed after {delay_s:.2f} s" for delay_s in delays_s]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as pool:
        for folder, n_heard in zip(
            folders, pool.map(record_and_kill, folders, [suffix] * len(folders), delays_s), strict=True
        ):
            check_recovered(folder, suffix, n_heard)


def check_recovered(folder: Path, suffix: str, n_heard: int) -> None:
    assert is_being_filled(folder), "what waits to be recovered is not to be mixed with another take"
    (done,) = recover(folder)
    assert done.failed == {}
    assert set(done.files) == {folder / f"a.{suffix}", folder / f"b.{suffix}"}
    sounds = [read_audio(path)[0] for path in done.files]
    n_samples = sounds[0].shape[1]
    assert n_heard - RATE_HZ <= n_samples <= n_heard + 1000
    expected = source(n_heard + 1000)[:, :n_samples]
    np.testing.assert_array_equal(np.concatenate(sounds), expected)
    assert not left_takes(folder)
    assert not is_being_filled(folder)
    assert recover(folder) == []
    assert "recovered, all but its last second (on a slow disk a few): a." in " ".join(done.tell())


@POSIX
def test_account_and_marks_are_recovered_with_it(tmp_path: Path) -> None:
    record_and_kill(tmp_path, "wav", 2.5)  # the second is up, so that notes are there
    (done,) = recover(tmp_path)
    account = yaml.safe_load((tmp_path / "session.yaml").read_text())
    assert account["model"] == "none"
    assert account["recovered_s"] == {path.name: length_s for path, length_s in done.files.items()}
    marks = (tmp_path / "marks.txt").read_text().splitlines()
    assert marks[0] == "0.112500000\t0.118750000\tlate: the mixture was heard instead of the stems"
    data = (tmp_path / "a.wav").read_bytes()
    cue = data[data.rindex(b"cue ") :]
    assert struct.unpack_from("<II4sIII", cue, 12) == (1, 900, b"data", 0, 0, 900)
    assert b"late: the mixture" in cue


def make_left(path: Path, take: str, n_samples: int, offset: int = 0) -> Path:
    """What a killed process leaves of a file."""
    writer = AudioWriter(path, RATE_HZ, 2, take=take)
    writer.write(source(offset + n_samples)[:2, offset:])
    writer.flush()
    data = writer.part_path.read_bytes()
    writer.give_up()
    writer.part_path.write_bytes(data)
    return writer.part_path


def test_what_is_being_written_is_left_alone(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", RATE_HZ, 2, take=new_take()) as writer:
        writer.write(source(100)[:2])
        assert recover(tmp_path) == []
        assert writer.part_path.exists()
        writer.finish()  # whole, but without its name yet
        assert recover(tmp_path) == []
        assert is_being_filled(tmp_path)
    assert read_audio(tmp_path / "a.wav")[0].shape == (2, 100)
    assert not is_being_filled(tmp_path)


def test_a_take_of_which_a_file_is_written_is_alive(tmp_path: Path) -> None:
    take = new_take()
    make_left(tmp_path / "ended.wav", take, 100)
    with AudioWriter(tmp_path / "a.wav", RATE_HZ, 2, take=take):
        assert recover(tmp_path) == []
    assert [path.name for path in recover(tmp_path)[0].files] == ["ended.wav"]


def test_nothing_is_replaced(tmp_path: Path) -> None:
    for name in ("a.wav", "a-recovered.wav"):
        (tmp_path / name).write_bytes(b"an earlier one")
    make_left(tmp_path / "a.wav", new_take(), 100)
    make_left(tmp_path / "b.wav", new_take(), 100)
    found = {path.name for done in recover(tmp_path, [tmp_path / "b.wav"]) for path in done.files}
    assert found == {"a-recovered-2.wav", "b-recovered.wav"}
    assert (tmp_path / "a.wav").read_bytes() == b"an earlier one"


def test_the_hidden_files_of_other_work_are_left_alone(tmp_path: Path) -> None:
    writer = AudioWriter(tmp_path / "a.wav", RATE_HZ, 2)
    assert is_being_filled(tmp_path)
    data = writer.part_path.read_bytes()
    writer.abort()
    writer.part_path.write_bytes(data)  # a separation that was killed: worth nothing
    assert recover(tmp_path) == []
    assert not is_being_filled(tmp_path)
    assert writer.part_path.exists()


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_files_are_cut_to_one_length_but_for_those_that_ended_long_before(
    tmp_path: Path, suffix: str
) -> None:
    take = new_take()
    lengths = {"a": 40_000, "b": 36_000, "c": 9000}
    for name, n_samples in lengths.items():
        make_left(tmp_path / f"{name}.{suffix}", take, n_samples)
    (done,) = recover(tmp_path)
    found = {path.stem: round(length_s * RATE_HZ) for path, length_s in done.files.items()}
    expected = {"wav": {"a": 36_000, "b": 36_000, "c": 9000}, "flac": {"a": 32_768, "b": 32_768, "c": 8192}}
    assert found == expected[suffix]
    for path in done.files:
        np.testing.assert_array_equal(read_audio(path)[0], source(40_000)[:2, : found[path.stem]])


def test_of_a_take_without_sound_nothing_is_left(tmp_path: Path) -> None:
    take = new_take()
    make_left(tmp_path / "a.wav", take, 0)
    make_left(tmp_path / "b.flac", take, 0)
    Notes(tmp_path, take, RATE_HZ).update({"model": "none"}, [Label(0, 1, "late")])
    (done,) = recover(tmp_path)
    assert "nothing is left of it" in " ".join(done.tell())
    assert not list(tmp_path.iterdir())


def test_an_account_that_was_empty_is_yaml_still(tmp_path: Path) -> None:
    take = new_take()
    make_left(tmp_path / "a.wav", take, 4000)
    Notes(tmp_path, take, RATE_HZ).update({}, [])
    recover(tmp_path)
    assert yaml.safe_load((tmp_path / "session.yaml").read_text()) == {"recovered_s": {"a.wav": 0.5}}
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "session.yaml"}


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec not in ("wav", "flac")])
def test_a_lossy_file_gets_its_name_if_it_can_be_read(tmp_path: Path, codec: str) -> None:
    samples = 0.3 * np.random.default_rng(0).normal(0, 0.3, (2, 48_000 * 4)).astype(np.float32)
    writer = AudioWriter(tmp_path / f"a.{codec}", 48_000, 2, take=new_take())
    writer.write(samples)
    data = writer.part_path.read_bytes()
    writer.give_up()
    writer.part_path.write_bytes(data)
    (done,) = recover(tmp_path)
    if codec == "m4a":  # it keeps its table of contents for the end
        assert list(done.failed) == [writer.part_path]
        assert "cannot be recovered" in " ".join(done.tell())
        assert writer.part_path.read_bytes() == data
    else:
        assert list(done.files) == [tmp_path / f"a.{codec}"]
        assert read_audio(tmp_path / f"a.{codec}")[0].shape[1] > 48_000


def test_the_longest_names_are_kept_at_their_end(tmp_path: Path) -> None:
    name = "é" * 120 + ".wav"
    part = make_left(tmp_path / name, new_take(), 100)
    assert len(part.name.encode()) <= 255
    (done,) = recover(tmp_path)
    assert [path.name for path in done.files] == ["é" * 46 + ".wav"]


def test_a_note_is_whole_after_every_word(tmp_path: Path) -> None:
    note = NotePart(tmp_path / "marks.txt", new_take())
    note.add("one\n")
    note.add("two\n")
    assert target_of(note.part_path) == tmp_path / "marks.txt"
    assert note.part_path.read_text() == "one\ntwo\n"
    note.put("three\n")
    assert note.part_path.read_text() == "three\n"
    note.abort()
    assert not list(tmp_path.iterdir())


def test_takes_are_looked_for_where_they_go(tmp_path: Path) -> None:
    for name in ("take-2", "take-3", "other"):
        (tmp_path / name).mkdir()
    assert takes_of(tmp_path) == [tmp_path, tmp_path / "take-2", tmp_path / "take-3"]
    assert takes_of(tmp_path / "none") == []


@POSIX
def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from rtsep.io.locks import Claim\n"
        "path = Path(sys.argv[1]); path.touch(); claim = Claim(path); print('claimed', flush=True); time.sleep(60)"
    )
    from rtsep.io.locks import is_claimed

    path = tmp_path / "a"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"claimed\n"
        assert is_claimed(path)
        process.kill()
    for _ in range(100):
        if not is_claimed(path):
            break
        time.sleep(0.05)
    assert not is_claimed(path)
    assert not is_claimed(tmp_path / "none")
