"""In how much memory, and how fast, are files separated into files?

`rtsep separate` in a process of its own, from a FLAC file to two WAV files, with networks of the full size: of a minute
and of two hours. The error is the largest difference of a stem of the long file, in its first half minute, from that
of the short one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from parts.models import noise, random_folder
from parts.report import is_quick, show

from rtsep.io.files import AudioReader, AudioWriter

RATE_HZ = 44100
BLOCK_S = 30
SEPARATE = """
import sys
from rtsep.__main__ import main
try:
    main()
finally:
    import resource  # Windows has none: it says so in the table
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("peak bytes", peak * (1 if sys.platform == "darwin" else 1024))
"""


def write_noise(path: Path, duration_s: int) -> None:
    """A recording of so many seconds; the longer begins as the shorter."""
    block = noise(BLOCK_S * RATE_HZ)
    with AudioWriter(path, RATE_HZ, 2, subtype="PCM_16") as writer:
        for start_s in range(0, duration_s, BLOCK_S):
            writer.write(block[:, : min(BLOCK_S, duration_s - start_s) * RATE_HZ])


def separate(source: Path, model: Path, output: Path) -> tuple[float, float]:
    """Seconds taken, and the peak in MiB (not a number where the system does not tell)."""
    options = [
        "-m",
        str(model),
        "-o",
        str(output),
        "-f",
        "{filename}-{instrument}.{codec}",
        "--device",
        "cpu",
    ]
    command = [sys.executable, "-c", SEPARATE, "separate", str(source), *options]
    started_s = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    took_s = time.perf_counter() - started_s
    last = (done.stdout.splitlines() or [""])[-1]
    if done.returncode and sys.platform != "win32":
        raise SystemExit(done.stderr)
    return took_s, float(last.split()[-1]) / (1 << 20) if last.startswith("peak") else float("nan")


def main() -> None:
    quick = is_quick(__doc__ or "")
    durations_s = (2, 4) if quick else (60, 7200)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = random_folder(folder / "random-2stems", 2, is_small=quick).path
        stems = {}
        for duration_s in durations_s:
            source = folder / f"{duration_s}.flac"
            write_noise(source, duration_s)
            took_s, peak_mib = separate(source, model, folder)
            with AudioReader(folder / f"{duration_s}-vocals.wav") as reader:
                n_samples = reader.n_samples
                stems[duration_s] = reader.read(durations_s[0] * RATE_HZ // 2)
            error = np.abs(stems[duration_s] - stems[durations_s[0]]).max()
            row = [
                f"{took_s:.1f}",
                f"{duration_s / took_s:.1f}",
                f"{peak_mib:.0f}",
                f"{n_samples}",
                f"{error:.1e}",
            ]
            rows.append([f"{duration_s} s", *row])
    columns = [
        "FLAC to two WAV files",
        "seconds",
        "times real time",
        "peak MiB",
        "samples",
        "difference, first 30 s",
    ]
    show("rtsep separate, 2 stems of the full size, start of Python included", columns, rows)


if __name__ == "__main__":
    main()
