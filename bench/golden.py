"""How far are the stems from those that Deezer's Spleeter makes of the same checkpoints?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from parts.report import SHARED, is_quick, show

import rtsep
from rtsep.io.files import read_audio
from rtsep.zoo.convert import convert

FOLDERS = ("2stems", "4stems", "5stems")


def measure(golden: Path, name: str) -> list[list[str]]:
    """A row a stem: largest and mean error, and the stem's own peak."""
    expected = np.load(golden / name / "expected_stems.npz")
    mixture, rate_hz = read_audio(golden / "mixture.wav")
    with tempfile.TemporaryDirectory() as folder:
        model = convert(golden / name, Path(folder) / name)
        separator = rtsep.load(model, device="cpu")
        separator.separate(mixture, rate_hz)
        started_s = time.perf_counter()
        stems = separator.separate(mixture, rate_hz)
        speed = mixture.shape[1] / rate_hz / (time.perf_counter() - started_s)
    rows = []
    for stem, samples in stems.items():
        error = samples - expected[stem].T
        rows.append(
            [
                f"{name}, {stem}",
                f"{np.abs(error).max():.1e}",
                f"{np.sqrt(np.mean(error**2)):.1e}",
                f"{np.abs(expected[stem]).max():.2f}",
                f"{speed:.0f}",
            ]
        )
    return rows


def main() -> None:
    quick = is_quick(__doc__ or "")
    golden = SHARED / "golden"
    if not golden.is_dir():
        print(f"Spleeter's outputs are not at {golden}: nothing to compare with.")
        return
    rows = [row for name in (FOLDERS[:1] if quick else FOLDERS) for row in measure(golden, name)]
    columns = ["checkpoint, stem", "largest error", "rms error", "peak of the stem", "times real time"]
    show("Against Spleeter 2.4.2 (random weights, narrow layers)", columns, rows)


if __name__ == "__main__":
    main()
