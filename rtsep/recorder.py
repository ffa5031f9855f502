"""Tapes to files: every stem, the mixture and the outputs, aligned to the sample and free of latency."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep.io.files import AudioWriter, commit_together
from rtsep.stream import Audio
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
    rows: tuple[int, ...]
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

    Attributes
    ----------
    n_lost_samples : int
        Samples that are silent in the files: overtaken, or never separated.
    files : tuple of Path
        What was made: nothing until `close`, and nothing after an error.
    error : Exception or None
        What ended the recording.
    """

    def __init__(
        self, tracks: list[Track], sample_rate_hz: int, limit: Callable[[], int], subtype: str | None = None
    ) -> None:
        self._tracks, self._limit = tracks, limit
        self._writers: list[AudioWriter] = []
        self._n_written = [0] * len(tracks)
        self.n_lost_samples = 0
        self.error: Exception | None = None
        self.files: tuple[Path, ...] = ()
        try:
            for track in tracks:
                lossless = subtype if track.path.suffix.lower() in (".wav", ".flac") else None
                self._writers.append(
                    AudioWriter(track.path, sample_rate_hz, len(track.rows), subtype=lossless)
                )
        except BaseException:
            self.abort()
            raise

    @property
    def n_clipped_samples(self) -> dict[Path, int]:
        """Of each file the values, of all channels, that lay beyond full scale and were clipped."""
        return {track.path: w.n_clipped_samples for track, w in zip(self._tracks, self._writers, strict=True)}

    def step(self) -> None:
        """Write what is new on all tapes. A full disk ends the recording, not the music: see `error`."""
        self._attempt(self._follow)

    def run(self, stop: threading.Event) -> None:
        """Follow the tapes until told to stop."""
        while not stop.wait(POLL_S):
            self.step()

    def close(self) -> None:
        """Write the rest, and give the files their names, or tell in `error` why there are none."""
        self._attempt(self._finish)

    def abort(self) -> None:
        """Leave no files."""
        for writer in self._writers:
            writer.abort()

    def _attempt(self, work: Callable[[], None]) -> None:
        if self.error is not None:
            return
        try:
            work()
        except Exception as error:  # whoever watches the host is told
            self.error = error
            self.abort()

    def _follow(self) -> None:
        limit = self._limit()
        for i, track in enumerate(self._tracks):
            end = min(track.tape.written - track.offset_samples, limit)
            while self._n_written[i] < end:
                n = min(CHUNK_SAMPLES, end - self._n_written[i])
                self._write(i, self._read(track, self._n_written[i] + track.offset_samples, n))

    def _finish(self) -> None:
        self._follow()
        limit = self._limit()
        for i, track in enumerate(self._tracks):  # a tape may end early: stems that came too late to be heard
            while (n_missing := limit - self._n_written[i]) > 0:
                self.n_lost_samples += (n := min(CHUNK_SAMPLES, n_missing))
                self._write(i, np.zeros((len(track.rows), n), np.float32))
        commit_together(self._writers)
        self.files = tuple(track.path for track in self._tracks)

    def _write(self, i: int, block: Audio) -> None:
        self._writers[i].write(block)
        self._n_written[i] += block.shape[1]

    def _read(self, track: Track, start: int, n_samples: int) -> Audio:
        block = track.tape.read(start, n_samples)
        if block is None:
            self.n_lost_samples += n_samples
            return np.zeros((len(track.rows), n_samples), np.float32)
        chosen = block[list(track.rows)]
        lost = ~np.isfinite(chosen).all(axis=0)
        self.n_lost_samples += int(lost.sum())
        return np.where(lost, np.float32(0), chosen)
