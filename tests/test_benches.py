"""Every bench runs: what it prints is for people, that it prints is for here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHES = sorted((Path(__file__).resolve().parents[1] / "bench").glob("*.py"))


def test_there_are_benches() -> None:
    assert {
        "callback",
        "golden",
        "gpu",
        "live",
        "memory",
        "offline",
        "product",
        "quality",
        "resampling",
        "runtimes",
        "soak",
        "streaming",
        "wakeup",
        "web",
    } <= {path.stem for path in BENCHES}


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_a_bench_runs_and_prints(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), "--quick"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if "nothing to" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert len(re.findall(r"^│.*\d", done.stdout, re.MULTILINE)) >= 2
