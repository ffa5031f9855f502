"""Folders for files that are about to be written."""

from __future__ import annotations

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
        It cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(f"the folder {folder} cannot be made: {error.strerror or error}.") from error
    return missing
