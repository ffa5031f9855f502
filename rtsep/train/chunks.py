"""Spleeter's data: chunks at fixed places of each song, and of each chunk a random crop of T frames.

Nothing is kept in memory; each batch reads its chunks from the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rtsep.dsp.resample import StepResampler
from rtsep.errors import TrainingError
from rtsep.io.files import AudioReader
from rtsep.stream import N_CHANNELS, Audio
from rtsep.train.recipe import ChunkData, ModelRecipe
from rtsep.train.segments import Batch, spectra
from rtsep.train.songs import SongFiles

ACCOMPANIMENT = "accompaniment"
MARGIN_S = 0.5  # Spleeter leaves half a second at both ends of a song
_READ_SAMPLES = 1 << 16


class ChunkSegments:
    """A source of batches (`rtsep.train.segments.Segments`): every chunk once an epoch, in a new order.

    Parameters
    ----------
    songs
        The songs.
    model
        Frames, bins, stems.
    data
        Length and number of chunks.
    batch_size
        Segments in a batch.
    seed
        Of order and crops.
    central
        Crop the middle of each chunk and keep their order: for validation.

    Raises
    ------
    TrainingError
        A song is shorter than a segment.
    """

    def __init__(
        self,
        songs: Sequence[SongFiles],
        model: ModelRecipe,
        data: ChunkData,
        *,
        batch_size: int,
        seed: int = 0,
        central: bool = False,
    ) -> None:
        self._model, self._batch_size, self._seed, self._central = model, batch_size, seed, central
        self._chunk_s = data.chunk_s
        durations_s = [_duration_s(song) for song in songs]
        for song, duration_s in zip(songs, durations_s, strict=True):
            self._check(song, duration_s)
        starts_s = [chunk_starts_s(d, data.chunk_s, data.n_chunks_per_song) for d in durations_s]
        self._chunks = [(song, s) for song, starts in zip(songs, starts_s, strict=True) for s in starts]
        self.n_seconds = sum(durations_s)

    def _check(self, song: SongFiles, duration_s: float) -> None:
        least_s = self._model.segment_samples / self._model.sample_rate_hz
        if min(duration_s, self._chunk_s) < least_s:
            raise TrainingError(
                f"song {song.name} lasts {duration_s:.1f} s and chunks {self._chunk_s:.1f} s, but a segment of "
                f"{self._model.n_frames} frames needs {least_s:.1f} s. Leave it out, or train with fewer n_frames."
            )

    @property
    def n_batches(self) -> int:
        """Batches in which every chunk occurs."""
        return -(-len(self._chunks) // self._batch_size)

    def batch(self, number: int) -> Batch:
        """Batch `number`; epochs follow one another without a seam."""
        segments = [self._segment(number * self._batch_size + i) for i in range(self._batch_size)]
        parts = spectra(np.stack(segments, axis=1), self._model)
        return Batch(parts[0], parts[1:])

    def _segment(self, position: int) -> Audio:
        """``(1 + stems, 2, segment_samples)``: the mixture and the stems that own a network."""
        epoch, place = divmod(position, len(self._chunks))
        rng = np.random.default_rng((self._seed, position))
        if self._central:
            song, start_s = self._chunks[place]
        else:
            order = np.random.default_rng((self._seed, epoch)).permutation(len(self._chunks))
            song, start_s = self._chunks[order[place]]
        return self._crop(self._read_chunk(song, start_s), rng)

    def _read_chunk(self, song: SongFiles, start_s: float) -> Audio:
        """``(1 + stems, 2, samples of a chunk)``."""
        rate_hz = self._model.sample_rate_hz
        n_samples = round(self._chunk_s * rate_hz)

        def total(paths: Iterable[Path]) -> Audio:
            out = np.zeros((N_CHANNELS, n_samples), np.float32)
            for path in paths:
                out += read_excerpt(path, start_s, n_samples, rate_hz)
            return out

        stems = [total(self._files(song, name)) for name in self._model.network.instruments]
        mixture = total([song.mixture] if song.mixture else song.stems.values())
        return np.stack([mixture, *stems])

    def _files(self, song: SongFiles, stem: str) -> list[Path]:
        """A stem's file; an accompaniment that has none is everything that is no stem of the model."""
        if stem in song.stems:
            return [song.stems[stem]]
        if stem == ACCOMPANIMENT:
            return [path for name, path in song.stems.items() if name not in self._model.stems]
        return []

    def _crop(self, chunk: Audio, rng: np.random.Generator) -> Audio:
        n_wanted, hop = self._model.segment_samples, self._model.hop_samples
        n_places = (chunk.shape[-1] - n_wanted) // hop + 1
        start = (n_places // 2 if self._central else int(rng.integers(n_places))) * hop
        return chunk[..., start : start + n_wanted]


def chunk_starts_s(duration_s: float, chunk_s: float, n_chunks: int) -> list[float]:
    """Where the chunks of a song begin: evenly spaced, a single one in the middle.

    Notes
    -----
    ``spleeter/dataset.py``, ``expand_path`` and ``random_time_crop`` aside: start k of n lies at
    ``margin + k (duration − chunk − 2 margin) / (n − 1)``, never below 0.
    """
    if n_chunks == 1:
        return [max(0.0, (duration_s - chunk_s) / 2)]
    space_s = duration_s - chunk_s - 2 * MARGIN_S
    return [max(0.0, MARGIN_S + k * space_s / (n_chunks - 1)) for k in range(n_chunks)]


def read_excerpt(path: Path, start_s: float, n_samples: int, sample_rate_hz: int) -> Audio:
    """``(2, n_samples)`` from `start_s` at `sample_rate_hz`, zeros after the file's end."""
    out = np.zeros((N_CHANNELS, n_samples), np.float32)
    with AudioReader(path) as reader:
        reader.seek(round(start_s * reader.sample_rate_hz))  # a stem may end before the song does
        samples = _read(reader, round(n_samples * reader.sample_rate_hz / sample_rate_hz))
        if reader.sample_rate_hz != sample_rate_hz:
            resampler = StepResampler(reader.sample_rate_hz, sample_rate_hz, N_CHANNELS)
            samples = resampler.process(samples, last=True)
    n_read = min(n_samples, samples.shape[1])
    out[:, :n_read] = samples[:, :n_read]
    return out


def _read(reader: AudioReader, n_samples: int) -> Audio:
    """The next `n_samples`, fewer at the end of the file."""
    parts = [np.zeros((N_CHANNELS, 0), np.float32)]
    while n_samples > 0 and (block := reader.read(min(n_samples, _READ_SAMPLES))).shape[1]:
        parts.append(block)
        n_samples -= block.shape[1]
    return np.concatenate(parts, axis=1)


def _duration_s(song: SongFiles) -> float:
    """The song's length: as given, else that of its longest file."""
    if song.duration_s is not None:
        return song.duration_s
    files = [song.mixture] if song.mixture else list(song.stems.values())
    lengths_s = []
    for path in files:
        with AudioReader(path) as reader:
            if reader.n_samples is None:
                raise TrainingError(f"{path} does not say how long it is. Convert it to WAV or FLAC first.")
            lengths_s.append(reader.n_samples / reader.sample_rate_hz)
    return max(lengths_s)
