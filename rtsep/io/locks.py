"""Who is alive: a claim on a file ends with its process, however that ends.

POSIX has locks of open files (``flock``) for it, which also hold between two writers of one process. Windows needs
none: a file that is open there cannot be renamed. (One that is finished and waits for its name, for the moment that
takes, has no protection there.)
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":

    class Claim:
        """The word of a process that a file is its own; there, the open file itself says so."""

        def __init__(self, path: Path) -> None:
            pass

        def release(self) -> None:
            """Give the file up. Again it does nothing."""

    def is_claimed(path: Path) -> bool:
        """Whether a living process has a claim on a file."""
        try:
            path.rename(path)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    @contextlib.contextmanager
    def alone_in(folder: Path) -> Iterator[None]:
        """Where folders have no locks, two that start at the same instant may choose the same one."""
        yield

    def sync_folder(folder: Path) -> None:
        """Names are brought to the disk with their files."""

else:
    import fcntl

    class Claim:
        """The word of a process that a file is its own.

        Parameters
        ----------
        path
            The file, which must exist. A file system without locks takes the claim and forgets it.
        """

        def __init__(self, path: Path) -> None:
            self._handle: int | None = os.open(path, os.O_RDONLY)
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_EX)  # it may wait for somebody who only looks

        def release(self) -> None:
            """Give the file up. Again it does nothing."""
            handle, self._handle = self._handle, None
            if handle is not None:
                os.close(handle)

    def is_claimed(path: Path) -> bool:
        """Whether a living process has a claim on a file; also where nobody can tell."""
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    @contextlib.contextmanager
    def alone_in(folder: Path) -> Iterator[None]:
        """Wait until nobody else of rtsep chooses or mends files in a folder, and keep others waiting."""
        with _opened(folder) as handle:
            if handle is not None:
                with contextlib.suppress(OSError):  # a file system without locks
                    fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def sync_folder(folder: Path) -> None:
        """Bring the names in a folder to the disk: a file without one is lost when the power fails."""
        with _opened(folder) as handle:
            if handle is not None:
                with contextlib.suppress(OSError):  # not every file system can
                    os.fsync(handle)

    @contextlib.contextmanager
    def _opened(folder: Path) -> Iterator[int | None]:
        """A folder's handle; None where one may write but not look."""
        try:
            handle = os.open(folder, os.O_RDONLY)
        except PermissionError:
            yield None
            return
        try:
            yield handle
        finally:
            os.close(handle)
