from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from rtsep.whole import check_replaceable, replacing


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_what_goes_wrong_leaves_what_was(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "file"
    if there:
        path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(bytes([1 // 0]))
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"] * there


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_who_may_read_is_for_the_umask_to_say(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "file"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="links are for few there")
@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_points_at_is_replaced(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    path, target = tmp_path / "link", tmp_path / "far" / "file"
    path.symlink_to(target)
    if there:
        target.write_text("old")
    check_replaceable(path)
    with replacing(path) as file:
        file.write(b"new")
    assert path.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="has no such devices")
def test_a_device_and_a_pipe_are_written_to_and_stay(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for path in (pipe, Path(os.devnull)):
            check_replaceable(path)
            with replacing(path) as file:
                file.write(b"new")
            assert not path.is_file()
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_could_not_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for path, error in (
        (tmp_path, IsADirectoryError),
        (Path(), IsADirectoryError),
        (tmp_path / "none" / "file", FileNotFoundError),
        (tmp_path / "file" / "file", OSError),
    ):
        with pytest.raises(error):
            check_replaceable(path)
        with pytest.raises(error), replacing(path):
            pass
    check_replaceable(tmp_path / "file")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
