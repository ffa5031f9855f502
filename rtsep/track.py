"""One file that follows a tape: reads what is new, writes it, and says what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep.errors import AudioFileError
from rtsep.io.files import AudioWriter
from rtsep.io.labels import Label, within
from rtsep.stream import Audio
from rtsep.tape import Tape

CHUNK_SAMPLES = 8192
RESERVE_BYTES = 1 << 20  # the largest end is M4A's table of frames: enough for an hour


@dataclass
class Track:
    """What is written where.

    Attributes
    ----------
    path
        The file to be.
    tape, rows
        What is written.
    offset_samples
        Position on the tape that is sample 0 of the file.
    """

    path: Path
    tape: Tape
    rows: tuple[int, ...]
    offset_samples: int = 0


class TrackFile:
    """A track that is being written.

    Parameters
    ----------
    track
        What is written where.
    sample_rate_hz
        The tape's rate.
    subtype
        Of a lossless file; None: the codec's own default.
    take
        The number of the recording.
    lose
        Told of what is silent in the file: why, from which sample on, and how many samples.

    Attributes
    ----------
    path, folder : Path
        The file to be, and where.
    writer : AudioWriter
    n_written_samples : int
    """

    def __init__(
        self,
        track: Track,
        sample_rate_hz: int,
        subtype: str | None,
        take: str,
        lose: Callable[[str, int, int], None],
    ) -> None:
        self._track, self._lose = track, lose
        self.path, self.folder = track.path, track.path.parent
        self.n_written_samples = 0
        self.writer = AudioWriter(
            track.path,
            sample_rate_hz,
            len(track.rows),
            subtype=subtype if track.path.suffix.lower() in (".wav", ".flac") else None,
            reserve_bytes=RESERVE_BYTES,
            take=take,
        )

    def advance(self, limit: int) -> bool:
        """Write the next chunk of what is on the tape, up to a sample; whether there was one."""
        n_there = min(self._track.tape.written - self._track.offset_samples, limit) - self.n_written_samples
        if n_there <= 0:
            return False
        self._write(self._read(min(CHUNK_SAMPLES, n_there)))
        return True

    def pad(self, limit: int) -> None:
        """Write silence up to a sample: the tape ended early, with stems that came too late to be heard."""
        while (n_missing := limit - self.n_written_samples) > 0:
            n = min(CHUNK_SAMPLES, n_missing)
            self._lose("skip", self.n_written_samples, n)
            self._write(np.zeros((self.writer.n_channels, n), np.float32))

    def label(self, labels: list[Label]) -> None:
        """Take over those that lie in the file."""
        self.writer.labels = within(labels, self.n_written_samples)

    def keep(self) -> bool:
        """Make a whole file of what was written; whether there is one."""
        if not self.n_written_samples:
            self.writer.abort()
        if not self.writer.is_open:
            return False
        try:
            self.writer.close()
        except AudioFileError:
            return False
        return True

    def _write(self, block: Audio) -> None:
        self.writer.write(block)
        self.n_written_samples += block.shape[1]

    def _read(self, n_samples: int) -> Audio:
        rows, start = self._track.rows, self.n_written_samples
        block = self._track.tape.read(start + self._track.offset_samples, n_samples)
        if block is None:
            self._lose("overrun", start, n_samples)
            return np.zeros((len(rows), n_samples), np.float32)
        chosen = block[list(rows)]
        lost = ~np.isfinite(chosen).all(axis=0)
        edges = np.flatnonzero(np.diff(lost, prepend=False, append=False))
        for first, end in edges.reshape(-1, 2):
            self._lose("skip", start + int(first), int(end - first))
        return np.where(lost, np.float32(0), chosen)
