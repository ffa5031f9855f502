"""What does an update of the networks cost: full window, short windows, or streamed?

Full-size networks of random weights, on a CPU. A window is evaluated whole for every update; the streamed form computes
what is new. "As written" is Spleeter's network as PyTorch runs it. The error is the largest difference of a mask from
the network as written over its full window of 512 frames, in float64; a short window has less to go by. For the last
table a Python thread is busy beside it that never rests.
"""

from __future__ import annotations

import copy
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from parts.models import random_model
from parts.report import is_quick, show

from rtsep.nets.runner import ON_A_CPU
from rtsep.nets.streaming import StreamingUNet
from rtsep.nets.unet import SeparationNet
from rtsep.nets.window import WindowUNet
from rtsep.stream import Precision
from rtsep.succession import SWITCH_S

N_BINS, WINDOW_FRAMES = 1024, 512
HOP_MS = 1024 / 44.1
PYTHONS_SWITCH_S = 0.005
Update = Callable[[], np.ndarray]


class Bench:
    """Two networks and the frames that all ways of running them see."""

    def __init__(self, quick: bool) -> None:
        self.card, self.net = random_model(2, is_small=quick)
        self.names = self.card.network.instruments
        self.n_rounds = 2 if quick else 40
        self._exact: np.ndarray | None = None
        self.frames = np.random.default_rng(0).uniform(0, 5, (2, WINDOW_FRAMES, N_BINS)).astype(np.float32)

    def expected(self, n_wanted: int, ahead: int) -> np.ndarray:
        """The masks of the full window, in float64: float32 is itself some 1e-5 away from that."""
        if self._exact is None:
            with torch.inference_mode():
                frames = torch.from_numpy(self.frames).double()[None]
                self._exact = copy.deepcopy(self.net).double()(frames, self.names)[:, 0].numpy()
        masks = self._exact
        end = WINDOW_FRAMES - ahead
        return masks[:, :, end - n_wanted : end]

    def times_ms(self, update: Update) -> np.ndarray:
        """How long an update takes, again and again."""
        update()
        times_ms = []
        for _ in range(self.n_rounds):
            started_s = time.perf_counter()
            update()
            times_ms.append(1000 * (time.perf_counter() - started_s))
        return np.array(times_ms)

    def row(
        self, name: str, update: Update, update_hops: int, masks: np.ndarray | None, ahead: int = 0
    ) -> list[str]:
        """A line of a table: time, load, error."""
        times_ms = self.times_ms(update)
        error = "-" if masks is None else f"{np.abs(masks - self.expected(update_hops, ahead)).max():.0e}"
        load = np.percentile(times_ms, 99) / (update_hops * HOP_MS)
        figures = (f"{np.percentile(times_ms, q):.1f}" for q in (50, 99))
        return [name, *figures, f"{times_ms.max():.1f}", f"{load:.0%}", error]

    def window(self, n_frames: int, precision: Precision, n_threads: int) -> list[str]:
        """A window of so many frames, evaluated whole."""
        unet = WindowUNet(self.net, self.names, n_frames, N_BINS, precision=precision, n_threads=n_threads)
        seen = np.ascontiguousarray(self.frames[:, -n_frames:])

        def update() -> np.ndarray:
            return unet.evaluate(seen)[:, :, -1:]

        return self.row(f"window of {n_frames}, {precision}", update, 1, update().copy())

    def written(self) -> list[str]:
        """The network as it is written, over the full window."""
        window = torch.from_numpy(self.frames)[None]

        def update() -> np.ndarray:
            with torch.inference_mode():
                return self.net(window, self.names)[:, 0].numpy()[:, :, -1:]

        return self.row("window of 512, as written", update, 1, update())

    def streamed(self, update_hops: int, ahead: int, precision: Precision, n_threads: int) -> list[str]:
        """The streamed form."""
        unet = self.open(update_hops, ahead, precision, n_threads)
        masks = self.after_a_window(unet, update_hops, ahead)
        name = f"streamed, update {update_hops}, lookahead {ahead}, {precision}"
        new = self.frames[:, -update_hops:]
        return self.row(name, lambda: unet.push(new, update_hops, ahead), update_hops, masks, ahead)

    def caught_up(self, precision: Precision, n_threads: int) -> list[str]:
        """Frames that only count as seen."""
        unet = self.open(1, 0, precision, n_threads)
        new = self.frames[:, -1:]
        return self.row(f"catching up by a frame, {precision}", lambda: unet.push(new, 0), 1, None)

    def open(self, update_hops: int, ahead: int, precision: Precision, n_threads: int) -> StreamingUNet:
        """The streamed form for an update and a lookahead."""
        grid = update_hops & -update_hops
        return StreamingUNet(
            self.net, self.names, N_BINS, grid_hops=grid, reach_frames=update_hops + ahead,
            precision=precision, n_threads=n_threads,
        )  # fmt: skip

    def after_a_window(self, unet: StreamingUNet, update_hops: int, ahead: int) -> np.ndarray:
        """The masks at the end of the frames."""
        unet.push(self.frames[:, :-update_hops], 0)
        return unet.push(self.frames[:, -update_hops:], update_hops, ahead).copy()


