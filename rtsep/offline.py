"""Files to stems: what ``rtsep separate`` does.

::

    AudioReader ─▶ separator.offline_stream ─▶ one AudioWriter per stem ─▶ all renamed, or none

Memory does not depend on the length of a file. Everything that can be known beforehand (a name that two stems
would share, an input that would be overwritten) is refused before any work begins, and what can be known
without a model before one is loaded (`check_request`); what goes wrong with one file later does not stop the
others.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rtsep.errors import AudioFileError, RtsepError, UsageError
from rtsep.io.encode import choose_encoding
from rtsep.io.files import AudioReader, AudioWriter, check_excerpt, commit_together
from rtsep.io.folders import make_folder
from rtsep.output_names import check_names, plan_outputs
from rtsep.stream import N_CHANNELS, Audio, StemStream

BLOCK_SAMPLES = 1 << 16  # of a file at a time
FILENAME_FORMAT = "{filename}/{instrument}.{codec}"


class OfflineSeparator(Protocol):
    """What is needed of a separator."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in their order."""

    def offline_stream(self, sample_rate_hz: int) -> StemStream:
        """A stream for a whole file."""


@dataclass(frozen=True)
class OfflineSettings:
    """Where the stems go, as what, and which part of the files.

    Parameters
    ----------
    output_dir
        The folder under which all files are written; it is made if missing.
    filename_format
        A path under `output_dir`, with ``{filename}`` (the input's name without its ending),
        ``{foldername}`` (the name of the folder that it lies in), ``{instrument}`` and ``{codec}``.
    codec, subtype, bitrate
        See `rtsep.io.writer.AudioWriter`.
    offset_s, duration_s
        The excerpt; None lasts to the end.
    stems
        The stems to write; None writes all.
    """

    output_dir: Path
    filename_format: str = FILENAME_FORMAT
    codec: str = "wav"
    subtype: str | None = None
    bitrate: str | None = None
    offset_s: float = 0.0
    duration_s: float | None = None
    stems: tuple[str, ...] | None = None


@dataclass(frozen=True)
class FileResult:
    """What became of one input.

    Parameters
    ----------
    path
        The input.
    outputs
        Stem to file; empty after an error.
    error
        Why there are no outputs; None if there are.
    notices
        What a person should know: folded channels, a cut end, clipped samples.
    n_samples, sample_rate_hz
        What was separated.
    elapsed_s
        How long it took.
    """

    path: Path
    outputs: Mapping[str, Path] = field(default_factory=dict)
    error: RtsepError | None = None
    notices: tuple[str, ...] = ()
    n_samples: int = 0
    sample_rate_hz: int = 0
    elapsed_s: float = 0.0

    @property
    def speed(self) -> float:
        """Times faster than real time."""
        return (
            self.n_samples / self.sample_rate_hz / self.elapsed_s
            if self.elapsed_s and self.n_samples
            else 0.0
        )


class Progress(Protocol):
    """Who watches. For every input: `start` (unless it cannot be opened), `advance` often, `finish`."""

    def start(self, path: Path, n_samples: int | None, sample_rate_hz: int) -> None:
        """A file is open; `n_samples` may be an estimate, or unknown."""

    def advance(self, n_samples: int) -> None:
        """So many samples more are separated."""

    def finish(self, result: FileResult) -> None:
        """This is what became of the file."""


class Unwatched:
    """Progress that nobody sees."""

    def start(self, path: Path, n_samples: int | None, sample_rate_hz: int) -> None:
        """Do nothing."""

    def advance(self, n_samples: int) -> None:
        """Do nothing."""

    def finish(self, result: FileResult) -> None:
        """Do nothing."""


def separate_files(
    paths: Sequence[str | os.PathLike[str]],
    separator: OfflineSeparator,
    settings: OfflineSettings,
    progress: Progress | None = None,
) -> list[FileResult]:
    """Separate files one after the other.

    Parameters
    ----------
    paths
        The inputs.
    separator
        What separates them.
    settings
        Where the stems go, as what, and which part of the files.
    progress
        Who watches; None: nobody.

    Returns
    -------
    list of FileResult
        One per input, in their order; those with an `error` failed.

    Raises
    ------
    UsageError
        Something is wrong with the settings, or two outputs would have one name. Nothing was done.
    """
    inputs = [Path(path) for path in paths]
    check_request(inputs, settings)
    stems = _wanted_stems(separator.stems, settings)
    plan = plan_outputs(inputs, stems, settings.output_dir, settings.filename_format, settings.codec)
    progress = progress or Unwatched()
    results = []
    for path, outputs in zip(inputs, plan, strict=True):
        started_s = time.perf_counter()
        try:
            result = _separate_file(path, outputs, separator, settings, progress, started_s)
        except RtsepError as error:
            result = FileResult(path, error=error, elapsed_s=time.perf_counter() - started_s)
        progress.finish(result)
        results.append(result)
    return results


