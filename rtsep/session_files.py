"""Which files a live session writes: the sink file and the recording; and which it must never write over."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from rtsep.chain import Chain
from rtsep.errors import UsageError
from rtsep.io.folders import make_folder
from rtsep.io.part import is_being_filled
from rtsep.output_names import is_same_file
from rtsep.recorder import Recorder, Track
from rtsep.settings import AUDIO_SUFFIXES, LiveSettings
from rtsep.stream import N_CHANNELS
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
    try:
        check_replaceable(stats)
    except OSError as error:
        raise UsageError(
            f"--stats-json {stats}: {error.strerror or error}. Name a file in a folder that is there and yours."
        ) from error


def open_recorder(
    settings: LiveSettings, stems: tuple[str, ...], chain: Chain, heard: Callable[[], int]
) -> Recorder | None:
    """A recorder for the sink file and for ``--record``, or None if nothing is to be written.

    A recording is ``mixture.wav``, a file for each stem, and ``mix.wav`` (the main bus): 24 bits. It replaces
    nothing: a folder that holds any file of these names gets the take into ``take-2``, ``take-3`` and so on.
    `heard` gives how many samples were played by now, which is how long the files may be.

    Raises
    ------
    UsageError
        The sink file is one of the recording.
    AudioFileError
        A folder cannot be made or a file not be written.
    """
    tracks = []
    if settings.output.record is not None:
        tracks += _recording(settings, stems, chain)
    sink = settings.output.endpoint
    if sink.is_file:
        outputs = tuple(range(chain.n_outputs))
        tracks.insert(0, Track(sink.path, chain.sink_tape, outputs, chain.offset_samples))
    return Recorder(tracks, chain.sample_rate_hz, heard, "PCM_24") if tracks else None


def _recording(settings: LiveSettings, stems: tuple[str, ...], chain: Chain) -> list[Track]:
    names = [f"{name}.wav" for name in (MIXTURE, *stems, MIX)]
    folder = _choose_folder(settings, names)
    make_folder(folder)
    mixture, *of_stems, mix = [folder / name for name in names]
    tracks = [Track(mixture, chain.input_tape, tuple(range(N_CHANNELS)))]
    for i, path in enumerate(of_stems):
        rows = tuple(range(N_CHANNELS * i, N_CHANNELS * (i + 1)))
        tracks.append(Track(path, chain.stem_tape, rows))
    main = tuple(channel - 1 for channel in settings.output.channels)
    tracks.append(Track(mix, chain.sink_tape, main, chain.offset_samples))
    return tracks


def _choose_folder(settings: LiveSettings, names: Iterable[str]) -> Path:
    """Where a take goes: the folder that was asked for, or the first numbered one in it that holds no take."""
    base, sink = settings.output.record or Path(), settings.output.endpoint
    numbered = (base / f"take-{number}" for number in itertools.count(2))
    for folder in itertools.chain([base], numbered):
        paths = [folder / name for name in names]
        # Also where this take will not go: an earlier one is nothing to write over either.
        if sink.is_file and any(is_same_file(sink.path, path) for path in paths):
            raise UsageError(
                f"{sink.name!r} is a file of the recording in {base}; name another file for --output, "
                f"or another folder for --record"
            )
        if not is_being_filled(folder) and not any(os.path.lexists(path) for path in paths):
            return folder
    raise AssertionError("there is always another number")
