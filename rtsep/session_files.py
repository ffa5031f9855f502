"""Which files a live session writes: the sink file and the recording; and which it must never write over."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from rtsep.desk import Desk
from rtsep.errors import UsageError
from rtsep.io.folders import make_folder
from rtsep.io.locks import alone_in
from rtsep.io.part import is_being_filled
from rtsep.notes import MARKS, SESSION, Event
from rtsep.output_names import is_same_file
from rtsep.recorder import Recorder
from rtsep.recover import recover, takes_of
from rtsep.settings import AUDIO_SUFFIXES, LiveSettings, RecordFormat
from rtsep.stream import N_CHANNELS
from rtsep.track import Track
from rtsep.whole import check_replaceable

MIXTURE, MIX = "mixture", "mix"


def check_files(settings: LiveSettings) -> None:
    """Refuse a session that would write over the song that it plays, or could not leave its account.

    Raises
    ------
    UsageError
        The output is the input, or the account would replace music or cannot be written where it should be.
    """
    source, sink, stats = settings.input.endpoint, settings.output.endpoint, settings.control.stats_json
    if source.is_file and sink.is_file and is_same_file(source.path, sink.path):
        raise UsageError(f"{sink.name!r} is input and output; name another file for --output")
    if stats is None:
        return
    is_music = stats.suffix.lower() in AUDIO_SUFFIXES  # one of the recording, perhaps
    if is_music or any(end.is_file and is_same_file(end.path, stats) for end in (source, sink)):
        raise UsageError(f"--stats-json {stats} would replace the music there; name another file")
    if settings.output.record is not None and stats.name in (SESSION, MARKS):
        raise UsageError(
            f"--stats-json {stats} would replace the account of the recording; name another file"
        )
    try:
        check_replaceable(stats)
    except OSError as error:
        raise UsageError(
            f"--stats-json {stats}: {error.strerror or error}. Name a file in a folder that is there and yours."
        ) from error


def check_take(settings: LiveSettings, stems: tuple[str, ...]) -> None:
    """Refuse takes that could not be written where they are to go, if any are wanted.

    Raises
    ------
    UsageError
        The sink file is one of the take.
    AudioFileError
        The folder cannot be made.
    """
    if settings.output.record is not None:
        with _chosen_folder(settings.output.record, settings, stems):
            return


def recover_earlier(settings: LiveSettings) -> list[str]:
    """Finish what killed sessions left in the folders of this one; lines that tell of it."""
    record, sink = settings.output.record, settings.output.endpoint
    folders = takes_of(record) if record is not None else []
    if sink.is_file and sink.path.parent.is_dir() and sink.path.parent not in folders:
        folders.append(sink.path.parent)
    reserved = [sink.path] if sink.is_file else []
    return [line for folder in folders for done in recover(folder, reserved) for line in done.tell()]


def open_sink(
    settings: LiveSettings,
    desk: Desk,
    n_out: Callable[[], int],
    events: Callable[[], Iterable[Event]],
) -> Recorder:
    """A recorder for the sink file, which there must be.

    Parameters
    ----------
    settings
        What is to be written.
    desk
        Whose tapes are followed.
    n_out
        Gives how many samples have come out by now, which is how long the file may be.
    events
        Gives what happened; see `rtsep.recorder`.

    Raises
    ------
    AudioFileError
        The file cannot be written.
    """
    path = settings.output.endpoint.path
    track = Track(path, desk.sink_tape, tuple(range(desk.n_outputs)), desk.offset_samples)
    return Recorder([track], desk.sample_rate_hz, n_out, "PCM_24", events=events)


def open_take(
    settings: LiveSettings,
    stems: tuple[str, ...],
    desk: Desk,
    start: int,
    n_heard: Callable[[], int],
    events: Callable[[], Iterable[Event]],
) -> Recorder:
    """A recorder for ``--record``: ``mixture``, a file for each stem, and ``mix`` (the main bus), all of 24 bits.

    With them go ``session.yaml`` and, if something was lost, ``marks.txt``. It replaces nothing: a folder that holds
    any file of these names gets the take into ``take-2``, ``take-3`` and so on.

    Parameters
    ----------
    settings, desk, events
        See `open_sink`.
    stems
        Those that play.
    start
        Position on the tapes of sample 0 of the files.
    n_heard
        Gives how many samples of the take were heard by now, which is how long the files may be.

    Raises
    ------
    UsageError
        The sink file is one of the take.
    AudioFileError
        A folder cannot be made or a file not be written.
    """
    base = settings.output.record
    assert base is not None, "whoever asks for a take says where"
    with _chosen_folder(base, settings, stems) as folder:
        tracks = _tracks(folder, settings, stems, desk, start)
        rate_hz = desk.sample_rate_hz
        return Recorder(tracks, rate_hz, n_heard, "PCM_24", events=events, notes_folder=folder)


def _tracks(
    folder: Path, settings: LiveSettings, stems: tuple[str, ...], desk: Desk, start: int
) -> list[Track]:
    names = _sound_names(stems, settings.output.record_format)
    mixture, *of_stems, mix = [folder / name for name in names]
    tracks = [Track(mixture, desk.input_tape, tuple(range(N_CHANNELS)), start)]
    for i, path in enumerate(of_stems):
        rows = tuple(range(N_CHANNELS * i, N_CHANNELS * (i + 1)))
        tracks.append(Track(path, desk.chain.stem_tape, rows, start))
    tracks.append(Track(mix, desk.sink_tape, desk.main, start + desk.offset_samples))
    return tracks


def _sound_names(stems: tuple[str, ...], record_format: RecordFormat) -> list[str]:
    return [f"{name}.{record_format}" for name in (MIXTURE, *stems, MIX)]


@contextmanager
def _chosen_folder(base: Path, settings: LiveSettings, stems: tuple[str, ...]) -> Iterator[Path]:
    """Where a take goes: the folder that was asked for, or the first numbered one in it that holds no take.

    It is made; and nobody else of rtsep takes it until this ends.
    """
    sink = settings.output.endpoint
    names = [name for kind in get_args(RecordFormat) for name in _sound_names(stems, kind)]
    numbered = (base / f"take-{number}" for number in itertools.count(2))
    for folder in itertools.chain([base], numbered):
        paths = [folder / name for name in (*names, SESSION, MARKS)]
        # Also where this take will not go: an earlier one is nothing to write over either.
        if sink.is_file and any(is_same_file(sink.path, path) for path in paths):
            raise UsageError(
                f"{sink.name!r} is a file of the recording in {base}; name another file for --output, "
                f"or another folder for --record"
            )
        make_folder(folder)
        with alone_in(folder):
            if not is_being_filled(folder) and not any(os.path.lexists(path) for path in paths):
                yield folder
                return
