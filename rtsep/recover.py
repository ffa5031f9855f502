"""Finishes recordings whose process was killed: their headers, their names, and what is said about them.

A take that a living process still writes is left alone, and nothing that has a name is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtsep.config import to_yaml
from rtsep.errors import AudioFileError
from rtsep.io.encode import CODECS
from rtsep.io.files import AudioReader
from rtsep.io.flac import look_flac, mend_flac
from rtsep.io.labels import Label, from_track, to_track, union, within
from rtsep.io.locks import alone_in, is_claimed, sync_folder
from rtsep.io.part import takes_in, target_of
from rtsep.io.wav import look_wav, mend_wav
from rtsep.notes import MARKS, SESSION
from rtsep.whole import replacing

APART_S = 1.0  # files that end within this are cut to one length; what is shorter lacks something else


@dataclass
class Recovered:
    """What became of a take.

    Attributes
    ----------
    folder
        Where it is.
    files
        What was made, with lengths in seconds.
    failed
        Hidden files that are left, and why.
    """

    folder: Path
    files: dict[Path, float] = field(default_factory=dict)
    failed: dict[Path, str] = field(default_factory=dict)

    def tell(self) -> Iterator[str]:
        """It in lines."""
        if self.files:
            names = ", ".join(path.name for path in self.files)
            yield (
                f"{self.folder}: a recording was broken off there; {max(self.files.values()):.1f} s of it are "
                f"recovered, all but its last second (on a slow disk a few): {names}."
            )
        elif not self.failed:
            yield f"{self.folder}: a recording was broken off there before it had any sound; nothing is left of it."
        for part, reason in self.failed.items():
            yield f"{part} is what is left of {target_of(part).name}, and cannot be recovered: {reason}"


@dataclass
class _Sound:
    """A hidden sound file; `n_samples` is None where only its decoder can tell."""

    part: Path
    suffix: str
    sample_rate_hz: int
    n_samples: int | None

    def mend(self, labels: list[Label]) -> None:
        if self.n_samples is None:
            return
        if self.suffix == ".wav":
            mend_wav(self.part, self.n_samples, within(labels, self.n_samples))
        else:
            mend_flac(self.part, self.n_samples)
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())


def takes_of(base: Path) -> list[Path]:
    """The folders that takes of ``--record`` go to, as far as they are there."""
    return [folder for folder in (base, *sorted(base.glob("take-*"))) if folder.is_dir()]


def recover(folder: Path, reserved: Collection[Path] = ()) -> list[Recovered]:
    """Finish what killed processes left in a folder.

    Parameters
    ----------
    folder
        Where recordings were.
    reserved
        Names that are not to be given: somebody is about to write there.

    Returns
    -------
    list of Recovered
        One for each take; none is there if nothing was left, or only what is being written now.
    """
    with alone_in(folder):
        left = {take: parts for take, parts in takes_in(folder).items() if not any(map(is_claimed, parts))}
        done = [_recover_take(folder, parts, reserved) for parts in left.values()]
        sync_folder(folder)
    return done


def _recover_take(folder: Path, parts: list[Path], reserved: Collection[Path]) -> Recovered:
    done = Recovered(folder)
    sounds = []
    for part in parts:
        if target_of(part).suffix.lower().removeprefix(".") in CODECS:
            try:
                sounds += _open_sound(part)
            except (AudioFileError, OSError) as error:
                done.failed[part] = str(error)
    _cut_to_one_length(sounds)
    rate_hz = max((sound.sample_rate_hz for sound in sounds), default=0)
    notes = {target_of(part).name: part for part in parts if part not in done.failed and part.exists()}
    try:
        labels = _read_labels(notes.get(MARKS), rate_hz)
        for sound in sounds:
            sound.mend(labels)
            duration_s = (sound.n_samples or 0) / sound.sample_rate_hz
            done.files[_give_name(sound.part, reserved)] = duration_s
        _finish_notes(notes, done, labels, rate_hz, reserved)
    except OSError as error:  # the disk is full, or not ours
        rest = [part for part in parts if part.exists()]
        done.failed |= dict.fromkeys(rest, f"{error.strerror or error}.")
    return done


def _open_sound(part: Path) -> list[_Sound]:
    """The sound in a hidden file. One without any is removed.

    Raises
    ------
    AudioFileError
        Nobody can read it.
    """
    suffix = target_of(part).suffix.lower()
    if suffix in (".wav", ".flac"):
        rate_hz, n_samples = look_wav(part) if suffix == ".wav" else look_flac(part)
        if n_samples == 0:
            part.unlink()
            return []
        return [_Sound(part, suffix, rate_hz, n_samples)]
    with AudioReader(part) as reader:
        return [_Sound(part, suffix, reader.sample_rate_hz, None)]


def _cut_to_one_length(sounds: list[_Sound]) -> None:
    """The files of a take ended within a moment of one another; they shall be of one length.

    One that is shorter by more was not written any more: it keeps what it has. FLAC ends with whole frames.
    """
    for suffix in {sound.suffix for sound in sounds}:
        alike = {id(sound): sound.n_samples for sound in sounds if sound.suffix == suffix}
        lengths = [n for n in alike.values() if n is not None]
        apart = APART_S * max(sound.sample_rate_hz for sound in sounds)
        end = min((n for n in lengths if n >= max(lengths) - apart), default=0)
        for sound in sounds:
            if sound.suffix == suffix and sound.n_samples is not None:
                sound.n_samples = min(sound.n_samples, end)


def _read_labels(marks: Path | None, rate_hz: int) -> list[Label]:
    if marks is None or not rate_hz:
        return []
    return union(from_track(marks.read_text(encoding="utf-8", errors="replace"), rate_hz))


def _finish_notes(
    notes: Mapping[str, Path],
    done: Recovered,
    labels: list[Label],
    rate_hz: int,
    reserved: Collection[Path],
) -> None:
    """Say in the account that it was broken off; of a take without sound nothing is left."""
    if not done.files and not done.failed:
        for part in notes.values():
            part.unlink()
        return
    if (marks := notes.get(MARKS)) is not None:
        with replacing(marks) as file:
            file.write(to_track(labels, rate_hz).encode())
        _give_name(marks, reserved)
    if (session := notes.get(SESSION)) is not None:
        lengths_s = {path.name: length_s for path, length_s in done.files.items()}
        with replacing(session) as file:
            file.write(notes[SESSION].read_bytes() + to_yaml({"recovered_s": lengths_s}).encode())
        _give_name(session, reserved)


def _give_name(part: Path, reserved: Collection[Path]) -> Path:
    """The name that a hidden file was to have, or one beside it if that is taken."""
    target = target_of(part)
    number = 1
    path = target
    while os.path.lexists(path) or path in reserved:
        ending = "-recovered" if number == 1 else f"-recovered-{number}"
        path = target.with_name(f"{target.stem}{ending}{target.suffix}")
        number += 1
    return part.rename(path)
