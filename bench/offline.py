"""How many times faster than real time are whole recordings separated?

Four ways through the same networks: the modules as they are written, the same in torch's channels-last layout, and what
rtsep runs, in float32 and in bfloat16; each with framing, masks and overlap-add, segment after segment of a recording
that lies in memory. The error is the largest difference of a stem from the first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch
from parts.models import noise, random_model
from parts.report import is_quick, show

from rtsep.arithmetic import MaskPlan
from rtsep.nets.runner import Window
from rtsep.nets.unet import SeparationNet
from rtsep.pace import Steady
from rtsep.spectral import SpectralSeparator, choose_tapers, host_stream
from rtsep.stream import Options, StemStream
from rtsep.zoo.card import ModelCard

RATE_HZ = 44100
WAYS = ("as written", "channels last", "rtsep", "rtsep, bfloat16")


class Written:
    """A runner of whole segments, through the modules as they are written.

    Parameters
    ----------
    net, instruments
        The networks, and which of them run.
    """

    def __init__(self, net: SeparationNet, instruments: Sequence[str]) -> None:
        self._net, self._names = net, instruments

    @torch.inference_mode()
    def push(self, magnitude: np.ndarray, n_wanted: int, ahead: int) -> np.ndarray:
        """Masks of the whole segment."""
        return np.asarray(self._net(torch.from_numpy(magnitude)[None], self._names)[:, 0])

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


def open_stream(card: ModelCard, net: SeparationNet, way: str) -> StemStream:
    """An offline stream that runs its networks in one of the `WAYS`."""
    if way.startswith("rtsep"):
        precision = "bfloat16" if way.endswith("bfloat16") else "float32"
        return SpectralSeparator(card, net, Options(device="cpu", precision=precision)).open_stream(None)
    if way == "channels last":
        net = net.to(memory_format=torch.channels_last)
    window = Window(card.n_frames, card.n_frames)
    plan = MaskPlan(card, "ratio", "zeros", card.stems)
    runner = Written(net, card.network.instruments)
    return host_stream(card, plan, choose_tapers(card, None), window, runner, Steady())


def compare(n_stems: int, *, is_small: bool, n_rounds: int) -> list[list[str]]:
    """Rows of the table; the ways take turns, so that what disturbs one disturbs all."""
    streams = {way: open_stream(*random_model(n_stems, is_small=is_small), way) for way in WAYS}
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
    show(
        "Offline, times real time of a segment of 11.9 s",
        ["networks", "median", "best", "largest difference"],
        rows,
    )


if __name__ == "__main__":
    main()
