"""Files that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that becomes `path` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    path
        The file to make or to replace.

    Raises
    ------
    OSError
        It cannot be written; what was there is still there.
    """
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the old one goes when this one is on the disk
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
