"""Songs and a recipe so small that training takes a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8000
SONG_S = 3.0


def tone(frequency_hz: float, duration_s: float = SONG_S, gain: float = 0.2) -> np.ndarray:
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    wave = gain * np.sin(2 * np.pi * frequency_hz * t)
    return np.stack((wave, 0.5 * wave)).astype(np.float32)


def write_song(folder: Path, **stems: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for name, samples in stems.items():
        soundfile.write(folder / f"{name}.wav", samples.T, RATE_HZ, subtype="FLOAT")


def small_recipe(**changes: object) -> dict[str, object]:
    recipe: dict[str, object] = {
        "name": "small",
        "model": {
            "stems": ["vocals", "accompaniment"],
            "sample_rate_hz": RATE_HZ,
            "frame_samples": 256,
            "hop_samples": 64,
            "n_frames": 64,
            "n_bins": 128,
            "mask": "direct",
            "network": {"instruments": ["vocals"], "conv_n_filters": [2, 2, 4, 4, 4, 4]},
        },
        "data": {"kind": "chunks", "chunk_s": 1.0, "n_chunks_per_song": 2},
        "training": {"n_steps": 6, "batch_size": 2, "learning_rate": 0.001, "average_decay": 0.9},
    }
    recipe.update(changes)
    return recipe


REMIX = {
    "kind": "remix",
    "voice_semitones": [0, 2],
    "backing_semitones": [0],
    "layer_weights": {"drums": 1, "other": 1},
}
