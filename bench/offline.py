"""How many times faster than real time are whole recordings separated?

Three ways through the same networks: the modules as they are written, the same in torch's channels-last layout, and
what rtsep runs; each with framing, masks and overlap-add. The error is the largest difference of a stem from the first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from parts.models import noise, random_model
from parts.report import is_quick, show

import rtsep.nets.runner
from rtsep.nets.layout import LaidOutUNet
from rtsep.nets.unet import UNet
from rtsep.spectral import SpectralSeparator
from rtsep.stream import Options, StemStream

RATE_HZ = 44100
Layout = Callable[[UNet, int, int], Callable[[torch.Tensor], torch.Tensor]]


class _ChannelsLast:
    def __init__(self, net: UNet, *_: int) -> None:
        self._net = net.to(memory_format=torch.channels_last)

    def __call__(self, magnitude: torch.Tensor) -> torch.Tensor:
        return self._net(magnitude.to(memory_format=torch.channels_last))


class _OneByOne:
    """In place of the crew: stem after stem, every layer cut in pieces for all cores."""

    def __init__(self, *_: int) -> None:
        pass

    def map(self, function: Callable, jobs: list) -> list:
        return [function(job) for job in jobs]


WAYS: dict[str, tuple[Layout, type]] = {
    "as written": (lambda net, *_: net, _OneByOne),
    "channels last": (_ChannelsLast, _OneByOne),
    "rtsep": (LaidOutUNet, rtsep.nets.runner.Crew),
}


def open_stream(n_stems: int, way: str, *, is_small: bool) -> StemStream:
    """An offline stream that runs its networks in one of the `WAYS`."""
    kept = rtsep.nets.runner.LaidOutUNet, rtsep.nets.runner.Crew
    rtsep.nets.runner.LaidOutUNet, rtsep.nets.runner.Crew = WAYS[way]  # type: ignore[misc, assignment]
    try:
        card, net = random_model(n_stems, is_small=is_small)
        return SpectralSeparator(card, net, Options(device="cpu")).open_stream(None)
    finally:
        rtsep.nets.runner.LaidOutUNet, rtsep.nets.runner.Crew = kept  # type: ignore[misc]


def compare(n_stems: int, *, is_small: bool, n_rounds: int) -> list[list[str]]:
    """Rows of the table; the ways take turns, so that what disturbs one disturbs all."""
    streams = {way: open_stream(n_stems, way, is_small=is_small) for way in WAYS}
    segment = noise(next(iter(streams.values())).update_samples)
    stems = {
        way: stream.process(segment).copy() for way, stream in streams.items()
    }  # the first call warms up
    times_s: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(n_rounds):
        for way, stream in streams.items():
            started_s = time.perf_counter()
            stems[way] = stream.process(segment).copy()
            times_s[way].append(time.perf_counter() - started_s)
    rows = []
    for way in WAYS:
        speeds = [segment.shape[1] / RATE_HZ / time_s for time_s in times_s[way]]
        error = np.abs(stems[way] - stems["as written"]).max()
        rows.append(
            [
                f"{n_stems} stems, {way}",
                f"{statistics.median(speeds):.1f}",
                f"{max(speeds):.1f}",
                f"{error:.1e}",
            ]
        )
    return rows


def main() -> None:
    quick = is_quick(__doc__ or "")
    rows = []
    for n_stems in (2, 4, 5):
        rows += compare(n_stems, is_small=quick, n_rounds=1 if quick else 5)
    show("Offline, times real time", ["networks", "median", "best", "largest difference"], rows)


if __name__ == "__main__":
    main()
