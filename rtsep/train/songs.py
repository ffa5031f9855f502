"""Where the songs are: folders with a file for each stem, or an index as Spleeter reads it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from rtsep.errors import TrainingError
from rtsep.settings import AUDIO_SUFFIXES

MIX_NAMES = ("mixture", "mix")


@dataclass(frozen=True)
class SongFiles:
    """One song on disk.

    Parameters
    ----------
    name
        Its folder's name, or of an index the name of the mixture's folder or file.
    mixture
        None: the sum of the stems.
    stems
        Stem to file; a stem without a file is silent.
    duration_s
        None: as long as its files say.
    """

    name: str
    mixture: Path | None
    stems: dict[str, Path]
    duration_s: float | None = None

    def matches(self, patterns: Sequence[str]) -> bool:
        """Whether its name fits one of the shell patterns."""
        return matches(self.name, patterns)


def find_songs(
    data: Path,
    stems: Collection[str],
    *,
    index: Path | None = None,
    mix_name: str = "mix",
    leave_out: Sequence[str] = (),
) -> list[SongFiles]:
    """All songs of `data`.

    Parameters
    ----------
    data
        Without an index, a folder of song folders (``vocals.flac``, ``drums.flac``, ...; optionally
        ``mixture.*``); with one, the folder that its paths are relative to.
    stems
        Names of the model's stems.
    index, mix_name
        See `read_index`.
    leave_out
        Shell patterns of names of songs to pass over.

    Raises
    ------
    TrainingError
        There is nothing there that could be trained on.
    """
    songs = read_index(index, data, stems, mix_name) if index else _read_song_folders(data)
    kept = [song for song in songs if not song.matches(leave_out)]
    if not kept:
        raise TrainingError(
            f"{data} holds no song to train on. Wanted: one folder a song, in it one audio file a stem "
            f"({', '.join(stems)}), or data.index in the recipe: a CSV file with the columns "
            f"{', '.join(index_columns(stems, mix_name))}."
        )
    return kept


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits one of the shell patterns."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def _read_song_folders(data: Path) -> list[SongFiles]:
    if not data.is_dir():
        raise TrainingError(f"{data}: there is no such folder. Name the folder of the songs with -d.")
    songs = []
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        files = audio_files(folder)
        mixture = next((files[name] for name in MIX_NAMES if name in files), None)
        stems = {name: path for name, path in files.items() if name not in MIX_NAMES}
        if stems:
            songs.append(SongFiles(folder.name, mixture, stems))
    return songs


def audio_files(folder: Path) -> dict[str, Path]:
    """The audio files of a folder by their names without suffix, in order."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES)
    return {path.stem: path for path in found}


def index_columns(stems: Collection[str], mix_name: str = "mix") -> list[str]:
    """The columns that an index must have."""
    return [f"{name}_path" for name in (mix_name, *stems)] + ["duration"]


def read_index(index: Path, data: Path, stems: Collection[str], mix_name: str = "mix") -> list[SongFiles]:
    """Read Spleeter's index: ``mix_path,vocals_path,...,duration``, paths relative to `data`, seconds.

    `mix_name` stands in the first column's name, as Spleeter's setting of that name does.

    Raises
    ------
    TrainingError
        The index or a column is missing, a duration is no number, or a file is not there; with the line.
    """
    if not index.is_file():
        raise TrainingError(
            f"{index}: there is no such index. Mend data.index or validation.index in the recipe "
            f"(in Spleeter's JSON: train_csv or validation_csv)."
        )
    with index.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = index_columns(stems, mix_name)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise TrainingError(
                f"{index}: the column {missing[0]!r} is missing; it has {', '.join(reader.fieldnames or ['none'])}. "
                f"Wanted: {', '.join(columns)}."
            )
        return [_read_row(index, number, row, data, columns) for number, row in enumerate(reader, start=2)]


def _read_row(index: Path, line: int, row: dict[str, str], data: Path, columns: Sequence[str]) -> SongFiles:
    try:
        duration_s = float(row["duration"])
    except (TypeError, ValueError):
        raise TrainingError(
            f"{index}, line {line}: duration {row['duration']!r} is no number of seconds."
        ) from None
    paths = {column: data / (row[column] or "") for column in columns[:-1]}
    for column, path in paths.items():
        if not path.is_file():
            raise TrainingError(f"{index}, line {line}: {column} {path} is not there.")
    mixture = paths.pop(columns[0])
    name = mixture.parent.name if mixture.stem in MIX_NAMES else mixture.stem
    stems = {column.removesuffix("_path"): path for column, path in paths.items()}
    return SongFiles(name, mixture, stems, duration_s)
