"""A digest of everything that is compiled into the entry points of this room.

numba keeps compiled functions on the disk, and finds out that one has changed by the file that it stands in. An entry
point has the functions of other files compiled into it; after an upgrade that changes only those, the old machine code
would be taken. What a function closes over is part of the key too, so the entry points close over this digest.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _digest() -> str:
    digest = hashlib.sha256()
    for path in (_HERE.parent / "atomics.py", *sorted(_HERE.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


SOURCES = _digest()
