"""Places in a recording where something was lost, as other programs read them.

In WAV they are cue points with names and lengths (the chunks ``cue`` and ``LIST adtl`` of the RIFF specification,
Microsoft and IBM, 1991), beside any file a label track of Audacity: a line for each, ``start, end, text`` with tabs
between, times in seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

N_CUES_MAX = 4096  # about 400 kB: so that they fit into what is kept back on a full disk
LARGEST = 0xFFFFFFFF  # what a cue point can say


class Label(NamedTuple):
    """From `start_samples` of a file to before `end_samples`; both alike for a place between two samples."""

    start_samples: int
    end_samples: int
    text: str


def union(labels: Iterable[Label]) -> list[Label]:
    """Labels in order, those of one text that overlap or touch made one."""
    merged: list[Label] = []
    for label in sorted(labels, key=lambda one: (one.text, one.start_samples)):
        last = merged[-1] if merged else None
        if last is not None and last.text == label.text and label.start_samples <= last.end_samples:
            merged[-1] = last._replace(end_samples=max(last.end_samples, label.end_samples))
        else:
            merged.append(label)
    return sorted(merged)


def within(labels: Iterable[Label], n_samples: int) -> list[Label]:
    """The parts of labels that lie in a file of so many samples."""
    cut = (Label(max(0, one.start_samples), min(one.end_samples, n_samples), one.text) for one in labels)
    return [one for one in cut if one.start_samples <= one.end_samples and one.start_samples < n_samples]


def to_track(labels: Iterable[Label], sample_rate_hz: int) -> str:
    """Lines of a label track; nine decimals tell samples of every rate apart."""
    return "".join(
        f"{one.start_samples / sample_rate_hz:.9f}\t{one.end_samples / sample_rate_hz:.9f}\t{one.text}\n"
        for one in labels
    )


def from_track(track: str, sample_rate_hz: int) -> list[Label]:
    """The labels of a track; a last line that was not written to its end is left out."""
    labels = []
    for line in track.splitlines(keepends=True):
        start, end, text = (*line.split("\t", 2), "", "")[:3]
        if text.endswith("\n"):
            at = (round(float(start) * sample_rate_hz), round(float(end) * sample_rate_hz))
            labels.append(Label(*at, text.rstrip("\n")))
    return labels


def cue_chunks(labels: Sequence[Label]) -> bytes:
    """Labels as chunks of a WAV file: the first `N_CUES_MAX` of those that 32 bits can place."""
    placed = [one for one in labels if one.start_samples <= LARGEST][:N_CUES_MAX]
    if not placed:
        return b""
    points, notes = [], [b"adtl"]
    for number, one in enumerate(placed, 1):
        points.append(struct.pack("<II4sIII", number, one.start_samples, b"data", 0, 0, one.start_samples))
        notes.append(_chunk(b"labl", struct.pack("<I", number) + one.text.encode() + b"\0"))
        if (length := one.end_samples - one.start_samples) > 0:
            region = struct.pack("<II4sHHHH", number, min(length, LARGEST), b"rgn ", 0, 0, 0, 0)
            notes.append(_chunk(b"ltxt", region))
    cues = struct.pack("<I", len(points)) + b"".join(points)
    return _chunk(b"cue ", cues) + _chunk(b"LIST", b"".join(notes))


def _chunk(name: bytes, body: bytes) -> bytes:
    """A chunk; the next begins on an even byte."""
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)
