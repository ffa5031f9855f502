"""Tapes to files: every stem, the mixture and the outputs, aligned to the sample and free of latency.

The files grow side by side: none is more than a chunk longer than another, and once a second all are brought to the
disk in a state that can be read. Whatever ends the process, `rtsep.recover` makes files of them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rtsep.errors import AudioFileError
from rtsep.io.commit import Pending, commit_together
from rtsep.io.labels import Label, union, within
from rtsep.io.locks import sync_folder
from rtsep.io.part import new_take
from rtsep.io.writer import AudioWriter
from rtsep.notes import Event, Notes, label
from rtsep.track import Track, TrackFile

POLL_S = 0.1
SYNC_S = 1.0  # what a loss of power may cost
SYNC_SHARE = 0.2  # but a slow disk is not kept busy with it for more of the time than this


_T = TypeVar("_T")


def nothing_happened() -> Iterable[Event]:
    """No events."""
    return ()


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
    events
        Gives what happened since it was last asked, as ``(position_samples, kind, n_samples)``: the position is that of
        the input tape, which is sample `position_samples` of every file; see `rtsep.notes` for the kinds.
    notes_folder
        Where the account and the marks of the recording go; None: nowhere.

    Attributes
    ----------
    account : callable
        Gives what is known of the session, for ``session.yaml``.
    n_lost_samples : int
        Samples that are silent in the files: overtaken, or never separated.
    files : tuple of Path
        What was made: nothing until `close`, but for what a full disk ended before.
    error : Exception or None
        What ended the recording.
    """

    def __init__(
        self,
        tracks: list[Track],
        sample_rate_hz: int,
        limit: Callable[[], int],
        subtype: str | None = None,
        *,
        events: Callable[[], Iterable[Event]] = nothing_happened,
        notes_folder: Path | None = None,
    ) -> None:
        self._limit, self._events, self._rate_hz = limit, events, sample_rate_hz
        self._writers: dict[Path, AudioWriter] = {}
        self._growing: tuple[TrackFile, ...] = ()  # those that are still written; only they hold a tape
        self.account: Callable[[], Mapping[str, Any]] = dict
        self.n_lost_samples = 0
        self.error: Exception | None = None
        self.files: tuple[Path, ...] = ()
        self._labels: list[Label] = []
        self._n_noted = 0  # labels that are in the notes
        self._sync_due_s = time.monotonic() + SYNC_S
        take = new_take()
        self._notes = Notes(notes_folder, take, sample_rate_hz) if notes_folder is not None else None
        try:
            for track in tracks:
                file = TrackFile(track, sample_rate_hz, subtype, take, self._lose)
                self._growing += (file,)
                self._writers[file.path] = file.writer
            for folder in {path.parent for path in self._writers}:
                sync_folder(folder)
        except BaseException:
            self.abort()
            raise

    @property
    def n_clipped_samples(self) -> dict[Path, int]:
        """Of each file the values, of all channels, that lay beyond full scale and were clipped."""
        return {path: writer.n_clipped_samples for path, writer in self._writers.items()}

    @property
    def labels(self) -> list[Label]:
        """Where something was lost, in order."""
        return union(self._labels)

    @property
    def is_over(self) -> bool:
        """Whether no file is written any more."""
        return not self._growing

    def step(self) -> None:
        """Write what is new on all tapes. A full disk ends the recording, not the music: see `error`."""
        self._attempt(lambda: self._follow(self._limit()))
        if time.monotonic() >= self._sync_due_s:
            self._attempt(self._sync)

    def run(self, stop: threading.Event) -> None:
        """Follow the tapes until told to stop."""
        while not stop.wait(POLL_S):
            self.step()

    def close(self) -> None:
        """Write the rest, and give the files their names, or tell in `error` why there are none."""
        self._attempt(self._finish)

    def abort(self) -> None:
        """Leave no files but those that have their names, or are kept for whoever recovers them."""
        growing, self._growing = self._growing, ()
        for file in growing:
            file.writer.abort()
        if self._notes is not None and self.error is None:
            self._notes.abort()

    def _attempt(self, work: Callable[[], None]) -> None:
        if self.is_over:
            return
        try:
            work()
        except Exception as error:  # whoever watches the host is told
            self.error = self.error or error
            for file in self._growing:
                file.writer.give_up()
            self._growing = ()

    def _follow(self, limit: int) -> None:
        self._labels += (label(event, self._rate_hz) for event in self._events())
        is_behind = True
        while is_behind:  # chunk by chunk, side by side
            wrote = [self._attend(file, lambda one: one.advance(limit)) for file in self._growing]
            is_behind = any(wrote)

    def _sync(self) -> None:
        """Bring all files to the disk, as they are."""
        started_s = time.monotonic()
        for file in self._growing:
            self._attend(file, lambda one: one.writer.flush())
        new = union(self._labels[self._n_noted :])  # what goes on for long comes in many parts
        self._labels[self._n_noted :] = new
        self._n_noted = len(self._labels)
        if self._notes is not None and self._growing:
            with self._told_when_notes_fail():
                self._notes.update(self.account(), new)
        took_s = time.monotonic() - started_s
        self._sync_due_s = started_s + max(SYNC_S, took_s / SYNC_SHARE)

    def _finish(self) -> None:
        limit = self._limit()  # once: a take that ends while it plays ends at this instant
        self._follow(limit)
        if limit <= 0:  # nothing was heard: no reason to replace an earlier take
            self.abort()
        else:
            for file in self._growing:
                self._attend(file, lambda one: one.pad(limit))
            self._give_names(self._growing)
        self._growing = ()

    def _attend(self, file: TrackFile, work: Callable[[TrackFile], _T]) -> _T | None:
        """Work on a file that still grows. Where it cannot, the files of its folder end, and keep what they have."""
        if file not in self._growing:
            return None
        try:
            return work(file)
        except AudioFileError as error:
            self._end_folder(file.folder, error)
            return None

    def _end_folder(self, folder: Path, error: AudioFileError) -> None:
        ended = [file for file in self._growing if file.folder == folder]
        self._growing = tuple(file for file in self._growing if file not in ended)
        labels = self.labels
        for file in ended:
            file.label(labels)
        kept = [file for file in ended if file.keep()]
        self.files += tuple(file.path for file in kept)
        told = self._tell_kept(folder, kept) if kept else ""
        self.error = self.error or AudioFileError(f"{error}{told}")
        with contextlib.suppress(AudioFileError):  # last: the files have given up by now what they kept back
            commit_together(self._finish_notes(kept, labels))

    def _tell_kept(self, folder: Path, kept: list[TrackFile]) -> str:
        end_s = min(file.n_written_samples for file in kept) / self._rate_hz
        names = ", ".join(file.path.name for file in kept)
        return f" The recording in {folder} ended there, after {end_s:.1f} s; kept: {names}."

    def _give_names(self, chosen: Sequence[TrackFile]) -> None:
        """Make whole files of what was written."""
        before, labels = self.files, self.labels
        self.files += tuple(file.path for file in chosen)
        for file in chosen:
            file.label(labels)
        try:  # the notes first: they have no claims of their own
            commit_together([*self._finish_notes(chosen, labels), *(file.writer for file in chosen)])
        except BaseException:
            self.files = before
            raise

    def _finish_notes(self, chosen: Sequence[TrackFile], labels: list[Label]) -> Sequence[Pending]:
        """The notes as they shall stay, if one of the files that they are about does."""
        if self._notes is None:
            return ()
        ends = [file.n_written_samples for file in chosen if file.folder == self._notes.folder]
        if ends:
            with self._told_when_notes_fail():
                return self._notes.finish(self.account(), within(labels, max(ends)))
        return ()

    @contextlib.contextmanager
    def _told_when_notes_fail(self) -> Iterator[None]:
        """The music is worth more than what is said about it: the recording goes on, whatever it is."""
        try:
            yield
        except OSError as error:
            told = AudioFileError(f"{error.filename} cannot be written: {error.strerror or error}.")
            self.error = self.error or told
        except Exception as error:
            self.error = self.error or error

    def _lose(self, kind: str, start: int, n_samples: int) -> None:
        self.n_lost_samples += n_samples
        self._labels.append(label((start, kind, n_samples), self._rate_hz))