@contextmanager
def busy_thread(switch_s: float) -> Iterator[None]:
    """A thread that never lets the interpreter go by itself, in an interpreter that asks for it so often."""
    stop, before_s = threading.Event(), sys.getswitchinterval()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    sys.setswitchinterval(switch_s)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
        stop.set()
        thread.join()


def beside_a_busy_thread(bench: Bench) -> list[list[str]]:
    """The same step alone and in company: as one compiled call, and op by op through torch."""
    unet = bench.open(1, 0, "float32", 1)
    new, window = bench.frames[:, -1:], torch.from_numpy(bench.frames[:, -64:].copy())[None]

    def op_by_op() -> np.ndarray:
        with torch.inference_mode():
            return bench.net(window, bench.names)[:, 0].numpy()

    ways: dict[str, Update] = {
        "streamed, one compiled call": lambda: unet.push(new, 1),
        "a window of 64, op by op": op_by_op,
    }
    rows = []
    for name, update in ways.items():
        medians_ms = [np.median(bench.times_ms(update))]
        for switch_s in (PYTHONS_SWITCH_S, SWITCH_S):
            with busy_thread(switch_s):
                medians_ms.append(np.median(bench.times_ms(update)))
        rows.append([name, *(f"{ms:.1f}" for ms in medians_ms)])
    return rows


def memory(net: SeparationNet, names: tuple[str, ...]) -> list[list[str]]:
    """What the networks keep, by grid and precision."""
    rows = []
    for precision in ON_A_CPU:
        for grid in (1, 4):
            unet = StreamingUNet(
                net, names[:1], N_BINS, grid_hops=grid, reach_frames=grid, precision=precision
            )
            rows.append([f"{precision}, update {grid}", f"{unet.n_bytes / 2**20:.0f}"])
    return rows


def main() -> None:
    bench = Bench(is_quick(__doc__ or ""))
    n_threads = torch.get_num_threads()
    rows = [bench.written()]
    rows += [bench.window(n, "float32", n_threads) for n in (512, 128, 64)]
    for precision in ON_A_CPU:
        rows += [bench.streamed(u, 0, precision, n_threads) for u in (1, 2, 4, 8, 16)]
        rows += [bench.streamed(1, ahead, precision, n_threads) for ahead in (8, 32, 128)]
        rows.append(bench.caught_up(precision, n_threads))
    columns = ["2 full-size stems", "p50 ms", "p99 ms", "max ms", "load p99", "error of the masks"]
    show(f"An update of the networks, {n_threads} threads", columns, rows)
    show("Memory of a stem", ["streamed", "MiB"], memory(bench.net, bench.names))
    columns = ["2 full-size stems, 1 thread, p50 ms", "alone", "beside", "beside, as in a live session"]
    show("Beside a busy Python thread", columns, beside_a_busy_thread(bench))


if __name__ == "__main__":
    main()
