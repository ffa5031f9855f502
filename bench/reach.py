"""What is latency worth? SDR of the model that ships against what it waits for, on one song.

The synthesis window (4 hops are Spleeter's) and the lookahead are what a latency is spent on besides the work. Every
update is one hop. The song, the stretch and SDR are those of `bench/quality.py`.
"""

from __future__ import annotations

import numpy as np
from parts.report import SHARED, is_quick, show
from quality import MODEL, RAISED_DB, RATE_HZ, STRETCH_S, Stems, most_voice, pass_through, read_song

import rtsep
from rtsep.separator import Separator
from rtsep.settings import REACHES, Reach
from rtsep.stream import Audio
from rtsep.train.evaluate import median_sdr_db

OTHERS = (
    Reach(2, 1),
    Reach(2, 4),
    Reach(2, 8),
    Reach(4, 0),
    Reach(4, 1),
    Reach(4, 2),
    Reach(4, 4),
    Reach(4, 16),
)


def streamed(separator: Separator, mixture: Audio, reach: Reach) -> tuple[Stems, float]:
    """The stems, and the latency in milliseconds."""
    stream = separator.stream(
        RATE_HZ, update_hops=1, lookahead_frames=reach.lookahead_frames, synthesis_hops=reach.synthesis_hops
    )
    return pass_through(stream, mixture), stream.latency.ms(stream.latency_samples)


def row(separator: Separator, song: Stems, reach: Reach, name: str) -> list[str]:
    """Latency, and SDR of both stems at both loudnesses of the voice."""
    scores = []
    for gain_db in (0.0, RAISED_DB):
        truth = {**song, "vocals": song["vocals"] * np.float32(10 ** (gain_db / 20))}
        made, latency_ms = streamed(separator, truth["vocals"] + truth["accompaniment"], reach)
        sdr_db = median_sdr_db(truth, made, RATE_HZ)
        scores += [f"{sdr_db['vocals']:.2f}", f"{sdr_db['accompaniment']:.2f}"]
    return [name, f"{reach.synthesis_hops}", f"{reach.lookahead_frames}", f"{latency_ms:.0f}", *scores]


def main() -> None:
    quick = is_quick(__doc__ or "")
    folder = SHARED / "music" / "songs" / "rubidium"
    if not folder.is_dir():
        print(f"The test song is not at {folder}: nothing to measure with.")
        return
    separator = rtsep.load(MODEL, device="cpu")
    song = read_song(folder, (60.0, 6.0) if quick else None)
    stretch = most_voice(song["vocals"], 2 if quick else STRETCH_S)
    song = {name: np.ascontiguousarray(stem[:, stretch]) for name, stem in song.items()}
    named = {reach: name for name, reach in REACHES.items()}
    reaches = sorted(named) if quick else sorted({*named, *OTHERS}, key=lambda reach: (sum(reach), reach))
    rows = [row(separator, song, reach, named.get(reach, "")) for reach in reaches]
    columns = ["latency", "window hops", "lookahead", "ms", "vocals dB", "rest dB"]
    raised = [f"vocals +{RAISED_DB:g}: dB", "rest dB"]
    show(f"{MODEL}: SDR against what is waited for", [*columns, *raised], rows)


if __name__ == "__main__":
    main()
