"""The files of a session: the sink file from its start to its end, and takes of the stems, one for each model.

A take is aligned to the sample and has no latency; with another model its stems are others, and with another latency
its mix would lie elsewhere. So a change while it plays ends the take and begins the next, in a folder of its own; what
is heard while one fades into the other, some hundredths of a second, is in neither, however slow the disk: the files
before are finished when those after have begun. Where only the folder or the format
changes, and with another rig, which has a recording of its own (`rtsep.handover`), the next take begins at the very
sample at which the one before ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rtsep.desk import Desk
from rtsep.errors import RtsepError
from rtsep.io.labels import Label
from rtsep.notes import SPLICES, Event
from rtsep.recorder import POLL_S, Recorder
from rtsep.session_files import open_sink, open_take
from rtsep.settings import LiveSettings


class Take:
    """Files that are written together, from one instant to another, and what happens meanwhile.

    Parameters
    ----------
    desk
        Whose tapes are followed.
    first
        Position of the card at which sample 0 of the files is heard.
    until
        Gives the position on the tapes at which the files end, once that is known.
    place
        From events on the tapes to events in the files.
    open_files
        Makes the recorder of what gives how many samples are certain, and of what gives the events.

    Attributes
    ----------
    first
        See above.
    """

    def __init__(
        self,
        desk: Desk,
        first: int,
        until: Callable[[], int | None],
        place: Callable[[Iterable[Event]], Iterable[Event]],
        open_files: Callable[[Callable[[], int], Callable[[], Iterable[Event]]], Recorder],
    ) -> None:
        self._desk, self.first, self._until, self._place = desk, first, until, place
        self._last: int | None = None
        self._queue: deque[Event] = deque()
        self.recorder = open_files(self.n_heard, self._events)

    def n_heard(self) -> int:
        """Samples of every file that are certain by now.

        After a change of the latency that is not what was heard of the input, but what has come out.
        """
        position, until = self._desk.position, self._until()
        if until is not None:
            position = min(position, until + self._desk.offset_samples)
        if self._last is not None:
            position = min(position, self._last)
        return max(0, position - self.first)

    def cut_at(self, position: int) -> None:
        """Have nothing in the files of what is heard from that position of the card on."""
        self._last = position

    def end_at(self, position: int) -> None:
        """Cut it there, and give the files their names."""
        self.cut_at(position)
        self.recorder.close()

    def tell(self, events: Iterable[Event]) -> None:
        """What has happened."""
        self._queue.extend(events)

    def _events(self) -> Iterable[Event]:
        return self._place(self._queue.popleft() for _ in range(len(self._queue)))


class Recording:
    """All files of a session, behind one door.

    Parameters
    ----------
    settings
        What is to be written.
    stems
        Those that play first.
    desk
        Whose tapes are followed.
    end
        Where the input ends, once that is known.

    Attributes
    ----------
    account : callable
        Gives what is known of the session, for ``session.yaml``.

    Raises
    ------
    UsageError
        The sink file is one of the take.
    AudioFileError
        A folder cannot be made or a file not be written. None is left then.
    """

    def __init__(
        self, settings: LiveSettings, stems: tuple[str, ...], desk: Desk, end: Callable[[], int | None]
    ) -> None:
        self._desk, self._end = desk, end
        self._cut: int | None = None
        self._lock = threading.Lock()
        self._recorders: list[Recorder] = []  # the sink's, if there is one, then those of all takes
        self._sink: Take | None = None
        self._take: Take | None = None
        self._folder = settings.output.record  # of takes, if any are wanted now
        self._ahead: list[Event] = []  # what has happened to what is not heard yet
        self.account: Callable[[], Mapping[str, Any]] = dict
        self._error: Exception | None = None
        try:
            self._put(self._new_take(settings, stems))
            self._open_sink(settings)
        except BaseException:
            self.abort()
            raise

    def _open_sink(self, settings: LiveSettings) -> None:
        if not settings.output.endpoint.is_file:
            return
        first = self._desk.offset_samples
        files = partial(open_sink, settings, self._desk)
        self._sink = Take(self._desk, first, self._until, InSink(), files)
        self._recorders.insert(0, self._sink.recorder)

    def _new_take(self, settings: LiveSettings, stems: tuple[str, ...]) -> Take | None:
        """One that begins with what is heard now, and knows what of that has happened already."""
        if settings.output.record is None:
            return None
        desk = self._desk
        start = max(0, desk.position - desk.offset_samples)
        files = partial(open_take, settings, stems, desk, start)
        take = Take(desk, start + desk.offset_samples, self._until, partial(in_take, start), files)
        take.recorder.account = lambda: self.account()
        take.tell(self._ahead)
        return take

    def _put(self, take: Take | None) -> None:
        self._take = take
        if take is not None:
            self._recorders.append(take.recorder)

    def turn(self, settings: LiveSettings, stems: tuple[str, ...]) -> None:
        """Go on in another take, if takes are wanted, which begins at the sample at which the one before ends.

        Raises
        ------
        UsageError
            The sink file is one of the take.
        AudioFileError
            The folder cannot be made or a file not be written. The take before goes on then.
        """
        with self._lock:  # nobody writes meanwhile
            self._pull()
            before, following = self._take, self._new_take(settings, stems)
            self._folder = settings.output.record
            self._put(following)
            if before is not None:
                before.end_at(following.first if following is not None else self._desk.position)

    @contextmanager
    def between_takes(self, settings: LiveSettings, stems: tuple[str, ...]) -> Iterator[None]:
        """What happens inside is in no take: one ends before, and the next begins after it, if takes are wanted.

        If none can be made, `error` says so. Nobody writes meanwhile, for a slow disk would make it longer.
        """
        with self._lock:
            self._pull()
            before, self._take = self._take, None
            if before is not None:
                before.cut_at(self._desk.position)
            try:
                yield
                self._begin_take(settings, stems)
            finally:
                if before is not None:
                    before.recorder.close()

    def _begin_take(self, settings: LiveSettings, stems: tuple[str, ...]) -> None:
        self._folder = settings.output.record
        try:
            self._put(self._new_take(settings, stems))
        except RtsepError as error:
            self._error = self._error or error

    def end_take(self) -> None:
        """Give the files of the take their names: what was heard by now is all there is of it."""
        with self._lock:
            if self._take is not None:
                self._pull()
                self._take.recorder.close()
            self._take = None

    @property
    def has_take(self) -> bool:
        """Whether a take is written now."""
        return self._take is not None and not self._take.recorder.is_over

    def record_into(self, folder: Path, settings: LiveSettings, stems: tuple[str, ...]) -> None:
        """Begin a take there, if none is written.

        Raises
        ------
        UsageError
            The sink file is one of the take.
        AudioFileError
            The folder cannot be made or a file not be written.
        """
        if not self.has_take:
            self.turn(settings.recorded_into(folder), stems)

    def stop_takes(self) -> None:
        """End the take, if one is written, and begin no other."""
        self._folder = None
        self.end_take()

    @property
    def folder(self) -> Path | None:
        """Where takes go; None: none are wanted now."""
        return self._folder

    def end_after(self, fall: Callable[[], None], n_samples: int) -> int:
        """End all files so many samples of the card after a fall has begun; the position on the tapes mixed then.

        Counted from behind it, however long it took: no file ends in what is still heard.
        """
        with self._lock:  # nobody writes meanwhile, so nothing beyond it is written yet
            fall()
            self._cut = self._desk.position - self._desk.chain.offset_samples + n_samples
            return self._cut

    def go_on(self) -> None:
        """It does not end there after all."""
        self._cut = None

    def _until(self) -> int | None:
        known = [end for end in (self._end(), self._cut) if end is not None]
        return min(known, default=None)

    @property
    def is_wanted(self) -> bool:
        """Whether anything is written."""
        return bool(self._recorders)

    @property
    def is_over(self) -> bool:
        """Whether no file is written any more."""
        return all(recorder.is_over for recorder in self._recorders)

    @property
    def error(self) -> Exception | None:
        """What ended a file, if anything did."""
        errors = (recorder.error for recorder in self._recorders)
        return next((error for error in errors if error is not None), self._error)

    @property
    def files(self) -> tuple[Path, ...]:
        """What was made."""
        return tuple(path for recorder in self._recorders for path in recorder.files)

    @property
    def n_lost_samples(self) -> int:
        """Samples that are silent in the files: overtaken, or never separated."""
        return sum(recorder.n_lost_samples for recorder in self._recorders)

    @property
    def n_clipped_samples(self) -> dict[Path, int]:
        """Of each file the values, of all channels, that lay beyond full scale and were clipped."""
        return {path: n for recorder in self._recorders for path, n in recorder.n_clipped_samples.items()}

    @property
    def labels(self) -> list[Label]:
        """Where something was lost, as the first of the files has it."""
        return self._recorders[0].labels if self._recorders else []

    def step(self) -> None:
        """Write what is new."""
        with self._lock:
            self._pull()
            for recorder in self._recorders:
                recorder.step()

    def run(self, stop: threading.Event) -> None:
        """Follow the tapes until told to stop."""
        while not stop.wait(POLL_S):
            self.step()

    def close(self) -> None:
        """Write the rest, and give the files their names."""
        with self._lock:
            self._pull()
            for recorder in self._recorders:
                recorder.close()

    def abort(self) -> None:
        """Leave no files but those that have their names already."""
        for recorder in self._recorders:
            recorder.abort()

    def _pull(self) -> None:
        """Hand what has happened to whoever writes."""
        events, heard = list(self._desk.new_events()), self._desk.position - self._desk.offset_samples
        self._ahead = [event for event in (*self._ahead, *events) if end_of(event) > heard]
        for take in (self._sink, self._take):
            if take is not None:
                take.tell(events)


class InSink:
    """Events in the sink file, which goes on when a change repeats or leaves out some of the input."""

    def __init__(self) -> None:
        self._n_repeated = 0

    def __call__(self, events: Iterable[Event]) -> Iterator[Event]:
        """From positions on the tapes to samples of the file."""
        for position, kind, n_samples in events:
            self._n_repeated += n_samples if kind == "switch" else 0
            yield position + self._n_repeated, kind, n_samples


def end_of(event: Event) -> int:
    """Where on the tapes it is over."""
    position, kind, n_samples = event
    return position if kind in SPLICES else position + n_samples


def in_take(start: int, events: Iterable[Event]) -> Iterator[Event]:
    """Events in files that begin at a position; what was over by then is left out."""
    for position, kind, n_samples in events:
        first = max(0, position - start)
        if kind in SPLICES:
            yield first, kind, n_samples
        elif (n_left := position + n_samples - start - first) > 0:
            yield first, kind, n_left
