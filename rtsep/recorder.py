"""Tapes to files: every stem, the mixture and the outputs, aligned to the sample and free of latency."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep.errors import RtsepError
from rtsep.io.files import AudioWriter, commit_together
from rtsep.tape import Tape

POLL_S = 0.1
CHUNK_SAMPLES = 16384


@dataclass
class Track:
    """A file that is being written from some rows of a tape.

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
    rows: slice
    offset_samples: int = 0


class Recorder:
    """Follows tapes and writes them to files, which get their names together at the end.

    Parameters
    ----------
    tracks
        What to write where.
    sample_rate_hz
        The tapes' rate.
    limit
        Gives how many samples of every file are certain by now: what was heard, up to the input's end.
    subtype
        Of lossless files; None: the codec's own default.
    """

    def __init__(
        self, tracks: list[Track], sample_rate_hz: int, limit: Callable[[], int], subtype: str | None = None
    ) -> None:
        self._tracks, self._limit = tracks, limit
        self._writers: list[AudioWriter] = []
        self._n_written = [0] * len(tracks)
        self.n_lost_samples = 0  # overtaken, or never separated: silent in the files
        self.error: RtsepError | None = None
        try:
            for track in tracks:
                n_channels = len(range(*track.rows.indices(track.tape.n_channels)))
                lossless = subtype if track.path.suffix.lower() in (".wav", ".flac") else None
                self._writers.append(AudioWriter(track.path, sample_rate_hz, n_channels, subtype=lossless))
        except BaseException:
            self.abort()
            raise

    def step(self) -> None:
        """Write what is new on all tapes."""
        limit = self._limit()
        for i, track in enumerate(self._tracks):
            end = min(track.tape.written - track.offset_samples, limit)
            while self._n_written[i] < end:
                n = min(CHUNK_SAMPLES, end - self._n_written[i])
                self._writers[i].write(self._read(track, self._n_written[i] + track.offset_samples, n))
                self._n_written[i] += n

    def run(self, stop: threading.Event) -> None:
        """Follow the tapes until told to stop. A full disk ends the recording, not the music."""
        try:
            while not stop.wait(POLL_S):
                self.step()
        except RtsepError as error:
            self.error = error
            self.abort()

    def close(self) -> None:
        """Write the rest, and give the files their names."""
        if self.error is None:
            self.step()
            commit_together(self._writers)

    def abort(self) -> None:
        """Leave no files."""
        for writer in self._writers:
            writer.abort()

    def _read(self, track: Track, start: int, n_samples: int) -> np.ndarray:
        block = track.tape.read(start, n_samples)
        if block is None:
            self.n_lost_samples += n_samples
            return np.zeros((track.tape.n_channels, n_samples), np.float32)[track.rows]
        lost = ~np.isfinite(block[track.rows]).all(axis=0)
        self.n_lost_samples += int(lost.sum())
        return np.where(lost, np.float32(0), block[track.rows])
