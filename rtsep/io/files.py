"""Audio files, as the rest of rtsep sees them: read whole, read as a stream, write.

::

    read_audio(path)          -> float32 (channels, samples), rate
    AudioReader(path)         -> blocks (2, samples), seek to any sample
    AudioWriter(path, ...)    <- blocks (channels, samples); the file appears when it is whole

What a file does not deserve to be refused for (a cut end, six channels, a NaN) is mended, and told in
`AudioReader.notice`.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
import soxr

from rtsep.errors import AudioFileError, UsageError
from rtsep.io.commit import commit_together
from rtsep.io.decode import READ_SAMPLES, Decoder, SoundFileDecoder, drop
from rtsep.io.film import FfmpegDecoder
from rtsep.io.fold import fold, fold_matrix, fold_notice
from rtsep.io.foreign import explained
from rtsep.io.writer import AudioWriter
from rtsep.stream import N_CHANNELS, Audio

#: libsndfile (1.2.2) misplaces what it reads of the last Opus packet when a read begins inside it.
LEFT_TO_FFMPEG = ("OPUS",)

UNREADABLE = "cannot be read"

__all__ = ["AudioReader", "AudioWriter", "check_excerpt", "commit_together", "read_audio"]


def read_audio(path: str | os.PathLike[str], *, sample_rate_hz: int | None = None) -> tuple[Audio, int]:
    """Read a whole file.

    Parameters
    ----------
    path
        An audio file, or a film with sound.
    sample_rate_hz
        The rate to give it at; None keeps the file's own.

    Returns
    -------
    samples
        float32 ``(channels, samples)``, with the channels of the file; NaN and infinity are made 0.
    sample_rate_hz
        The rate of `samples`.

    Raises
    ------
    AudioFileError
        The file is missing, is no audio, or holds none.
    """
    if sample_rate_hz is not None and sample_rate_hz <= 0:
        raise UsageError(f"sample_rate_hz={sample_rate_hz} must be a positive number")
    decoder = _open_decoder(Path(path))
    try:
        with explained(Path(path), UNREADABLE):
            blocks = [decoder.read(READ_SAMPLES)]
            while blocks[-1].shape[1]:
                blocks.append(decoder.read(READ_SAMPLES))
    finally:
        decoder.close()
    samples, _ = _finite(np.concatenate(blocks, axis=1))
    if sample_rate_hz in (None, decoder.sample_rate_hz):
        return samples, decoder.sample_rate_hz
    resampled = soxr.resample(np.ascontiguousarray(samples.T), decoder.sample_rate_hz, sample_rate_hz)
    return np.ascontiguousarray(resampled.T, np.float32), int(sample_rate_hz or 0)


class AudioReader:
    """An excerpt of a file as a stream of stereo blocks, in constant memory.

    Positions count from the start of the excerpt. Mono is doubled; more than two channels are folded
    (`rtsep.io.fold`), which `notice` tells.

    Parameters
    ----------
    path
        An audio file, or a film with sound.
    offset_s
        Where the excerpt begins, in seconds.
    duration_s
        How long it is; None reads to the end.

    Attributes
    ----------
    path : Path
    sample_rate_hz : int
        The file's own rate.
    n_channels : int
        Channels of the file. `read` gives two.
    n_samples : int or None
        Samples of the excerpt: exact for what libsndfile reads, an estimate (padding may be in it) for what
        FFmpeg reads, None where the file does not say. `read` goes on to the true end.
    position_samples : int
        The next sample that `read` gives.

    Raises
    ------
    AudioFileError
        The file is missing, is no audio, or ends before the offset.
    UsageError
        `offset_s` is negative, or `duration_s` is not positive.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, offset_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        check_excerpt(offset_s, duration_s)
        self.path = Path(path)
        self._decoder = _open_decoder(self.path)
        self.sample_rate_hz = self._decoder.sample_rate_hz
        self.n_channels = len(self._decoder.channels)
        self._matrix = fold_matrix(self._decoder.channels)
        self._n_not_finite = 0
        self._start_samples = round(offset_s * self.sample_rate_hz)
        self._limit_samples = None if duration_s is None else max(1, round(duration_s * self.sample_rate_hz))
        self.n_samples = self._count_samples()
        self.position_samples = 0
        try:
            self._go_to_start(offset_s)
        except BaseException:
            self.close()
            raise

    def _count_samples(self) -> int | None:
        if self._decoder.n_samples is None:
            return self._limit_samples
        n_left = max(0, self._decoder.n_samples - self._start_samples)
        return n_left if self._limit_samples is None else min(n_left, self._limit_samples)

    def _go_to_start(self, offset_s: float) -> None:
        if not self._start_samples:
            return
        with explained(self.path, UNREADABLE):
            self._decoder.seek(self._start_samples - 1)  # the sample before: is the start in the file?
            drop(self._decoder, 1)
            is_inside = self._decoder.read(1).shape[1] > 0
        if not is_inside:
            known = self._decoder.n_samples
            length = "" if known is None else f", which lasts {known / self.sample_rate_hz:.2f} s"
            raise AudioFileError(f"the offset {offset_s} s lies behind the end of {self.path}{length}.")
        self.seek(0)

    @property
    def notice(self) -> str | None:
        """What was mended so far, in one line; None if nothing was."""
        notices = [*self._decoder.notices]
        if (folded := fold_notice(self._decoder.channels)) is not None:
            notices.insert(0, folded)
        if self._n_not_finite:
            notices.append(f"{self._n_not_finite} values were not finite (NaN or infinity) and are silent")
        return "; ".join(notices) or None

    def read(self, n_samples: int) -> Audio:
        """The next ``(2, n_samples)``; fewer at the end, then ``(2, 0)``."""
        if n_samples < 0:
            raise UsageError(f"n_samples={n_samples} must be 0 or more")
        if self._limit_samples is not None:
            n_samples = max(0, min(n_samples, self._limit_samples - self.position_samples))
        if not n_samples:
            return np.zeros((N_CHANNELS, 0), np.float32)
        with explained(self.path, UNREADABLE):
            samples = self._decoder.read(n_samples)
        block, n_mended = _finite(samples)
        self._n_not_finite += n_mended
        self.position_samples += block.shape[1]
        return fold(block, self._matrix)

    def seek(self, position_samples: int) -> None:
        """Go on from this sample of the excerpt; beyond its end there is nothing to read."""
        if position_samples < 0:
            raise UsageError(f"position_samples={position_samples} must be 0 or more")
        with explained(self.path, UNREADABLE):
            self._decoder.seek(self._start_samples + position_samples)
        self.position_samples = position_samples

    def close(self) -> None:
        """Let go of the file."""
        self._decoder.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_excerpt(offset_s: float, duration_s: float | None) -> None:
    """Refuse an excerpt that no file can have.

    Raises
    ------
    UsageError
        The offset is negative, or the duration is not positive.
    """
    if not 0 <= offset_s < float("inf"):
        raise UsageError(f"the offset is {offset_s} s; it must be 0 or more")
    if duration_s is not None and not duration_s > 0:
        raise UsageError(f"the duration is {duration_s} s; it must be more than 0")


