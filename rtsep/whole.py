"""Files that are replaced whole or not at all, and kept beside before."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that becomes `path` when the block ends well, and vanishes when it does not.

    What a link points at is replaced, not the link. A pipe or a device is nothing that could be replaced: it is
    written to.

    Parameters
    ----------
    path
        The file to make or to replace.

    Raises
    ------
    OSError
        It cannot be written, or is a folder; what was there is still there.
    """
    if not _can_be_replaced(path):
        with path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the old one goes when this one is on the disk
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def check_replaceable(path: Path) -> None:
    """Find out beforehand whether `replacing` could make its file; nothing is left behind.

    Raises
    ------
    OSError
        It could not.
    """
    if _can_be_replaced(path):
        with tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent):
            pass


def copy_beside(path: Path) -> Path:
    """Keep what is in a file under a name that nothing has yet: ``live.yaml.before``, ``live.yaml.before-2`` ...

    Raises
    ------
    OSError
        It cannot be read, or the other file not be written.
    """
    endings = itertools.chain([".before"], (f".before-{n}" for n in itertools.count(2)))
    names = (path.with_name(f"{path.name}{ending}") for ending in endings)
    beside = next(name for name in names if not os.path.lexists(name))
    with replacing(beside) as copy:
        copy.write(path.read_bytes())
    return beside


def _can_be_replaced(path: Path) -> bool:
    """Whether there is a regular file, or nothing yet."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return path.is_file() or not path.exists()