def check_request(paths: Sequence[Path], settings: OfflineSettings) -> None:
    """Refuse what is wrong whatever the model is: the encoding, the excerpt, the names.

    Raises
    ------
    UsageError
        Something is.
    """
    choose_encoding(settings.codec, subtype=settings.subtype, bitrate=settings.bitrate)
    check_excerpt(settings.offset_s, settings.duration_s)
    check_names(paths, settings.filename_format, settings.codec)


def _wanted_stems(stems: Sequence[str], settings: OfflineSettings) -> tuple[str, ...]:
    wanted = tuple(stems) if settings.stems is None else tuple(dict.fromkeys(settings.stems))
    unknown = [stem for stem in wanted if stem not in stems]
    if unknown or not wanted:
        given = repr(unknown[0]) if unknown else "none"
        raise UsageError(f"the model has no stem {given}; it has {', '.join(stems)}")
    return wanted


# -------------------------------------------------------------------- one file


def _separate_file(
    path: Path,
    outputs: Mapping[str, Path],
    separator: OfflineSeparator,
    settings: OfflineSettings,
    progress: Progress,
    started_s: float,
) -> FileResult:
    with AudioReader(path, offset_s=settings.offset_s, duration_s=settings.duration_s) as reader:
        progress.start(path, reader.n_samples, reader.sample_rate_hz)
        stream = separator.offline_stream(reader.sample_rate_hz)
        with contextlib.closing(stream), _writing(outputs, reader, settings) as writers:
            rows = [(separator.stems.index(stem), writer) for stem, writer in writers.items()]
            for block in _separated(reader, stream):
                for row, writer in rows:
                    writer.write(block[row])
                progress.advance(block.shape[2])
        return FileResult(
            path,
            outputs,
            notices=_notices(reader, writers),
            n_samples=reader.position_samples,
            sample_rate_hz=reader.sample_rate_hz,
            elapsed_s=time.perf_counter() - started_s,
        )


def _separated(reader: AudioReader, stream: StemStream) -> Iterator[Audio]:
    """Blocks of stems ``(stems, channels, samples)``, aligned with the file and as long as it in all."""
    n_early = stream.latency_samples
    while (block := reader.read(BLOCK_SAMPLES)).shape[1]:
        stems = stream.process(block)
        n_dropped = min(n_early, stems.shape[2])
        n_early -= n_dropped
        yield stems[:, :, n_dropped:]
    if not reader.position_samples:
        raise AudioFileError(f"{reader.path} holds no audio that can be read.")
    yield stream.flush()[:, :, n_early:]


@contextlib.contextmanager
def _writing(
    outputs: Mapping[str, Path], reader: AudioReader, settings: OfflineSettings
) -> Iterator[dict[str, AudioWriter]]:
    """A writer per stem; at the end all files get their names, after an error there is nothing."""
    made: list[Path] = []
    writers: dict[str, AudioWriter] = {}
    try:
        for stem, output in outputs.items():
            made += make_folder(output.parent)
            writers[stem] = AudioWriter(
                output,
                reader.sample_rate_hz,
                N_CHANNELS,
                codec=settings.codec,
                subtype=settings.subtype,
                bitrate=settings.bitrate,
                n_samples=reader.n_samples,
            )
        yield writers
        commit_together(list(writers.values()))
    except BaseException:
        for writer in writers.values():
            writer.abort()
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # somebody else put something into it
                folder.rmdir()
        raise


def _notices(reader: AudioReader, writers: Mapping[str, AudioWriter]) -> tuple[str, ...]:
    notices = [reader.notice] if reader.notice else []
    for stem, writer in writers.items():
        if writer.n_clipped_samples:
            notices.append(f"{stem}: {writer.n_clipped_samples} values exceeded full scale and were clipped")
        if writer.file_rate_hz != writer.sample_rate_hz:
            notices.append(f"{stem}: written at {writer.file_rate_hz} Hz, the nearest that the codec has")
    return tuple(notices)
