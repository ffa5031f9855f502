"""Which files a live session writes: the sink file and the recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtsep.chain import Chain
from rtsep.io.folders import make_folder
from rtsep.recorder import Recorder, Track
from rtsep.settings import LiveSettings
from rtsep.stream import N_CHANNELS

MIXTURE, MIX = "mixture", "mix"


def open_recorder(
    settings: LiveSettings, stems: tuple[str, ...], chain: Chain, heard: Callable[[], int]
) -> Recorder | None:
    """A recorder for the sink file and for ``--record``, or None if nothing is to be written.

    A recording is ``mixture.wav``, a file for each stem, and ``mix.wav`` (the main bus): 24 bits.
    `heard` gives how many samples were played by now, which is how long the files may be.

    Raises
    ------
    AudioFileError
        A folder cannot be made or a file not be written.
    """
    tracks = []
    sink = settings.output.endpoint
    if sink.is_file:
        tracks.append(Track(sink.path, chain.sink_tape, tuple(range(chain.n_outputs)), chain.offset_samples))
    if settings.output.record is not None:
        tracks += _recording(settings, stems, chain)
    return Recorder(tracks, chain.sample_rate_hz, heard, "PCM_24") if tracks else None


def _recording(settings: LiveSettings, stems: tuple[str, ...], chain: Chain) -> list[Track]:
    folder = Path(settings.output.record or ".")
    make_folder(folder)
    tracks = [Track(folder / f"{MIXTURE}.wav", chain.input_tape, tuple(range(N_CHANNELS)))]
    for i, stem in enumerate(stems):
        rows = tuple(range(N_CHANNELS * i, N_CHANNELS * (i + 1)))
        tracks.append(Track(folder / f"{stem}.wav", chain.stem_tape, rows))
    main = tuple(channel - 1 for channel in settings.output.channels)
    tracks.append(Track(folder / f"{MIX}.wav", chain.sink_tape, main, chain.offset_samples))
    return tracks
