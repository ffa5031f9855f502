"""Is a session as late as it says?

A burst of noise goes through a session by two drivers: on a JACK server without hardware, from one client to another,
and by the wall's clock, from file to output tape. The difference of what is declared and what is found must be 0. The
card's own part is not among it: a cable shows that (`rtsep live --measure-latency`).
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from parts.jack import has_server, server, through
from parts.models import random_folder
from parts.report import is_quick, show

from rtsep.dsp.delay import BURST_SAMPLES, burst, find_burst
from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings

DEMO, TWO = "demo-2stems", "full-size 2stems"
RATE_HZ = 44100
BLOCK_SAMPLES = 256
AT_SAMPLES = RATE_HZ // 4
SETTINGS = ((DEMO, "low"), (DEMO, "balanced"), (DEMO, "quality"), (TWO, "low"))
PARTS = ("synthesis window", "update", "lookahead", "fade", "block", "compute")


def sound(duration_s: float) -> np.ndarray:
    """Silence with a burst in it, ``(samples,)``."""
    silence = np.zeros(round(duration_s * RATE_HZ), np.float32)
    silence[AT_SAMPLES : AT_SAMPLES + BURST_SAMPLES] = burst(0)
    return silence


def session(model: str, latency: str, ends: dict[str, Any]) -> LiveSettings:
    tree = {"model": {"name": model, "latency": latency, "device": "cpu"}, **ends}
    return LiveSettings().with_overrides(tree, "bench")


def on_jack(model: str, latency: str, name: str, duration_s: float) -> tuple[Host, np.ndarray]:
    """A session on a server, and what it plays from the cycle on in which the sound begins."""
    output = {"sink": "device:system", "max_block_samples": BLOCK_SAMPLES}
    with Host(session(model, latency, {"input": {"source": "device:system"}, "output": output})) as host:
        return host, through(name, sound(duration_s), round(duration_s * RATE_HZ))


def by_clock(model: str, latency: str, folder: Path, duration_s: float) -> tuple[Host, np.ndarray]:
    """A session from a file by the wall's clock, and its output tape."""
    with AudioWriter(folder / "sound.wav", RATE_HZ, 2, subtype="FLOAT") as writer:
        writer.write(np.tile(sound(duration_s), (2, 1)))
    output = {"sink": f"file:{folder / 'mix.wav'}", "clock": "real", "block_samples": BLOCK_SAMPLES}
    ends = {"input": {"source": f"file:{folder / 'sound.wav'}"}, "output": output}
    with Host(session(model, latency, ends)) as host:
        host.wait(duration_s + 10)
        tape = host._rig.desk.sink_tape
        block = tape.read(0, tape.written)
    assert block is not None
    return host, block[0]


def row(model: str, latency: str, driver: str, host: Host, heard: np.ndarray) -> list[str]:
    """What a session declared, and what was found."""
    declared = host.latency
    found = find_burst(burst(0), heard[AT_SAMPLES:])
    measured = found.delay_samples if found is not None else None
    rest = declared.total_samples - sum(declared.parts.get(name, 0) for name in PARTS)
    return [
        model,
        latency,
        driver,
        *(f"{declared.ms(declared.parts.get(name, 0)):.1f}" for name in PARTS),
        f"{declared.ms(rest):.1f}",
        f"{declared.ms(declared.total_samples):.1f}",
        f"{declared.total_samples}",
        "-" if measured is None else f"{measured}",
        "not found" if measured is None else f"{measured - declared.total_samples}",
    ]


def main() -> None:
    quick = is_quick(__doc__ or "")
    duration_s = 1.2 if quick else 2.5
    rows = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        jack = opened.enter_context(server(RATE_HZ, BLOCK_SAMPLES, waits=True)) if has_server() else None
        models = {DEMO: DEMO, TWO: str(random_folder(folder / "random-2stems", 2, is_small=quick).path)}
        for model, latency in SETTINGS[:2] if quick else SETTINGS:
            if jack is not None:
                rows.append(row(model, latency, "JACK", *on_jack(models[model], latency, jack, duration_s)))
            rows.append(row(model, latency, "clock", *by_clock(models[model], latency, folder, duration_s)))
    columns = [
        "model",
        "latency",
        "driver",
        "synthesis",
        *PARTS[1:],
        "rest",
        "total ms",
        "declared",
        "measured",
        "difference",
    ]
    show(f"Latency, blocks of {BLOCK_SAMPLES}: parts in ms, then samples", columns, rows)


if __name__ == "__main__":
    main()
