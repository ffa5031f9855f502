"""What libsndfile and FFmpeg raise, as errors of one file that a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import soundfile

from rtsep.errors import AudioFileError

LIBRARY_ERRORS = (soundfile.SoundFileError, av.FFmpegError)


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turn an error of the libraries into one of rtsep's.

    Parameters
    ----------
    path
        The file that they work on.
    what
        What cannot be done: ``cannot be read``.

    Raises
    ------
    AudioFileError
        A library gave up; the message ends with its own words.
    """
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise AudioFileError(f"{path} {what}: {reason(error)}.") from error


def reason(error: Exception) -> str:
    """A library's own words, without the full stop."""
    return str(getattr(error, "strerror", None) or error).rstrip(".")
