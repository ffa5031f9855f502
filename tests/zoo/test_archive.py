"""Archives that mean no good, and damaged ones."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.errors import DownloadError
from rtsep.zoo.archive import MAX_MEMBERS, unpack_checkpoint

GOOD = {"checkpoint": b"note", "model.index": b"index", "model.data-00000-of-00001": b"data"}


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def pack(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for info, content in (*(member(name, content) for name, content in GOOD.items()), *members):
            tar.addfile(info, io.BytesIO(content))
    return file


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*")}


def test_a_checkpoint_and_nothing_else_is_unpacked(tmp_path: Path, into: Path) -> None:
    others = [
        member("config.json", b"{}"),
        member("._model.index", b"mac"),
        member("model.meta", b"graph"),
        member("sub", kind=tarfile.DIRTYPE),
        member("run.sh", b"rm"),
    ]
    assert unpack_checkpoint(pack(tmp_path / "a.tar.gz", *others), into) == into
    assert contents(into) == GOOD


def test_a_folder_around_it_is_dropped(tmp_path: Path, into: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        for name, content in GOOD.items():
            info, _ = member(f"./2stems/{name}", content)
            tar.addfile(info, io.BytesIO(content))
    unpack_checkpoint(tmp_path / "a.tar.gz", into)
    assert contents(into) == GOOD


@pytest.mark.parametrize(
    ("evil", "match"),
    [
        (member("../model.index", b"x"), "leads out"),
        (member("a/../../model.index", b"x"), "leads out"),
        (member("/tmp/model.index", b"x"), "leads out"),
        (member("..\\model.index", b"x"), "leads out"),
        (member("C:\\model.index", b"x"), "leads out"),
        (member("C:model.index", b"x"), "leads out"),
        (member("\\\\host\\share\\model.index", b"x"), "leads out"),
        (member("other.index", kind=tarfile.SYMTYPE, link="/etc/passwd"), "a link or a device"),
        (member("other.index", kind=tarfile.LNKTYPE, link="model.index"), "a link or a device"),
        (member("other.index", kind=tarfile.FIFOTYPE), "a link or a device"),
        (member("other.index", kind=tarfile.CHRTYPE), "a link or a device"),
        (member("sub/model.index", b"second"), "twice"),
    ],
)
def test_what_an_honest_archive_does_not_hold_is_refused(
    tmp_path: Path, into: Path, evil: tuple[tarfile.TarInfo, bytes], match: str
) -> None:
    with pytest.raises(DownloadError, match=match):
        unpack_checkpoint(pack(tmp_path / "a.tar.gz", evil), into)
    assert contents(into) == GOOD  # what came before; the caller throws the folder away
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.gz", "into"]


def test_bombs_are_refused(tmp_path: Path, into: Path) -> None:
    bomb = pack(tmp_path / "a.tar.gz", member("x.data-00000-of-00001", bytes(3_000_000)))
    assert bomb.stat().st_size < 20_000
    with pytest.raises(DownloadError, match="unpacks to more than 2 MB"):
        unpack_checkpoint(bomb, into, max_bytes=2_000_000)
    unwanted = pack(tmp_path / "b.tar.gz", member("not-even-wanted", bytes(3_000_000)))
    with pytest.raises(DownloadError, match="unpacks to more than 2 MB"):
        unpack_checkpoint(unwanted, tmp_path, max_bytes=2_000_000)
    many = pack(tmp_path / "c.tar.gz", *(member(f"{n}", b"") for n in range(MAX_MEMBERS)))
    (tmp_path / "d").mkdir()
    with pytest.raises(DownloadError, match="more than 1000 members"):
        unpack_checkpoint(many, tmp_path / "d")


def test_what_is_no_archive_is_refused(tmp_path: Path, into: Path) -> None:
    file = tmp_path / "a.tar.gz"
    for content in (b"", b"<html>not found</html>", gzip.compress(b"not a tar"), gzip.compress(bytes(2048))):
        file.write_bytes(content)
        with pytest.raises(DownloadError, match=r"no whole \.tar\.gz|no checkpoint"):
            unpack_checkpoint(file, into)
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        unpack_checkpoint(tmp_path / "nowhere.tar.gz", into)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_damage_gives_the_same_error_or_no_harm(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    whole = bytearray(pack(folder / "a.tar.gz").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a.tar.gz").write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    (folder / "into").mkdir()
    try:
        unpack_checkpoint(folder / "a.tar.gz", folder / "into")
    except DownloadError:
        assert sorted(p.name for p in folder.iterdir()) == ["a.tar.gz", "into"]
