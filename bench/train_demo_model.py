"""How well does the demo model separate? SDR on a song it has never heard, offline and through a live window.

    python bench/train_demo_model.py MUSIC [--model FOLDER] [--live 0 8 32] [--seconds 90]

MUSIC holds ``songs/rubidium`` (held out of training) and ``extra`` (a singer and an orchestra held out as well).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import rtsep
from rtsep.io.files import read_audio
from rtsep.stream import Audio
from rtsep.train.evaluate import median_sdr_db, references, window_power
from rtsep.train.songs import audio_files

RATE_HZ = 44100
RAISED_DB = 10.7
Stems = Mapping[str, Audio]


def read(path: Path) -> Audio:
    samples, _ = read_audio(path, sample_rate_hz=RATE_HZ)
    return np.repeat(samples, 2, axis=0) if len(samples) == 1 else samples


def song(folder: Path) -> dict[str, Audio]:
    """Vocals, and the sum of everything else."""
    stems = {name: read(path) for name, path in audio_files(folder).items()}
    vocals = stems.pop("vocals")
    return {"vocals": vocals, "accompaniment": np.stack(list(stems.values())).sum(axis=0)}


def other_singer(extra: Path) -> dict[str, Audio]:
    """vocadito over Hungarian dances, at equal RMS, for as long as both last."""
    vocals = read(next((extra / "vocals").glob("vocadito*")))
    rest = read(next((extra / "other").glob("Hungarian*")))
    n = min(vocals.shape[1], rest.shape[1])
    vocals, rest = vocals[:, :n], rest[:, :n]
    return {"vocals": vocals * np.sqrt(np.mean(rest**2) / np.mean(vocals**2)), "accompaniment": rest}


def raised(stems: Stems, db: float) -> dict[str, Audio]:
    return {**stems, "vocals": stems["vocals"] * np.float32(10 ** (db / 20))}


def most_voice(stems: Stems, seconds: int) -> dict[str, Audio]:
    """The excerpt with most voice in it."""
    power = np.cumsum(np.r_[0, window_power(stems["vocals"], RATE_HZ)])
    if seconds >= len(power) - 1:
        return dict(stems)
    start = int(np.argmax(power[seconds:] - power[:-seconds])) * RATE_HZ
    return {name: np.ascontiguousarray(s[:, start : start + seconds * RATE_HZ]) for name, s in stems.items()}


def live(separator: rtsep.Separator, mixture: Audio, lookahead_frames: int) -> dict[str, Audio]:
    """As a live session would: updates every second hop, the stems moved back by the latency."""
    stream = separator.stream(RATE_HZ, update_hops=2, lookahead_frames=lookahead_frames)
    whole = np.concatenate((stream.process(mixture), stream.flush()), axis=2)
    return dict(zip(stream.stems, whole[:, :, stream.latency_samples :], strict=True))


def show(name: str, truth: Stems, estimate: Stems) -> None:
    score = median_sdr_db(truth, estimate, RATE_HZ)
    print(f"| {name} | {score['vocals']:.1f} | {score['accompaniment']:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("music", type=Path)
    parser.add_argument("--model", default="demo-2stems")
    parser.add_argument(
        "--live", type=int, nargs="*", default=[], metavar="FRAMES", help="lookaheads to score"
    )
    parser.add_argument("--seconds", type=int, default=90, help="of the live scores")
    args = parser.parse_args()
    separator = rtsep.load(args.model)
    rubidium = song(args.music / "songs" / "rubidium")
    tests = {
        "rubidium": rubidium,
        f"rubidium, vocals {RAISED_DB:+} dB": raised(rubidium, RAISED_DB),
        "vocadito over Hungarian dances": other_singer(args.music / "extra"),
    }
    for name, truth in tests.items():
        print(f"\n| {name} | vocals, dB | accompaniment, dB |\n|---|---|---|")
        mixture = truth["vocals"] + truth["accompaniment"]
        show("demo-2stems, offline", truth, separator.separate(mixture, RATE_HZ))
        for reference, estimate in references(truth).items():
            show(reference, truth, estimate)
        excerpt = most_voice(truth, args.seconds)
        for lookahead_frames in args.live:
            stems = live(separator, excerpt["vocals"] + excerpt["accompaniment"], lookahead_frames)
            show(f"live, lookahead {lookahead_frames} frames", excerpt, stems)


if __name__ == "__main__":
    main()
