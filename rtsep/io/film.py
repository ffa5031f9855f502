"""The audio of films, M4A and all else that libsndfile leaves to FFmpeg (PyAV), seekable to the sample."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from rtsep.errors import AudioFileError
from rtsep.io.decode import DAMAGED, PREROLL_S, add_once, drop
from rtsep.io.foreign import reason
from rtsep.stream import Audio

EDIT_SLACK_S = 0.002  # MP4 edit lists count in units of up to 1/600 s, so that their end is rounded


@dataclass(frozen=True)
class Piece:
    """A decoded frame, its position if its clock tells, how many samples the container counts in it, and its time."""

    position_samples: int | None
    samples: Audio
    n_stated_samples: int | None
    pts: int | None = None


class Landmarks:
    """Frames that were read, in order: by their times, too coarse to tell where they begin, they are known again.

    Of frames of one time only the first is known.
    """

    def __init__(self) -> None:
        self._times, self._positions = array("q"), array("q")

    @property
    def last(self) -> int:
        """The position of the last one."""
        return self._positions[-1] if self._positions else 0

    def add(self, time: int | None, position: int) -> None:
        """Remember where a frame begins."""
        if time is not None and (not self._times or time > self._times[-1]):
            self._times.append(time)
            self._positions.append(position)

    def find(self, time: int) -> int | None:
        """The position of the first frame of a time."""
        place = bisect_left(self._times, time)
        return self._positions[place] if place < len(self._times) and self._times[place] == time else None


class FfmpegDecoder:
    """What FFmpeg reads: the best audio stream of any container.

    Position 0 is the first sample of that stream, also where a film's sound begins after its picture.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.notices: list[str] = []
        self.sample_rate_hz = 0  # certain only when a frame is decoded (HE-AAC), like the channels
        self.channels: tuple[str, ...] = ()
        self._open()
        self._first_pts: int | None = None
        self._grid: tuple[int, int] | None = None
        self._landmarks = Landmarks()
        self._pieces = self._decode()
        self._learn_clock()
        self.n_samples = self._stated_samples()
        self._rest = np.zeros((len(self.channels), 0), np.float32)
        self._restart()

    def _open(self) -> None:
        try:
            self._container = av.open(str(self._path), metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise AudioFileError(
                f"{self._path} is no audio file that can be read ({reason(error)})."
            ) from error
        streams = list(self._container.streams.audio)
        stream = self._container.streams.best("audio")
        if not isinstance(stream, av.AudioStream):
            self.close()
            raise AudioFileError(f"{self._path} is no audio file, or a film without sound.")
        self._stream = stream
        self._time_base = stream.time_base or Fraction(1, stream.rate)
        if len(streams) > 1:
            track = streams.index(stream) + 1
            add_once(self.notices, f"the file has {len(streams)} audio tracks; track {track} is read")

    def _learn_clock(self) -> None:
        """From the first frames: rate, channels, the time of sample 0, and the grid on which frames begin."""
        sizes = [piece.samples.shape[1] for _, piece in zip(range(2), self._pieces, strict=False)]
        if not sum(sizes):
            self.close()
            raise AudioFileError(f"{self._path} holds no audio that can be decoded.")
        # Vorbis frames differ in length: a coarse clock (Matroska's 1 ms) cannot tell where one begins.
        if len(sizes) == 2 and self._stream.codec_context.name != "vorbis":
            self._grid = (sizes[0], sizes[1])

    def _stated_samples(self) -> int | None:
        if self._stream.duration is not None:
            n_samples = round(self._stream.duration * self._time_base * self.sample_rate_hz)
            return max(0, n_samples - self._counted_priming_samples()) or None
        if self._container.duration is not None:
            return round(Fraction(self._container.duration, av.time_base) * self.sample_rate_hz) or None
        return None

    def _counted_priming_samples(self) -> int:
        """Priming that is in a stream's length: Ogg counts the pre-skip of Opus (RFC 7845, sections 4 and 5.1)."""
        head = self._stream.codec_context.extradata or b""
        if self._container.format.name != "ogg" or not head.startswith(b"OpusHead"):
            return 0
        return int.from_bytes(head[10:12], "little")

    # ---------------------------------------------------------------- frames

    def _decode(self) -> Iterator[Piece]:
        """All frames from here on; only the last one can hold padding."""
        held: Piece | None = None
        for piece in self._decode_packets():
            if held is not None:
                yield held
            held = piece
        if held is not None:
            yield self._without_padding(held)

    def _decode_packets(self) -> Iterator[Piece]:
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    yield self._lost(packet)
                    continue
                for frame in frames:
                    if not self._fits(frame):
                        return
                    position, n_stated = self._position_of(frame.pts), self._packet_samples(packet)
                    yield Piece(position, _as_float(frame), n_stated, frame.pts)
        except av.FFmpegError as error:
            add_once(self.notices, f"{DAMAGED} ({reason(error)}): what came before is kept")

    def _lost(self, packet: Any) -> Piece:
        """Silence for a packet that cannot be decoded, as long as its container says that it is."""
        add_once(self.notices, f"{DAMAGED}: some packets could not be decoded and are silent")
        n_samples = self._packet_samples(packet) or 0 if self.channels else 0
        return Piece(None, np.zeros((len(self.channels), n_samples), np.float32), None)

    def _fits(self, frame: Any) -> bool:
        channels = tuple(channel.name for channel in frame.layout.channels)
        if not self.channels:
            self.sample_rate_hz, self.channels, self._first_pts = frame.sample_rate, channels, frame.pts
        if (frame.sample_rate, len(channels)) == (self.sample_rate_hz, len(self.channels)):
            return True
        add_once(
            self.notices, "the file changes its rate or channels on the way: only the part before is read"
        )
        return False

    def _packet_samples(self, packet: Any) -> int | None:
        """Samples of a packet as its container counts them, where it counts in samples."""
        if not packet.duration or packet.time_base is None:
            return None
        n_samples = packet.duration * packet.time_base * self.sample_rate_hz
        return int(n_samples) if n_samples.denominator == 1 else None

    def _position_of(self, pts: int | None) -> int | None:
        if pts is None or self._first_pts is None:
            return None
        position = (pts - self._first_pts) * self._time_base * self.sample_rate_hz
        if self._is_exact:
            return round(position)
        if self._grid is None:
            return None
        first, step = self._grid
        return max(0, first + round((position - first) / step) * step)

    @property
    def _is_exact(self) -> bool:
        """Whether times tell samples apart."""
        return self._time_base * self.sample_rate_hz <= 1

    def _without_padding(self, piece: Piece) -> Piece:
        """The last frame without what the encoder added to fill it, where the container tells."""
        n_samples = piece.samples.shape[1]
        if piece.n_stated_samples is not None:
            n_samples = min(n_samples, piece.n_stated_samples)
        if piece.position_samples is not None and self._stream.duration is not None:
            n_stated = (self._stated_samples() or 0) - piece.position_samples
            if 0 < n_stated < n_samples - EDIT_SLACK_S * self.sample_rate_hz:
                n_samples = n_stated
        return Piece(piece.position_samples, piece.samples[:, :n_samples], None, piece.pts)

    # ---------------------------------------------------------------- reading

    def read(self, n_samples: int) -> Audio:
        """The next ``(channels, n_samples)``; fewer only at the end."""
        parts, n_missing = [self._rest], n_samples - self._rest.shape[1]
        while n_missing > 0 and (piece := next(self._pieces, None)) is not None:
            if piece.position_samples is None:
                self._landmarks.add(piece.pts, self._position_samples + n_samples - n_missing)
            parts.append(piece.samples)
            n_missing -= piece.samples.shape[1]
        block = np.concatenate(parts, axis=1)
        self._rest = block[:, n_samples:].copy()
        self._position_samples += min(n_samples, block.shape[1])
        if n_missing > 0:
            self._check_length()
        return np.ascontiguousarray(block[:, :n_samples])

    def _check_length(self) -> None:
        """At the end: was that all? A stream's own length is trusted to a tenth of a second."""
        if self._stream.duration is None or self.n_samples is None:
            return
        if self._position_samples < self.n_samples - self.sample_rate_hz / 10:
            end_s = self._position_samples / self.sample_rate_hz
            add_once(self.notices, f"the file is cut short: it was read up to {end_s:.2f} s")

    def seek(self, position_samples: int) -> None:
        """Go on from this sample."""
        target = self._target_of(position_samples)
        is_ahead = target <= self._position_samples <= position_samples
        if not is_ahead and not self._jump(target, position_samples):
            self._restart()
        drop(self, position_samples - self._position_samples)

    def _target_of(self, position_samples: int) -> int:
        """A preroll before a position; where frames do not tell theirs, before one that was read."""
        preroll_samples = round(PREROLL_S * self.sample_rate_hz)
        is_told = self._grid is not None or self._is_exact
        return (
            position_samples if is_told else min(position_samples, self._landmarks.last)
        ) - preroll_samples

    def _jump(self, target: int, position_samples: int) -> bool:
        """Land at a target before a position; False where the file gives no way to do so exactly."""
        if target <= 0 or self._first_pts is None:
            return False
        pts = self._first_pts + int(Fraction(target, self.sample_rate_hz) / self._time_base)
        try:
            self._container.seek(pts, stream=self._stream)
        except av.FFmpegError:
            return False
        self._pieces = self._decode()
        before = next(self._pieces, None)  # after a seek, too, FFmpeg takes priming off the first frame
        piece = next(self._pieces, None)
        if before is None or piece is None:
            return False
        position = piece.position_samples
        if position is None and piece.pts is not None and piece.pts != before.pts:
            position = self._landmarks.find(piece.pts)
        if position is None or not 0 < position <= (target + position_samples) // 2:
            return False
        self._rest, self._position_samples = piece.samples, position
        return True

    def _restart(self) -> None:
        """Open the file anew: the one place from which every file is decoded right."""
        self.close()
        self._open()
        self._pieces = self._decode()
        self._rest, self._position_samples = self._rest[:, :0], 0

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()


def _as_float(frame: Any) -> Audio:
    """A decoded frame as float32 ``(channels, samples)`` of full scale 1."""
    samples: np.ndarray[Any, Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype == np.uint8:
        return np.ascontiguousarray((samples.astype(np.float32) - 128) / 128)
    if np.issubdtype(samples.dtype, np.integer):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return np.array(samples, np.float32, order="C")
