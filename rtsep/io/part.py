"""Hidden files: what is being written, until it is whole and gets its name.

``.rtsep-1f0c….part`` is worth nothing without the process that writes it. The files of a recording, which nobody can
make again, say what they are: ``.rtsep-1f0c…-mixture.wav.part``, one number for all files of a take, so that
`rtsep.recover` can finish what a killed process left. A claim (`rtsep.io.locks`) tells the dead from the living.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import IO

from rtsep.io.locks import Claim, is_claimed
from rtsep.whole import replacing

PREFIX, SUFFIX = ".rtsep-", ".part"
N_NAME_MAX = (
    50  # characters of the target's name, from its end: some systems allow no more than 255 bytes in all
)
OF_TAKE = re.compile(re.escape(PREFIX) + r"([0-9a-f]{12})-(.+)" + re.escape(SUFFIX), re.DOTALL)


def new_take() -> str:
    """A number for the files of a take."""
    return secrets.token_hex(6)


def part_of(target: Path, take: str | None) -> Path:
    """The hidden file of a file to be; `take` is for what shall outlive its process."""
    if take is None:
        return target.with_name(f"{PREFIX}{secrets.token_hex(6)}{SUFFIX}")
    return target.with_name(f"{PREFIX}{take}-{target.name[-N_NAME_MAX:]}{SUFFIX}")


def target_of(part: Path) -> Path:
    """What the hidden file of a take would have become."""
    found = OF_TAKE.fullmatch(part.name)
    if found is None:
        raise ValueError(f"{part} is no hidden file of a take")
    return part.with_name(found[2])


def takes_in(folder: Path) -> dict[str, list[Path]]:
    """The hidden files of takes in a folder, by the take's number."""
    takes: dict[str, list[Path]] = {}
    for part in sorted(folder.glob(f"{PREFIX}*{SUFFIX}")):
        if (found := OF_TAKE.fullmatch(part.name)) is not None:
            takes.setdefault(found[1], []).append(part)
    return takes


def is_being_filled(folder: Path) -> bool:
    """Whether files of this folder are being written, by this program or another, or wait to be recovered."""
    return bool(takes_in(folder)) or any(map(is_claimed, folder.glob(f"{PREFIX}*{SUFFIX}")))


class PartFile:
    """The hidden file. It keeps its first error: the libraries that write to it would lose or distort it.

    Parameters
    ----------
    path
        Its name.
    reserve_bytes
        Room that is kept back, and given up when the disk is full, so that the file can still be ended.

    Attributes
    ----------
    error : OSError or None
        What went wrong first.
    is_lost : bool
        Whether bytes are missing; without a reserve the first error loses some.
    """

    def __init__(self, path: Path, reserve_bytes: int = 0) -> None:
        self.path = path
        self.error: OSError | None = None
        self.is_lost = False
        self._reserve = _reserve(path.parent, reserve_bytes) if reserve_bytes else None
        try:
            self._file = path.open("xb", buffering=0)  # what a buffer could not write would be tried for ever
            self._claim = Claim(path)
        except BaseException:
            self._give_up_reserve()
            raise

    def write(self, data: bytes | memoryview) -> int:
        """Write, or pretend to once bytes were lost."""
        rest = memoryview(data)
        while len(rest) and not self.is_lost:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self.error = self.error or error
                self.is_lost = not self._give_up_reserve()
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The byte to be written next."""
        return self._file.tell()

    def sync(self) -> None:
        """Bring what is there to the disk. What it says against it is an `error`, but no reason to lose the rest."""
        try:
            if not self.is_lost:
                os.fsync(self._file.fileno())
        except OSError as error:
            self.error = self.error or error
            self._give_up_reserve()

    def close(self) -> None:
        """Bring everything to the disk; the claim stays until `release`."""
        try:
            os.fsync(self._file.fileno())  # some file systems tell only now that they are full
            self._file.close()
        except OSError as error:
            self.error, self.is_lost = self.error or error, True
            with contextlib.suppress(OSError):
                self._file.close()
        self._give_up_reserve()

    def release(self) -> None:
        """Others may have the file: it has its name, or was given up."""
        self._claim.release()

    def _give_up_reserve(self) -> bool:
        """Make room; whether there was any to make."""
        reserve, self._reserve = self._reserve, None
        if reserve is not None:
            reserve.close()
        return reserve is not None


def _reserve(folder: Path, n_bytes: int) -> IO[bytes]:
    """A file without a name, full of what no file system can make smaller."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        file.write(os.urandom(n_bytes))
        file.flush()
        stack.pop_all()
    return file


class NotePart:
    """A text beside a recording, hidden as long as that is.

    Parameters
    ----------
    path
        The file to be.
    take
        The number of the recording, whose claims hold for this file as well.

    Attributes
    ----------
    path, part_path
        The file to be, and the hidden one, which is there once something was written.
    """

    def __init__(self, path: Path, take: str) -> None:
        self.path, self.part_path = path, part_of(path, take)

    def put(self, text: str) -> None:
        """Have this text and no other, whole or not at all."""
        with replacing(self.part_path) as file:
            file.write(text.encode())

    def add(self, text: str) -> None:
        """Append, and bring it to the disk."""
        with self.part_path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """It is whole after every `put`."""

    def release(self) -> None:
        """It has no claim of its own."""

    def give_up(self) -> None:
        """It stays for whoever recovers the recording."""

    def abort(self) -> None:
        """Leave nothing behind."""
        self.part_path.unlink(missing_ok=True)
