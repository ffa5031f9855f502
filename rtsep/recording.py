"""The files of a session: the sink file from its start to its end, and takes of the stems, one for each model.

A take is aligned to the sample and has no latency; with another model its stems are others, and with another latency
its mix would lie elsewhere. So a change while it plays ends the take and begins the next, in a folder of its own; what
is heard while one fades into the other, some hundredths of a second, is in neither.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
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


class Recording:
    """All recorders of a session, behind one door.

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
        self._settings, self._desk, self._end = settings, desk, end
        self._lock = threading.Lock()
        self._recorders: list[Recorder] = []  # the sink's, if there is one, then the takes
        self._queues: list[deque[Event]] = []
        self.account: Callable[[], Mapping[str, Any]] = dict
        self._take: Recorder | None = None
        self._error: Exception | None = None
        first_offset = desk.offset_samples

        def n_out() -> int:
            """Samples that have come out; after a change of the latency that is not what was heard of the input."""
            ends_at = end()
            n = desk.position - first_offset
            return n if ends_at is None else min(n, ends_at + desk.offset_samples - first_offset)

        try:
            if settings.output.record is not None:
                self.begin_take(settings, stems)
            sink = open_sink(settings, desk, lambda: max(0, n_out()), self._new_queue(InSink()))
            if sink is not None:
                self._recorders.insert(0, sink)
        except BaseException:
            self.abort()
            raise

    def begin_take(self, settings: LiveSettings, stems: tuple[str, ...]) -> None:
        """Record what is heard from now on, if takes are wanted."""
        if settings.output.record is None:
            return
        start = max(0, self._desk.position - self._desk.offset_samples)
        offset = self._desk.offset_samples

        def n_heard() -> int:
            ends_at, heard = self._end(), self._desk.position - offset
            return max(0, heard if ends_at is None else min(heard, ends_at)) - start

        events = self._new_queue(partial(in_take, start))
        take = open_take(settings, stems, self._desk, n_heard, events, start)
        take.account = lambda: self.account()
        with self._lock:
            self._recorders.append(take)
            self._take = take

    def next_take(self, settings: LiveSettings, stems: tuple[str, ...]) -> None:
        """As `begin_take`; if there can be none, `error` says so and the music goes on."""
        try:
            self.begin_take(settings, stems)
        except RtsepError as error:
            self._error = self._error or error

    def end_take(self) -> None:
        """Give the files of the take their names: what was heard by now is all there is of it."""
        with self._lock:
            if self._take is not None:
                self._pull()
                self._take.close()
            self._take = None

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

    def _new_queue(
        self, place: Callable[[Iterable[Event]], Iterable[Event]]
    ) -> Callable[[], Iterable[Event]]:
        """Events for a recorder, placed in its files."""
        queue: deque[Event] = deque()
        self._queues.append(queue)
        return lambda: place(queue.popleft() for _ in range(len(queue)))

    def _pull(self) -> None:
        """Hand what has happened to all recorders."""
        for event in self._desk.new_events():
            for queue in self._queues:
                queue.append(event)


class InSink:
    """Events in the sink file, which goes on when a change repeats or leaves out some of the input."""

    def __init__(self) -> None:
        self._n_repeated = 0

    def __call__(self, events: Iterable[Event]) -> Iterator[Event]:
        """From positions on the tapes to samples of the file."""
        for position, kind, n_samples in events:
            self._n_repeated += n_samples if kind == "switch" else 0
            yield position + self._n_repeated, kind, n_samples


def in_take(start: int, events: Iterable[Event]) -> Iterator[Event]:
    """Events in files that begin at a position; what was over by then is left out."""
    for position, kind, n_samples in events:
        first = max(0, position - start)
        if kind in SPLICES:
            yield first, kind, n_samples
        elif (n_left := position + n_samples - start - first) > 0:
            yield first, kind, n_left
