"""Names for files that are whole: all of them or none, and never a gap where an older file was."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rtsep.errors import AudioFileError, RtsepError
from rtsep.io.locks import sync_folder


class Pending(Protocol):
    """A file under a hidden name."""

    path: Path

    @property
    def part_path(self) -> Path:
        """The hidden name."""

    def finish(self) -> None:
        """Bring the last byte to the disk."""

    def release(self) -> None:
        """It has its name."""

    def give_up(self) -> None:
        """It gets none."""


def commit_together(writers: Sequence[Pending]) -> None:
    """Finish files and give all of them their names, or none.

    Raises
    ------
    AudioFileError
        One of them cannot be finished or renamed. Every target is as it was before.
    """
    kept: list[Path | None] = []
    n_renamed = 0
    try:
        for writer in writers:
            writer.finish()
        for writer in writers:
            kept.append(_keep(writer.path))
            writer.part_path.replace(writer.path)
            n_renamed += 1
    except BaseException as error:
        for i, old in reversed(list(enumerate(kept))):
            _take_back(writers[i], old, is_renamed=i < n_renamed)
        for writer in writers:
            writer.give_up()
        if isinstance(error, OSError) and not isinstance(error, RtsepError):
            raise AudioFileError(f"{error.filename} cannot be renamed: {error.strerror or error}.") from error
        raise
    for folder in {writer.path.parent for writer in writers}:
        sync_folder(folder)
    for writer in writers:
        writer.release()
    for old in kept:
        if old is not None:
            old.unlink(missing_ok=True)


def _take_back(writer: Pending, old: Path | None, *, is_renamed: bool) -> None:
    """Undo a renaming: the new file is hidden again, and the old one is back."""
    if is_renamed:
        writer.path.replace(writer.part_path)
    if old is not None:
        old.replace(writer.path)
        old.unlink(missing_ok=True)  # two names of one file survive a renaming to each other


def _keep(target: Path) -> Path | None:
    """A second, hidden name for what is there now, so that it can come back; None if nothing is there."""
    if not os.path.lexists(target):
        return None
    old = target.with_name(f".rtsep-{secrets.token_hex(6)}.old")
    if not target.is_symlink():
        with contextlib.suppress(OSError):  # not every file system knows second names
            os.link(target, old)
            return old
    try:
        shutil.copy2(target, old, follow_symlinks=False)
    except BaseException:
        old.unlink(missing_ok=True)
        raise
    return old
