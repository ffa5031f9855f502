"""Samples to files: one table of codecs, and an encoder of one shape for each library.

The encoders see a `Sink` and no path; where the bytes go, and when they become the file that was asked for,
is the business of `rtsep.io.writer`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, cast

import av
import numpy as np
import soundfile

from rtsep.errors import UsageError
from rtsep.io.labels import Label
from rtsep.io.wav import BITS, Sink, WavEncoder, quantise
from rtsep.stream import Audio

DEFAULT_BITRATE = "192k"
MPEG_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
VORBIS_RATES_HZ = range(8000, 192_001)  # any, but libvorbis has no settings above 200 kHz


@dataclass(frozen=True)
class Codec:
    """What a codec can take.

    Parameters
    ----------
    subtypes
        Sample formats; none for a lossy codec.
    bitrates_bps
        Lowest and highest bitrate; None for a lossless codec.
    rates_hz
        Sample rates, rising; None for any.
    n_channels_max
        Most channels.
    channel_bps_max
        Highest bitrate of one channel, where that says more than `bitrates_bps`.
    library
        FFmpeg's encoder, its container, and options of the container; None where FFmpeg is not used.
    """

    subtypes: tuple[str, ...] = ()
    bitrates_bps: tuple[int, int] | None = None
    rates_hz: Sequence[int] | None = None
    n_channels_max: int = 2
    channel_bps_max: int | None = None
    library: tuple[str, str] | None = None

    def nearest_rate_hz(self, sample_rate_hz: int) -> int:
        """The lowest rate that keeps everything, else the highest there is."""
        if self.rates_hz is None:
            return sample_rate_hz
        place = bisect_left(self.rates_hz, sample_rate_hz)
        return self.rates_hz[min(place, len(self.rates_hz) - 1)]


CODECS: dict[str, Codec] = {
    "wav": Codec(subtypes=("PCM_16", "PCM_24", "FLOAT"), n_channels_max=256),
    "flac": Codec(subtypes=("PCM_16", "PCM_24"), n_channels_max=8),
    "mp3": Codec((), (8_000, 320_000), MPEG_RATES_HZ, library=("libmp3lame", "mp3")),
    "ogg": Codec((), (64_000, 500_000), VORBIS_RATES_HZ),
    "opus": Codec((), (6_000, 510_000), (48000,), channel_bps_max=256_000, library=("libopus", "ogg")),
    "m4a": Codec((), (16_000, 512_000), (*MPEG_RATES_HZ, 64000, 88200, 96000), library=("aac", "ipod")),
    "wma": Codec(
        (), (32_000, 320_000), (8000, 11025, 16000, 22050, 32000, 44100, 48000), library=("wmav2", "asf")
    ),
}

#: Nominal bitrate per channel of libvorbis' qualities 0 to 10 (its setup for 44.1 kHz stereo).
VORBIS_BPS = (32_000, 40_000, 48_000, 56_000, 64_000, 80_000, 96_000, 112_000, 128_000, 160_000, 250_000)


class Encoder(Protocol):
    """What turns blocks into the bytes of a file."""

    n_clipped_samples: int

    def write(self, block: Audio) -> None:
        """Append ``(channels, samples)``."""

    def flush(self) -> None:
        """Hand over what is needed to read what was written up to now, as far as the codec can before its end."""

    def close(self, labels: Sequence[Label] = ()) -> None:
        """Write what is left, labels if the codec has room for them, and the header's last word."""


@dataclass(frozen=True)
class Encoding:
    """A checked choice: codec, subtype (None if lossy), bitrate in bit/s (None if lossless)."""

    codec: str
    subtype: str | None
    bitrate_bps: int | None

    def bytes_per_s(self, sample_rate_hz: int, n_channels: int) -> float:
        """How fast a file grows; for FLAC an upper bound."""
        if self.bitrate_bps is not None:
            return self.bitrate_bps / 8
        return sample_rate_hz * n_channels * BITS[self.subtype or "PCM_16"] / 8


def choose_encoding(codec: str, *, subtype: str | None = None, bitrate: str | None = None) -> Encoding:
    """Check what a person asked for.

    Parameters
    ----------
    codec
        A key of `CODECS`.
    subtype
        ``PCM_16`` (the default), ``PCM_24`` or ``FLOAT``, for lossless codecs.
    bitrate
        Like ``192k`` (the default) or ``192000``, for lossy codecs.

    Raises
    ------
    UsageError
        The codec is not known, or does not have this subtype or bitrate; the message lists what it has.
    """
    if codec not in CODECS:
        raise UsageError(f"the codec {codec!r} is not known; there are {', '.join(CODECS)}")
    known = CODECS[codec]
    if known.bitrates_bps is None:
        return Encoding(codec, _lossless_subtype(codec, subtype, bitrate), None)
    if subtype is not None:
        having = ", ".join(f"{name} ({', '.join(c.subtypes)})" for name, c in CODECS.items() if c.subtypes)
        raise UsageError(f"{codec} is lossy and has no subtype {subtype}; subtypes are for {having}")
    return Encoding(codec, None, _bitrate_bps(codec, bitrate or DEFAULT_BITRATE, known.bitrates_bps))


