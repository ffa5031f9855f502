"""Tapes to files: every stem, the mixture and the outputs, aligned to the sample and free of latency."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep.errors import AudioFileError
from rtsep.io.files import AudioWriter, commit_together
from rtsep.stream import Audio
from rtsep.tape import Tape

POLL_S = 0.1
CHUNK_SAMPLES = 16384
RESERVE_BYTES = 1 << 20  # the largest end is M4A's table of frames: enough for an hour


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

    When a disk is full, the files of that folder end there and keep what they have; the others go on.

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
        What was made: nothing until `close`, but for what a full disk ended before.
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
        self._growing = list(range(len(tracks)))  # the files that are still written
        self._rate_hz = sample_rate_hz
        try:
            for track in tracks:
                lossless = subtype if track.path.suffix.lower() in (".wav", ".flac") else None
                self._writers.append(
                    AudioWriter(
                        track.path,
                        sample_rate_hz,
                        len(track.rows),
                        subtype=lossless,
                        reserve_bytes=RESERVE_BYTES,
                    )
                )
        except BaseException:
            self.abort()
            raise

    @property
    def n_clipped_samples(self) -> dict[Path, int]:
        """Of each file the values, of all channels, that lay beyond full scale and were clipped."""
        return {track.path: w.n_clipped_samples for track, w in zip(self._tracks, self._writers, strict=True)}

    @property
    def is_over(self) -> bool:
        """Whether no file is written any more."""
        return not self._growing

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
        if self.is_over:
            return
        try:
            work()
        except Exception as error:  # whoever watches the host is told
            self.error = self.error or error
            for i in self._growing:
                self._writers[i].abort()
            self._growing = []

    def _follow(self) -> None:
        limit = self._limit()
        for i, track in enumerate(self._tracks):
            with self._ended_when_full(track.path.parent):
                end = min(track.tape.written - track.offset_samples, limit)
                while i in self._growing and self._n_written[i] < end:
                    n = min(CHUNK_SAMPLES, end - self._n_written[i])
                    self._write(i, self._read(track, self._n_written[i] + track.offset_samples, n))

    def _finish(self) -> None:
        self._follow()
        limit = self._limit()
        for i, track in enumerate(self._tracks):  # a tape may end early: stems that came too late to be heard
            with self._ended_when_full(track.path.parent):
                while i in self._growing and (n_missing := limit - self._n_written[i]) > 0:
                    self.n_lost_samples += (n := min(CHUNK_SAMPLES, n_missing))
                    self._write(i, np.zeros((len(track.rows), n), np.float32))
        if limit > 0:
            commit_together([self._writers[i] for i in self._growing])
            self.files += tuple(self._tracks[i].path for i in self._growing)
        else:  # nothing was heard: no reason to replace an earlier take
            self.abort()
        self._growing = []

    @contextlib.contextmanager
    def _ended_when_full(self, folder: Path) -> Iterator[None]:
        """End the files of a folder where one of them cannot grow; each keeps what it has, if that can be."""
        try:
            yield
        except AudioFileError as error:
            ended = [i for i in self._growing if self._tracks[i].path.parent == folder]
            self._growing = [i for i in self._growing if i not in ended]
            kept = [i for i in ended if self._keep(i)]
            told = self._tell_kept(folder, kept) if kept else ""
            self.error = self.error or AudioFileError(f"{error}{told}")

    def _keep(self, i: int) -> bool:
        """Make a whole file of what was written; whether there is one."""
        writer = self._writers[i]
        if not (writer.is_open and self._n_written[i]):
            writer.abort()
            return False
        try:
            writer.close()
        except AudioFileError:
            return False
        self.files += (writer.path,)
        return True

    def _tell_kept(self, folder: Path, kept: list[int]) -> str:
        lengths_s = [self._n_written[i] / self._rate_hz for i in kept]
        names = ", ".join(self._tracks[i].path.name for i in kept)
        return f" The recording in {folder} ended there, after {min(lengths_s):.1f} s; kept: {names}."

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
