"""What lies beside a recording: ``session.yaml``, its account, and ``marks.txt``, where something was lost.

Both are hidden as long as the recording is, and kept up to date, so that they are there to be recovered with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rtsep.config import to_yaml
from rtsep.io.labels import Label, to_track
from rtsep.io.part import NotePart

SESSION, MARKS = "session.yaml", "marks.txt"

#: What happened, and how it is said. A splice lies between two samples: its time is not in the files, or twice.
WORDS = {
    "late": "late: the mixture was heard instead of the stems",
    "skip": "skip: no stems were made",
    "starved": "starved: the input came too late and is silent",
    "overrun": "overrun: the recording came too late and is silent",
    "jump": "jump: the clocks of the two cards were off, and the mix is silent",
}
SPLICES = {
    "xrun": "xrun: the card lost input here",
    "switch": "switch: another model or latency plays from here on",
}

#: An event: a position in the files, a key of `WORDS` or `SPLICES` or another word, and how many samples it is about.
Event = tuple[int, str, int]


def label(event: Event, sample_rate_hz: int) -> Label:
    """An event as it is written down."""
    start, kind, n_samples = event
    if kind in SPLICES:
        lost = f", {1000 * abs(n_samples) / sample_rate_hz:.1f} ms" if n_samples else ""
        return Label(start, start, SPLICES[kind] + lost)
    return Label(start, start + n_samples, WORDS.get(kind, kind))


class Notes:
    """The texts beside a recording.

    Parameters
    ----------
    folder
        Where the recording is.
    take
        Its number.
    sample_rate_hz
        Of its files.
    """

    def __init__(self, folder: Path, take: str, sample_rate_hz: int) -> None:
        self.folder, self._rate_hz = folder, sample_rate_hz
        self._session, self._marks = NotePart(folder / SESSION, take), NotePart(folder / MARKS, take)

    def update(self, account: Mapping[str, Any], new: Iterable[Label]) -> None:
        """Keep what is known by now, and labels that have come."""
        self._session.put(to_yaml(account))
        if track := to_track(new, self._rate_hz):
            self._marks.add(track)

    def finish(self, account: Mapping[str, Any], labels: Sequence[Label]) -> list[NotePart]:
        """Write both as they shall stay; marks only if there are any. Gives what is to be renamed."""
        self._session.put(to_yaml(account))
        if not labels:
            self._marks.abort()
            return [self._session]
        self._marks.put(to_track(labels, self._rate_hz))
        return [self._session, self._marks]

    def abort(self) -> None:
        """Leave nothing behind."""
        self._session.abort()
        self._marks.abort()