def _lossless_subtype(codec: str, subtype: str | None, bitrate: str | None) -> str:
    allowed = CODECS[codec].subtypes
    if bitrate is not None:
        lossy = ", ".join(name for name, c in CODECS.items() if c.bitrates_bps)
        raise UsageError(f"{codec} is lossless and takes no bitrate ({bitrate}); bitrates are for {lossy}")
    if subtype is None:
        return allowed[0]
    if subtype.upper() not in allowed:
        raise UsageError(f"{codec} has no subtype {subtype}; it has {', '.join(allowed)}")
    return subtype.upper()


def _bitrate_bps(codec: str, text: str, allowed: tuple[int, int]) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kK]?)", text.strip())
    bitrate = round(float(match[1]) * (1000 if match[2] else 1)) if match else 0
    if not allowed[0] <= bitrate <= allowed[1]:
        span = f"{allowed[0] // 1000}k to {allowed[1] // 1000}k"
        raise UsageError(f"{text!r} is no bitrate for {codec}; it takes {span}, for example 192k")
    return bitrate


def open_encoder(sink: Sink, encoding: Encoding, sample_rate_hz: int, n_channels: int) -> Encoder:
    """The encoder of a checked choice; rate and channels must be among those of the codec."""
    if encoding.codec == "wav":
        return WavEncoder(sink, sample_rate_hz, n_channels, encoding.subtype or "PCM_16")
    if CODECS[encoding.codec].library is None:
        return SoundFileEncoder(sink, encoding, sample_rate_hz, n_channels)
    return FfmpegEncoder(sink, encoding, sample_rate_hz, n_channels)


class SoundFileEncoder:
    """FLAC and OGG Vorbis, by libsndfile."""

    BLOCK_SAMPLES = 4096  # libsndfile hands whole writes to libvorbis, which puts them on the stack

    def __init__(self, sink: Sink, encoding: Encoding, sample_rate_hz: int, n_channels: int) -> None:
        self.n_clipped_samples = 0
        self._n_bits = BITS[encoding.subtype] if encoding.subtype else None
        level = None
        if encoding.bitrate_bps is not None:
            quality = np.interp(encoding.bitrate_bps / n_channels, VORBIS_BPS, np.arange(len(VORBIS_BPS)))
            level = float(1 - quality / 10)
        self._file = soundfile.SoundFile(
            sink,
            "w",
            sample_rate_hz,
            n_channels,
            encoding.subtype or "VORBIS",
            format=encoding.codec.upper(),
            compression_level=level,
        )

    def write(self, block: Audio) -> None:
        """Append ``(channels, samples)``."""
        samples: np.ndarray[Any, Any] = block
        if self._n_bits is not None:
            integers, n_clipped = quantise(block, self._n_bits)
            self.n_clipped_samples += n_clipped
            samples = integers << (32 - self._n_bits)  # libsndfile takes the upper bits of what it is given
        for start in range(0, samples.shape[1], self.BLOCK_SAMPLES):
            self._file.write(np.ascontiguousarray(samples[:, start : start + self.BLOCK_SAMPLES].T))

    def flush(self) -> None:
        """Each FLAC frame was handed over when it was full (4096 samples); libsndfile holds no more back."""

    def close(self, labels: Sequence[Label] = ()) -> None:
        """Write what is left."""
        self._file.close()


class FfmpegEncoder:
    """MP3, Opus, M4A (AAC) and WMA, by FFmpeg."""

    def __init__(self, sink: Sink, encoding: Encoding, sample_rate_hz: int, n_channels: int) -> None:
        name, container = CODECS[encoding.codec].library or ("", "")
        # An MP4's edit list counts in this unit; the usual 1 ms cannot say exactly where the sound ends.
        options = {"movie_timescale": str(sample_rate_hz)} if container == "ipod" else {}
        self._layout = "mono" if n_channels == 1 else "stereo"
        self._sample_rate_hz, self._n_written = sample_rate_hz, 0
        self.n_clipped_samples = 0
        self._container = av.open(sink, "w", format=container, options=options)
        stream = self._container.add_stream(name, rate=sample_rate_hz, layout=self._layout)
        self._stream = cast(av.AudioStream, stream)
        if encoding.bitrate_bps is not None:
            self._stream.bit_rate = encoding.bitrate_bps
        if name == "wmav2":
            # Decoders drop two frames in front; the encoder puts in only one.
            self._stream.codec_context.open()
            self.write(np.zeros((n_channels, self._stream.codec_context.frame_size), np.float32))

    def write(self, block: Audio) -> None:
        """Append ``(channels, samples)``."""
        if not block.shape[1]:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts = self._sample_rate_hz, self._n_written
        frame.time_base = Fraction(1, self._sample_rate_hz)
        self._n_written += block.shape[1]
        self._container.mux(self._stream.encode(frame))

    def flush(self) -> None:
        """FFmpeg hands packets over as it likes."""

    def close(self, labels: Sequence[Label] = ()) -> None:
        """Write what is left."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
