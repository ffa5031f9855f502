"""Folders for files that are about to be written."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rtsep.errors import AudioFileError


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it.

    Returns
    -------
    list of Path
        Those that were not there before, outermost first.

    Raises
    ------
    AudioFileError
        It cannot be made, and nothing of it is left.
    """
    made: list[Path] = []
    try:
        missing = [place for place in (folder, *folder.parents) if not place.exists()][::-1]
        for place in missing or [folder]:
            place.mkdir(exist_ok=True)  # which tells a file from a folder, too
            made.append(place)
    except OSError as error:
        for place in reversed(made):
            with contextlib.suppress(OSError):  # somebody else put something into it
                place.rmdir()
        raise AudioFileError(f"the folder {folder} cannot be made: {error.strerror or error}.") from error
    return made if missing else []