def _finite(block: Audio) -> tuple[Audio, int]:
    """A block with 0 for NaN and infinity, and how many there were: one would spoil every frame around it."""
    n_mended = block.size - int(np.count_nonzero(np.isfinite(block)))
    return (np.nan_to_num(block, posinf=0.0, neginf=0.0), n_mended) if n_mended else (block, 0)


def _open_decoder(path: Path) -> Decoder:
    """Open a file with the first library that knows it.

    Raises
    ------
    AudioFileError
        It is not there, is no file, cannot be read, or holds no audio.
    """
    _check_is_file(path)
    _check_name(path)
    try:
        if soundfile.info(str(path)).subtype not in LEFT_TO_FFMPEG:
            return SoundFileDecoder(path)
    except (soundfile.SoundFileError, TypeError):  # TypeError: soundfile wants to be told of `.raw` files
        pass
    with explained(path, UNREADABLE):
        return FfmpegDecoder(path)


def _check_name(path: Path) -> None:
    """Refuse a name that is not text: the libraries take text only."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise AudioFileError(
            f"{path}: the name holds bytes that are no text (UTF-8), so that it cannot be opened. Rename it."
        ) from error


def _check_is_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioFileError(f"{path} is a folder. Name the audio files in it.")
        if not path.exists():
            raise AudioFileError(f"{path}: there is no such file.")
        if not path.is_file():
            raise AudioFileError(f"{path} is no regular file. Copy what it gives into a file first.")
        if not path.stat().st_size:
            raise AudioFileError(
                f"{path} is empty: it has no bytes. Was its copying or its download cut off?"
            )
        with path.open("rb"):
            pass
    except OSError as error:
        raise AudioFileError(f"{path} cannot be opened: {error.strerror or error}.") from error
