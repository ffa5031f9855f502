"""How well does the model that ships separate a song that it was not trained on, offline and streamed?

The song is *rubidium*, as it is (the voice lies 15 dB under the rest) and with its vocals raised by 10.7 dB. SDR as
`rtsep.train.evaluate` defines it. Streams are measured on the stretch with most voice, and so is what stands beside
them. It takes some minutes, for every stream runs its networks a thousand times.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from parts.report import SHARED, is_quick, show

import rtsep
from rtsep.io.files import read_audio
from rtsep.separator import PublicStream, Separator
from rtsep.stream import Audio
from rtsep.train.evaluate import median_sdr_db, references, voiced

MODEL = "demo-2stems"
RATE_HZ = 44100
RAISED_DB = 10.7
STRETCH_S = 90
LOOKAHEADS_FRAMES = (0, 4, 8, 16, 32, 64, 128)
UPDATE_HOPS = 1
CONTEXTS_FRAMES = (64, 128)  # windows; what is streamed beside them is the window of 512
LOOKAHEADS_OF_WINDOWS = (0, 4, 8, 16, 32, 64)
BLOCK_SAMPLES = 1 << 14
STEMS = ("vocals", "accompaniment")

Stems = dict[str, Audio]


def read_song(folder: Path, excerpt_s: tuple[float, float] | None) -> Stems:
    """Vocals, and the sum of all other stems, or a stretch (start, duration); what is shorter ends in silence."""
    offset_s, duration_s = excerpt_s or (0.0, None)
    stems = {}
    for path in sorted(folder.glob("*.opus")):
        samples, _ = read_audio(path, sample_rate_hz=RATE_HZ)
        first = round(offset_s * RATE_HZ)
        stems[path.stem] = samples[:, first : first + round(duration_s * RATE_HZ)] if duration_s else samples
    n_samples = max(stem.shape[1] for stem in stems.values())
    padded = {name: np.pad(stem, ((0, 0), (0, n_samples - stem.shape[1]))) for name, stem in stems.items()}
    vocals = padded.pop("vocals")
    return {"vocals": vocals, "accompaniment": np.sum(list(padded.values()), axis=0, dtype=np.float32)}


def most_voice(vocals: Audio, duration_s: int) -> slice:
    """The stretch of so many whole seconds in which most of them are voiced."""
    counts = np.convolve(voiced(vocals, RATE_HZ), np.ones(duration_s), "valid")
    start = int(np.argmax(counts)) * RATE_HZ
    return slice(start, start + duration_s * RATE_HZ)


def pass_through(stream: PublicStream, mixture: Audio) -> Stems:
    """The stems that a stream makes of a mixture, aligned with it."""
    starts = range(0, mixture.shape[1], BLOCK_SAMPLES)
    blocks = [stream.process(mixture[:, s : s + BLOCK_SAMPLES]).copy() for s in starts]
    whole = np.concatenate([*blocks, stream.flush()], axis=2)[:, :, stream.latency_samples :]
    return dict(zip(stream.stems, whole, strict=True))


def streamed(
    separator: Separator, mixture: Audio, lookahead_frames: int, context_frames: int | None
) -> Stems:
    """Through the live stream, aligned with the mixture."""
    stream = separator.stream(
        RATE_HZ,
        context_frames=context_frames,
        update_hops=UPDATE_HOPS,
        lookahead_frames=lookahead_frames,
    )
    return pass_through(stream, mixture)


def estimates(
    separator: Separator,
    truth: Stems,
    stretch: slice,
    lookaheads: Sequence[int],
    lookaheads_of_windows: Sequence[int],
) -> dict[str, Stems | None]:
    """Stems of the stretch, by the way in which they were made; None where that cannot be."""
    there = {name: np.ascontiguousarray(stem[:, stretch]) for name, stem in truth.items()}
    mixture = there["vocals"] + there["accompaniment"]
    made: dict[str, Stems | None] = {**references(there)}
    made["offline"] = separator.separate(mixture, RATE_HZ)
    for ahead in lookaheads:
        made[f"streamed (window of 512), lookahead {ahead}"] = streamed(separator, mixture, ahead, None)
    for context in CONTEXTS_FRAMES:
        for ahead in lookaheads_of_windows:
            fits = UPDATE_HOPS + ahead <= context
            made[f"window of {context}, lookahead {ahead}"] = (
                streamed(separator, mixture, ahead, context) if fits else None
            )
    return made


def scores_of(separator: Separator, song: Stems, *, is_raised: bool, quick: bool) -> dict[str, list[str]]:
    """Two columns of the table, for one loudness of the voice: what was measured to SDR of both stems."""
    gain = np.float32(10 ** (RAISED_DB / 20) if is_raised else 1)
    truth = {"vocals": song["vocals"] * gain, "accompaniment": song["accompaniment"]}
    stretch_s = 2 if quick else STRETCH_S
    stretch = most_voice(song["vocals"], stretch_s)
    scores = {}
    if not quick:
        made = references(truth)
        made["offline"] = separator.separate(truth["vocals"] + truth["accompaniment"], RATE_HZ)
        scores |= {f"whole: {way}": score(truth, stems) for way, stems in made.items()}
    there = {name: stem[:, stretch] for name, stem in truth.items()}
    lookaheads = (
        ((0,), (0, 64)) if quick else (LOOKAHEADS_FRAMES, LOOKAHEADS_OF_WINDOWS)
    )  # one that fits into a window and one that does not
    for way, stems in estimates(separator, truth, stretch, *lookaheads).items():
        scores[f"{stretch_s} s: {way}"] = score(there, stems)
    return scores


def score(truth: Stems, stems: Stems | None) -> list[str]:
    """SDR of both stems, if there are any."""
    if stems is None:
        return ["-", "-"]
    scores_db = median_sdr_db(truth, stems, RATE_HZ)
    return [f"{scores_db[name]:.2f}" for name in STEMS]


def main() -> None:
    quick = is_quick(__doc__ or "")
    folder = SHARED / "music" / "songs" / "rubidium"
    if not folder.is_dir():
        print(f"The test song is not at {folder}: nothing to measure with.")
        return
    separator = rtsep.load(MODEL, device="cpu")
    started_s = time.perf_counter()
    song = read_song(folder, (60.0, 6.0) if quick else None)
    loudnesses = (True,) if quick else (False, True)
    columns = [scores_of(separator, song, is_raised=raised, quick=quick) for raised in loudnesses]
    rows = [[way, *(text for column in columns for text in column[way])] for way in columns[0]]
    took_s = time.perf_counter() - started_s
    names = [f"{name}{', raised' if raised else ''}" for raised in loudnesses for name in STEMS]
    title = f"{MODEL} on a song left out of training ({took_s:.0f} s)"
    show(title, ["SDR in dB of rubidium's", *names], rows)


if __name__ == "__main__":
    main()
