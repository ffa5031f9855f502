"""Files that appear when they are whole.

Everything is written to a hidden file beside the target and renamed at the end, so that what stands under the
target's name is always a whole file: the old one until then, the new one from then on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import soxr

from rtsep.errors import AudioFileError, UsageError
from rtsep.io.commit import commit_together
from rtsep.io.encode import CODECS, Encoder, choose_encoding, open_encoder
from rtsep.io.foreign import explained
from rtsep.io.labels import Label
from rtsep.io.part import PartFile, part_of
from rtsep.stream import Audio


class AudioWriter:
    """An audio file in the making.

    As a context manager it closes at the end, or leaves nothing behind after an exception.

    Parameters
    ----------
    path
        The file to be; its folder must exist. What is there stays until the new file is whole.
    sample_rate_hz
        The rate of the blocks. A codec that does not have it (Opus: only 48 kHz) gets the next one that it
        has, `file_rate_hz`.
    n_channels
        Channels of the blocks.
    codec
        ``wav, flac, mp3, ogg, opus, m4a, wma``; None takes the ending of `path`.
    subtype
        ``PCM_16`` (default), ``PCM_24`` or ``FLOAT`` (WAV only), for WAV and FLAC. Integers clip.
    bitrate
        Like ``192k`` (default), for the others.
    n_samples
        How many samples will come, if known: to say how much room is missing when a disk is full.
    reserve_bytes
        Room on the disk that is kept back for the end of the file. With it, `write` raises when the disk is full,
        and `close` still makes a file of what was written up to then; without it nothing is left.
    take
        The number of a recording (`rtsep.io.part.new_take`): what was written is left, under the hidden name, if
        the disk or the process fails; `rtsep.recover` makes a file of it.

    Attributes
    ----------
    labels : sequence of Label
        What is written behind the samples at the end, where the codec has room for it (WAV).
    n_clipped_samples : int
        Values that lay beyond full scale and were clipped.

    Raises
    ------
    UsageError
        The codec is not known or does not have what is asked of it.
    AudioFileError
        The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate_hz: int,
        n_channels: int,
        *,
        codec: str | None = None,
        subtype: str | None = None,
        bitrate: str | None = None,
        n_samples: int | None = None,
        reserve_bytes: int = 0,
        take: str | None = None,
    ) -> None:
        self.path, self.sample_rate_hz, self.n_channels = Path(path), sample_rate_hz, n_channels
        self._encoding = choose_encoding(codec or _codec_of(self.path), subtype=subtype, bitrate=bitrate)
        limits = CODECS[self._encoding.codec]
        if sample_rate_hz <= 0:
            raise UsageError(f"sample_rate_hz={sample_rate_hz} must be a positive number")
        if not 1 <= n_channels <= limits.n_channels_max:
            allowed = f"1 to {limits.n_channels_max}"
            raise UsageError(
                f"{n_channels} channels do not go into {self._encoding.codec}; it takes {allowed}"
            )
        bitrate_bps, channel_bps = self._encoding.bitrate_bps or 0, limits.channel_bps_max
        if channel_bps is not None and bitrate_bps > channel_bps * n_channels:
            raise UsageError(
                f"a bitrate of {bitrate_bps // 1000}k is too high for {n_channels} channel of "
                f"{self._encoding.codec}; it takes up to {channel_bps // 1000}k"
            )
        self.file_rate_hz = limits.nearest_rate_hz(sample_rate_hz)
        self._n_expected_samples, self._take = n_samples, take
        self.labels: Sequence[Label] = ()
        self._part = self._open_part(reserve_bytes)
        self._encoder = self._open_encoder()
        self._resampler = None
        if self.file_rate_hz != sample_rate_hz:
            self._resampler = soxr.ResampleStream(
                sample_rate_hz, self.file_rate_hz, n_channels, dtype="float32"
            )
        self._is_open = True

    def _open_part(self, reserve_bytes: int) -> PartFile:
        try:
            if self.path.is_dir():
                raise AudioFileError(f"{self.path} is a folder. Give the path of a file.")
            if not self.path.parent.is_dir():
                raise AudioFileError(
                    f"{self.path}: the folder {self.path.parent} does not exist. Make it first."
                )
            return PartFile(part_of(self.path, self._take), reserve_bytes)
        except OSError as error:
            raise AudioFileError(f"{self.path} cannot be written: {error.strerror or error}.") from error

    def _open_encoder(self) -> Encoder:
        try:
            with explained(self.path, "cannot be written"):
                return open_encoder(self._part, self._encoding, self.file_rate_hz, self.n_channels)
        except BaseException:
            self._part.close()
            self._part.release()
            self.part_path.unlink(missing_ok=True)
            raise

    @property
    def is_open(self) -> bool:
        """Whether it can be written to and ended: not once it is finished, nor when it was lost."""
        return self._is_open

    @property
    def n_clipped_samples(self) -> int:
        """Values that lay beyond full scale and were clipped; every channel counts."""
        return self._encoder.n_clipped_samples

    def write(self, block: Audio) -> None:
        """Append float32 ``(n_channels, samples)``.

        Raises
        ------
        AudioFileError
            The disk is full, or failed, or the encoder gave up. Nothing is left behind, unless there is a reserve
            or it is a recording.
        """
        if block.ndim != 2 or block.shape[0] != self.n_channels:
            raise UsageError(
                f"a block of shape {block.shape} was given; it must be ({self.n_channels}, samples)"
            )
        if not self._is_open:
            raise UsageError(f"{self.path} is closed: nothing can be added")
        with self._complaints():
            self._encode(block)
        self._check_room()

    def _check_room(self) -> None:
        """Tell of a full disk while what was written can still be kept."""
        if (error := self._part.error) is not None:
            grown = _megabytes(self._part.tell())
            raise AudioFileError(
                f"{self.path} cannot be written: {error.strerror or error}; it had grown to {grown}."
            ) from error

    @contextlib.contextmanager
    def _complaints(self) -> Iterator[None]:
        """What the encoder or the disk has against it, as an `AudioFileError` with nothing left behind."""
        try:
            with explained(self.path, "cannot be written"):
                yield
        except AudioFileError:
            self._check_part()  # a disk that failed is the better explanation
            self.give_up()
            raise
        self._check_part()

    def _encode(self, block: Audio, *, last: bool = False) -> None:
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(block.T, np.float32), last=last).T
        if block.shape[1]:
            self._encoder.write(np.ascontiguousarray(block, np.float32))

    def flush(self) -> None:
        """Bring what was written to the disk, as a file that can be read as it is, or recovered.

        Raises
        ------
        AudioFileError
            As for `write`.
        """
        if not self._is_open:
            return
        with self._complaints():
            self._encoder.flush()
            self._part.sync()
        self._check_room()

    def finish(self) -> None:
        """Bring the last byte to the disk, still under the hidden name."""
        if not self._is_open:
            return
        with self._complaints():
            self._encode(np.zeros((self.n_channels, 0), np.float32), last=True)
            self._encoder.close(self.labels)
            self._part.close()
            self._is_open = False

    def release(self) -> None:
        """The file has its name: nobody need take it for one in the making."""
        self._part.release()

    def _check_part(self) -> None:
        if (error := self._part.error) is None or not self._part.is_lost:
            return
        n_written = self._part.tell() if self._is_open else None
        self.give_up()
        raise AudioFileError(self._explain(error, n_written)) from error

    def _explain(self, error: OSError, n_written: int | None) -> str:
        """What stopped the disk, and how much room there is and would be needed."""
        parts = [f"{self.path} cannot be written: {error.strerror or error}"]
        if self._n_expected_samples is not None:
            duration_s = self._n_expected_samples / self.sample_rate_hz
            needed = duration_s * self._encoding.bytes_per_s(self.file_rate_hz, self.n_channels)
            parts.append(f"it needs about {_megabytes(needed)}")
        elif n_written is not None:
            parts.append(f"it had grown to {_megabytes(n_written)}")
        free = shutil.disk_usage(self.path.parent).free
        parts.append(f"{_megabytes(free)} are free in {self.path.parent}")
        left = "Nothing was left behind."
        if self._take is not None:
            left = f"What was written by then is kept: `rtsep recover {self.path.parent}` makes a file of it."
        return "; ".join(parts) + f". Make room or write elsewhere. {left}"

    def close(self) -> None:
        """Finish the file and give it its name."""
        commit_together([self])

    def give_up(self) -> None:
        """Stop here. Of a recording the hidden file is left, of anything else nothing."""
        if self._take is None:
            self.abort()
        else:
            self._stop()

    def abort(self) -> None:
        """Leave nothing behind; an older file of this name stays as it is."""
        self._stop()
        self.part_path.unlink(missing_ok=True)

    def _stop(self) -> None:
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(Exception):  # whatever the encoder says of its half file does not matter
                self._encoder.close()
            self._part.close()
        self._part.release()

    @property
    def part_path(self) -> Path:
        """The hidden file."""
        return self._part.path

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _codec_of(path: Path) -> str:
    codec = path.suffix.lower().removeprefix(".")
    if codec not in CODECS:
        endings = ", ".join("." + name for name in CODECS)
        raise UsageError(f"{path}: the ending {path.suffix!r} names no codec; there are {endings}")
    return codec


def _megabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
