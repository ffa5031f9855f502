"""The sounds of a remix: voices, the backing that was recorded with them, and layers for new backings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtsep.demo.song import SAMPLE_RATE_HZ as DEMO_RATE_HZ
from rtsep.demo.song import render
from rtsep.errors import TrainingError
from rtsep.train.display import reading_display
from rtsep.train.recipe import RemixData
from rtsep.train.songs import SongFiles, audio_files, matches
from rtsep.train.sounds import Sound, make_sound, read_sounds

BySemitones = Mapping[float, Sound]

FIRST_DEMO_SEED = 101  # 0 is the demo song itself
SONG_WEIGHT, DEMO_WEIGHT, EXTRA_WEIGHT = 1.0, 0.5, 0.35  # how often a layer is drawn


@dataclass(frozen=True)
class Voice:
    """A voice at several pitches, and its own song's other stems at those of them that there are."""

    sounds: BySemitones
    backing: Sequence[BySemitones] = ()


@dataclass(frozen=True)
class Layer:
    """One stem of an accompaniment."""

    stem: str
    sounds: BySemitones
    weight: float


@dataclass(frozen=True)
class Library:
    """All sounds, in memory: about 10 MB a minute and pitch."""

    song_voices: Sequence[Voice]
    demo_voices: Sequence[Voice]
    extra_voices: Sequence[Voice]
    layers: Sequence[Layer]
    n_seconds: float


@dataclass(frozen=True)
class _Entry:
    """A stem of a song, or a group of single sounds, still on disk."""

    song: str
    stem: str
    files: tuple[Path, ...]
    is_song: bool


def read_library(
    songs: Sequence[SongFiles], data: RemixData, extra: Path | None, stem: str, sample_rate_hz: int
) -> Library:
    """Read everything.

    Parameters
    ----------
    songs
        Songs with stems; those without the voice give layers only.
    data
        Pitches, what to leave out, songs of our own.
    extra
        Folder with a folder of single sounds a stem, or None.
    stem
        What is to be separated.
    sample_rate_hz
        The model's rate.

    Raises
    ------
    TrainingError
        There is no voice, or nothing that could go under it.
    """
    entries = [_Entry(song.name, name, (path,), True) for song in songs for name, path in song.stems.items()]
    entries += _extra_entries(extra, data.leave_out) if extra else []
    sung = {entry.song for entry in entries if entry.stem == stem}
    _check_stems(entries, stem, data)
    entries = [e for e in entries if e.song in sung or e.stem in data.drawn_layers]
    pitches = {True: data.voice_semitones, False: data.backing_semitones}
    jobs = [(entry.files, s) for entry in entries for s in pitches[entry.stem == stem]]
    with reading_display(len(jobs)) as advance:
        sounds = iter(read_sounds(jobs, sample_rate_hz, advance=advance))
    read: list[tuple[_Entry, BySemitones]] = [
        (e, {s: next(sounds) for s in pitches[e.stem == stem]}) for e in entries
    ]
    read += _demo_entries(data.n_demo_songs, sample_rate_hz)
    return _sorted(read, stem, data.drawn_layers, sample_rate_hz)


def _check_stems(entries: Sequence[_Entry], voice: str, data: RemixData) -> None:
    """Refuse, before anything is read, what holds no voice or nothing that could go under it."""
    in_songs = [entry.stem for entry in entries if entry.is_song]
    others = [name for name in dict.fromkeys(in_songs) if name != voice]
    has_layers = data.n_demo_songs or any(e.stem in data.drawn_layers and e.stem != voice for e in entries)
    if voice in in_songs and has_layers:
        return
    if voice not in in_songs:
        missing, advice = f"the stem {voice!r}", "Name a file in each song's folder so."
    else:
        missing = f"any stem of {', '.join(data.drawn_layers)} (data.layer_weights)"
        layers = ", ".join(f"{name}: 1" for name in others)
        advice = (
            f"Write data.layer_weights: {{{layers}}}." if others else "Add their files to the songs' folders."
        )
    raise TrainingError(
        f"a remix needs voices and layers to go under them, but no song has {missing}. The songs have "
        f"{', '.join(dict.fromkeys(in_songs)) or 'no stem'}. {advice}"
    )


def _sorted(
    read: Sequence[tuple[_Entry, BySemitones]], stem: str, drawn_layers: Sequence[str], sample_rate_hz: int
) -> Library:
    song_voices, demo_voices, extra_voices, layers = [], [], [], []
    for entry, sounds in read:
        backing = [s for e, s in read if e.song == entry.song and e.stem != stem]
        is_demo = not entry.files
        if entry.stem != stem:
            weight = DEMO_WEIGHT if is_demo else SONG_WEIGHT if entry.is_song else EXTRA_WEIGHT
            if entry.stem in drawn_layers:
                layers.append(Layer(entry.stem, sounds, weight))
        elif is_demo:
            demo_voices.append(Voice(sounds, backing))
        elif entry.is_song:
            song_voices.append(Voice(sounds, backing))
        else:
            extra_voices.append(Voice(sounds))
    if not layers:  # of songs none was asked for: there were our own
        raise TrainingError(f"data.layer_weights: our own songs have no stem of {', '.join(drawn_layers)}.")
    n_seconds = sum(_original(sounds).n_samples for _, sounds in read) / sample_rate_hz
    return Library(song_voices, demo_voices, extra_voices, layers, n_seconds)


def _original(sounds: BySemitones) -> Sound:
    return sounds[min(sounds, key=abs)]


def _extra_entries(extra: Path, leave_out: Sequence[str]) -> list[_Entry]:
    """Single sounds of one maker (the name up to the first underscore) are strung together to one."""
    if not extra.is_dir():
        raise TrainingError(
            f"{extra}: there is no such folder. Name the folder of single sounds in data.extra."
        )
    entries = []
    for folder in sorted(path for path in extra.iterdir() if path.is_dir()):
        makers: dict[str, list[Path]] = {}
        for name, path in audio_files(folder).items():
            if not matches(name, leave_out):
                makers.setdefault(name.partition("_")[0], []).append(path)
        entries += [_Entry(f"{folder.name}/{m}", folder.name, tuple(p), False) for m, p in makers.items()]
    return entries


def _demo_entries(n_songs: int, sample_rate_hz: int) -> list[tuple[_Entry, BySemitones]]:
    if n_songs and sample_rate_hz != DEMO_RATE_HZ:
        raise TrainingError(
            f"n_demo_songs: our own songs have {DEMO_RATE_HZ} Hz, the model {sample_rate_hz}."
        )
    entries: list[tuple[_Entry, BySemitones]] = []
    for seed in range(FIRST_DEMO_SEED, FIRST_DEMO_SEED + n_songs):
        for stem, samples in render(seed).items():
            sound = make_sound(samples, sample_rate_hz)
            entries.append((_Entry(f"demo song {seed}", stem, (), True), {0.0: sound}))
    return entries
