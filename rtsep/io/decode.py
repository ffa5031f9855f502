"""Files to samples: the shape of a decoder, and the one for what libsndfile reads.

libsndfile reads WAV, AIFF, FLAC, OGG, Opus, MP3, CAF and more to the sample; `rtsep.io.film` reads the rest
with FFmpeg. Position 0 is the first sample that a player plays: what an encoder put in front (priming) or behind
(padding) is taken off, where the file says how much it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from rtsep.errors import AudioFileError
from rtsep.stream import Audio

#: Lossy decoders need some of the past before what they give is right; the reservoir of MP3 is the longest.
PREROLL_S = 0.5
READ_SAMPLES = 1 << 16  # what is dropped on the way to a position is read in such blocks
DAMAGED = "the file is damaged"

#: The order of channels in WAV, FLAC and what libsndfile makes of Vorbis and Opus, by their count.
WAVE_ORDER = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


class Decoder(Protocol):
    """An open audio file. `channels` are FFmpeg's names (FL, FR, ...), ``?`` where nobody knows."""

    sample_rate_hz: int
    channels: tuple[str, ...]
    n_samples: int | None
    notices: list[str]

    def read(self, n_samples: int) -> Audio:
        """The next ``(channels, n_samples)``; fewer only at the end."""

    def seek(self, position_samples: int) -> None:
        """Go on from this sample."""

    def close(self) -> None:
        """Let go of the file."""


def drop(decoder: Decoder, n_samples: int) -> None:
    """Read and forget samples, in blocks."""
    while n_samples > 0:
        block = decoder.read(min(n_samples, READ_SAMPLES))
        if not block.shape[1]:
            return
        n_samples -= block.shape[1]


def add_once(notices: list[str], notice: str) -> None:
    """Keep a notice, but only once."""
    if notice not in notices:
        notices.append(notice)


class SoundFileDecoder:
    """What libsndfile reads."""

    def __init__(self, path: Path) -> None:
        self._file = soundfile.SoundFile(str(path))
        self.sample_rate_hz: int = self._file.samplerate
        n_channels: int = self._file.channels
        self.channels = WAVE_ORDER.get(n_channels, ("?",) * n_channels)
        self.n_samples: int | None = self._file.frames if self._file.frames < 1 << 60 else None
        self.notices = _shortfalls(self._file.extra_info)
        if self.n_samples == 0:
            self._file.close()
            raise AudioFileError(f"{path} holds no audio: it has 0 samples.")
        self._preroll_samples = (
            round(PREROLL_S * self.sample_rate_hz) if self._file.format in ("OGG", "MP3") else 0
        )
        self._position_samples = 0
        self._is_ended = False

    def read(self, n_samples: int) -> Audio:
        """The next ``(channels, n_samples)``; fewer only at the end."""
        if self._is_ended:
            return np.zeros((len(self.channels), 0), np.float32)
        try:
            block = self._file.read(n_samples, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            self._end_early(f"{DAMAGED} ({str(error).rstrip('.')})")
            return np.zeros((len(self.channels), 0), np.float32)
        self._position_samples += len(block)
        if len(block) < n_samples and self.n_samples is not None and self._position_samples < self.n_samples:
            self._end_early("the file is cut short")
        return np.ascontiguousarray(block.T)

    def _end_early(self, reason: str) -> None:
        self._is_ended = True
        end_s = self._position_samples / self.sample_rate_hz
        add_once(self.notices, f"{reason}: it was read up to {end_s:.2f} s")

    def seek(self, position_samples: int) -> None:
        """Go on from this sample."""
        self._is_ended = False
        end = position_samples if self.n_samples is None else min(position_samples, self.n_samples)
        if self._preroll_samples:  # from elsewhere libsndfile (1.2) lands wrongly in Ogg files now and then
            self._file.seek(0)
        self._position_samples = self._file.seek(max(0, end - self._preroll_samples))
        drop(self, end - self._position_samples)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _shortfalls(log: str) -> list[str]:
    """What libsndfile's log says of a file that ends before its header's word."""
    match = re.search(r"(?:data|SSND) : (\d+) \(should be (\d+)\)", log)
    if match is not None:
        stated, found = int(match[1]), int(match[2])
        if found < stated < 0xFFFF0000:  # sizes near 2^32 mean "not known": the file was piped
            return [f"the file is cut short: {found} of {stated} bytes of audio are there"]
    if "Last page lacks an end-of-stream bit" in log:
        return ["the file is cut short: its last page is missing"]
    return []
