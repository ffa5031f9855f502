"""Unpacking an archive that came over the network, of which nothing is believed.

Only the files of a checkpoint are written, under their last name and by this module itself; a name that
leads elsewhere, a link, or more data than a checkpoint can have condemns the whole archive.
"""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, cast

from rtsep.errors import DownloadError

# The largest published checkpoint, 5stems, has 197 MB; a training's own with Adam's state, three times that.
MAX_UNPACKED_BYTES = 1 << 30
MAX_MEMBERS = 1000

# Archives made on a Mac carry a shadow "._NAME" of every file, which this passes over.
_WANTED = re.compile(r"checkpoint|[A-Za-z0-9][A-Za-z0-9._-]*\.(index|data-\d{5}-of-\d{5})", re.ASCII)


def unpack_checkpoint(archive: Path, into: Path, *, max_bytes: int = MAX_UNPACKED_BYTES) -> Path:
    """Unpack the checkpoint in a ``.tar.gz``.

    Parameters
    ----------
    archive
        The file.
    into
        An empty folder.
    max_bytes
        How much the archive may hold, unpacked.

    Returns
    -------
    Path
        The folder of the checkpoint, which is `into`.

    Raises
    ------
    DownloadError
        The archive is damaged, holds no checkpoint, or holds anything that an honest one does not.
    """
    try:
        with gzip.open(archive, "rb") as plain:
            limited = cast(BinaryIO, _Limited(plain, max_bytes, archive))
            # A stream, not a file to seek in: what is unpacked is counted while it passes.
            with tarfile.open(fileobj=limited, mode="r|") as tar:
                for n_members, member in enumerate(tar, start=1):
                    _check_member(member, n_members, archive)
                    if member.isfile() and _WANTED.fullmatch(PurePosixPath(member.name).name):
                        _write(tar, member, into)
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        gzip.BadGzipFile,
        ValueError,
    ) as error:  # as tarfile has it
        raise DownloadError(f"{archive} is no whole .tar.gz archive: {error}. Fetch it anew.") from error
    except OSError as error:
        raise DownloadError(f"{archive} cannot be unpacked: {error.strerror or error}.") from error
    if not any(into.glob("*.index")):
        raise DownloadError(f"{archive} holds no checkpoint: no file *.index is in it.")
    return into


class _Limited:
    """A stream that refuses to go on for ever."""

    def __init__(self, stream: gzip.GzipFile, max_bytes: int, archive: Path) -> None:
        self._stream = stream
        self._left_bytes = max_bytes
        self._max_bytes = max_bytes
        self._archive = archive

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise DownloadError(
                f"{self._archive} unpacks to more than {self._max_bytes / 1e6:.0f} MB, which no checkpoint does; "
                f"nothing of it was kept."
            )
        return data


def _check_member(member: tarfile.TarInfo, n_members: int, archive: Path) -> None:
    posix, windows = PurePosixPath(member.name), PureWindowsPath(member.name)
    reason = ""
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        reason = "a name that leads out of its folder"
    elif not (member.isfile() or member.isdir()):
        reason = "a link or a device"
    elif n_members > MAX_MEMBERS:
        reason = f"more than {MAX_MEMBERS} members"
    if reason:
        raise DownloadError(
            f"{archive} is not to be trusted: it holds {reason} ({member.name!r}). Nothing of it was kept."
        )


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    content = tar.extractfile(member)
    if content is None:
        return
    try:
        with content, (into / PurePosixPath(member.name).name).open("xb") as file:
            shutil.copyfileobj(content, file)
    except FileExistsError as error:
        raise DownloadError(f"the archive holds {member.name!r} twice. Nothing of it was kept.") from error
