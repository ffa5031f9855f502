"""How fast do full-size networks run on a GPU, live and offline, and what does each precision cost?

A step is one update of one hop, from samples in host memory to stems in host memory: copies, transforms, networks,
masks, overlap-add. Decks are streams that are separated side by side in that step. The error is the largest difference
of a mask of the networks from the full window in float64. Offline, whole segments of a recording that lies in memory
go through, in updates as `rtsep separate` makes them; the first two fill the pipeline and are not counted.

Without a GPU the same code runs on the CPU, a few steps of tiny networks: that shows only that it runs.
"""

from __future__ import annotations

import copy
import time

import numpy as np
import torch
from parts.models import noise, random_model
from parts.report import is_quick, show

from rtsep.arithmetic import MaskPlan
from rtsep.nets.device.arithmetic import DeviceStreams, Task
from rtsep.nets.device.layers import Networks
from rtsep.nets.device.recording import KINDS, Lane
from rtsep.nets.device.spectra import Framing
from rtsep.nets.device.streamed import StreamedNetworks
from rtsep.nets.runner import Effort, Window
from rtsep.nets.unet import SeparationNet
from rtsep.pace import Steady
from rtsep.spectral import choose_tapers, device_stream
from rtsep.stream import Precision
from rtsep.zoo.card import ModelCard

RATE_HZ = 44100
N_WARM_UP_STEPS = 20
GPU_PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "float16", "bfloat16")
STEPS = [(1, 1), (2, 1), (4, 1), (5, 1), (4, 2), (4, 4), (4, 8)]
"""Stems and decks."""


class Bench:
    """Where it runs, and how much of it.

    Parameters
    ----------
    is_short
        Whether only to show that it runs.
    """

    def __init__(self, is_short: bool) -> None:
        self.has_gpu = torch.cuda.is_available()
        self.device = torch.device("cuda" if self.has_gpu else "cpu")
        self.is_small = is_short or not self.has_gpu
        self.precisions = GPU_PRECISIONS if self.has_gpu else ("float32", "bfloat16")
        self.steps = STEPS[:1] + STEPS[4:5] if self.is_small else STEPS
        self.n_steps = 3 if self.is_small else 2000
        self.recordings = [2] if self.is_small else [2, 4, 5]
        self.n_updates = 1 if self.is_small else 8

    def model(self, n_stems: int) -> tuple[ModelCard, SeparationNet]:
        """Random weights."""
        return random_model(n_stems, is_small=self.is_small)

    def step(self, n_stems: int, n_decks: int, precision: Precision) -> list[str]:
        """A line of the first table."""
        card, net = self.model(n_stems)
        plan, tapers = MaskPlan(card, "ratio", "zeros", card.stems), choose_tapers(card, None)
        framing = Framing(tapers.analysis, tapers.synthesis, 1024, card.n_bins)
        task = Task(net, plan.instruments, plan.recipe, framing, Effort(self.device, precision))
        streams = DeviceStreams(task, Window(None), (1,), n_decks)
        samples = np.stack([noise(1024, seed) for seed in range(n_decks)])
        times_ms = []
        for _ in range(N_WARM_UP_STEPS if self.has_gpu else 1):
            streams.separate(samples, 1)
        for _ in range(self.n_steps):
            started_s = time.perf_counter()
            streams.separate(samples, 1)
            times_ms.append(1000 * (time.perf_counter() - started_s))
        figures = [f"{np.percentile(times_ms, q):.2f}" for q in (50, 99)]
        error = self.error(card, net, precision)
        return [f"{n_stems} stems, {n_decks} decks, {precision}", *figures, f"{max(times_ms):.2f}", error]

    def error(self, card: ModelCard, net: SeparationNet, precision: Precision) -> str:
        """The largest difference of a mask after some frames."""
        names, n_frames = card.network.instruments, 8 if self.is_small else 128
        frames = np.random.default_rng(0).uniform(0, 5, (1, 2, n_frames, card.n_bins)).astype(np.float32)
        silence = np.zeros((1, 2, 512 - n_frames, card.n_bins), np.float32)
        with torch.no_grad():
            window = torch.from_numpy(np.concatenate((silence, frames), axis=2)).double()
            expected = copy.deepcopy(net).double()(window, names)[:, :, :, -1:].numpy()
            networks = Networks([net.unets[name] for name in names], net.spec, self.device, KINDS[precision])
            streamed = StreamedNetworks(networks, card.n_bins, 1, 1, ((1, 0),), 0.0)
            column = torch.zeros(1, 2, 1, card.n_bins, device=self.device)
            logits = torch.zeros(len(names), 1, 2, 1, card.n_bins, device=self.device)

            def push() -> None:
                made = streamed.push(column, (1, 0))
                assert made is not None
                logits.copy_(made)

            lane = Lane(self.device)
            recorded = lane.record(push, precision)  # in which it has its precision
            lane.do(streamed.reset)
            for i in range(n_frames):
                lane.finish()
                column.copy_(torch.from_numpy(frames[:, :, i : i + 1]))
                lane.do(recorded)
            lane.finish()
            return f"{np.abs(net.masks(logits).cpu().numpy() - expected).max():.0e}"

    def offline(self, n_stems: int, precision: Precision) -> list[str]:
        """A line of the second table."""
        card, net = self.model(n_stems)
        plan = MaskPlan(card, "ratio", "zeros", card.stems)
        effort = Effort(self.device, precision)
        stream = device_stream(card, net, plan, choose_tapers(card, None), None, effort, Steady())
        mixture = noise(stream.update_samples)
        for _ in range(2):
            stream.process(mixture)
        started_s = time.perf_counter()
        for _ in range(self.n_updates):
            stream.process(mixture)
        took_s = time.perf_counter() - started_s
        stream.close()
        speed = self.n_updates * mixture.shape[1] / RATE_HZ / took_s
        return [f"{n_stems} stems, {precision}", f"{speed:.0f}"]


def title(bench: Bench, what: str) -> str:
    """What was measured, and on what."""
    if bench.has_gpu:
        return f"{what}, {torch.cuda.get_device_name()}{', tiny networks' if bench.is_small else ''}"
    return f"{what}, on the CPU, tiny networks: shows only that it runs"


def main() -> None:
    bench = Bench(is_quick(__doc__ or ""))
    if not bench.has_gpu:
        print("There is no GPU that torch sees: what follows are the same computations, tiny, on the CPU.")
    rows = [bench.step(*step, precision) for step in bench.steps for precision in bench.precisions]
    columns = ["a step of one hop, host to host", "p50 ms", "p99 ms", "max ms", "error of the masks"]
    show(title(bench, "Live"), columns, rows)
    rows = [bench.offline(n, precision) for n in bench.recordings for precision in bench.precisions]
    show(title(bench, "Offline"), ["networks", "times real time"], rows)


if __name__ == "__main__":
    main()
