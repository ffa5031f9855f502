"""Does a well-kept runtime run a streamed step faster than rtsep's own layers?

One full-size stem, one new frame, one wanted column. The step as a network of ordinary layers is the same for torch,
torch.compile, ONNX Runtime and OpenVINO: of every level the four columns that are kept come in, and its three newest
are made. What takes part is what is installed (pip install onnxruntime onnx onnxscript openvino; torch.compile needs a
C++ compiler). The error is the largest difference of a mask from the published network over its window of 512 frames.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from parts.models import random_model
from parts.report import is_quick, show
from torch import Tensor, nn

from rtsep.nets.product import HAS_BFLOAT16
from rtsep.nets.streaming import StreamingUNet
from rtsep.nets.unet import SeparationNet, UNet

N_FRAMES = 512
N_KEPT, N_FRESH = 4, 3
Step = Callable[[], np.ndarray]


class StepNet(nn.Module):
    """A step of one stem: columns are given oldest first, the last three of every level are this step's."""

    def __init__(self, net: UNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor, *kept: Tensor) -> Tensor:
        """The logits of the newest frame, ``(1, 2, 1, bins)``, of the last 7 frames and 4 columns of each level."""
        net, seen, skips = self.net, frames, []
        for i, conv in enumerate(net.convs):
            raw = F.conv2d(F.pad(seen, (1, 2, 0, 2)), conv.weight, conv.bias, stride=2)
            skips.append(raw)
            if i < len(kept):
                seen = torch.cat((kept[i], net.conv_activation(net.conv_norms[i](raw))), dim=2)
        x = skips.pop()
        for i, (deconv, norm) in enumerate(zip(net.deconvs, net.deconv_norms, strict=True)):
            x = F.conv_transpose2d(x, deconv.weight, deconv.bias, stride=2)[:, :, 1:-2, 1:-2]
            x = norm(net.deconv_activation(x))[:, :, -(4 if i + 1 == len(net.deconvs) else N_FRESH) :]
            if skips:
                x = torch.cat((skips.pop(), x), dim=1)
        return self._head(x)

    def _head(self, x: Tensor) -> Tensor:
        """The newest column sees itself, three columns back, and the padding."""
        return F.conv2d(F.pad(x, (3, 3, 0, 3)), self.net.head.weight, self.net.head.bias, dilation=2)[
            :, :, :1
        ]


def kept_columns(net: UNet, magnitude: Tensor) -> list[Tensor]:
    """What the last step left of every level: columns 6 .. 3 of the window ``(1, 2, 512, bins)``, oldest first."""
    kept, x = [], magnitude
    for conv, norm in zip(net.convs, net.conv_norms, strict=False):
        x = net.conv_activation(norm(conv(x)))
        n = x.shape[2]
        columns = torch.zeros(1, x.shape[1], N_KEPT, x.shape[3])
        n_there = min(N_KEPT, max(0, n - N_FRESH))
        columns[:, :, N_KEPT - n_there :] = x[:, :, n - N_FRESH - n_there : n - N_FRESH]
        kept.append(columns)
    return kept


def torch_ways(step: StepNet, given: list[Tensor]) -> dict[str, Step]:
    """Op by op, and compiled."""
    channels_last = [x.contiguous(memory_format=torch.channels_last) for x in given]
    ways = {"torch, op by op": lambda: torch.sigmoid(step(*channels_last)).numpy()}
    try:
        compiled = torch.compile(step)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled(*channels_last)
    except Exception as error:  # no compiler, or none that torch can use
        print(f"torch.compile does not take part: {str(error).splitlines()[0]}")
        return ways
    return {**ways, "torch.compile": lambda: torch.sigmoid(compiled(*channels_last)).numpy()}


def onnx_runtime(step: StepNet, given: list[Tensor], n_threads: int) -> dict[str, Step]:
    """ONNX Runtime on the exported step."""
    if find_spec("onnxruntime") is None or find_spec("onnxscript") is None:
        return {}
    import onnxruntime

    names = [f"x{i}" for i in range(len(given))]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "step.onnx"
        torch.onnx.export(step, tuple(given), str(path), input_names=names, verbose=False)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {one.name: x.numpy() for one, x in zip(session.get_inputs(), given, strict=True)}
    return {"ONNX Runtime": lambda: sigmoid(session.run(None, feed)[0])}


def openvino_runtime(step: StepNet, given: list[Tensor], n_threads: int) -> dict[str, Step]:
    """OpenVINO, in float32 and, where the processor has it, bfloat16."""
    if find_spec("openvino") is None:
        return {}
    import openvino

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = openvino.convert_model(step, example_input=tuple(given))
    arrays, ways = [x.numpy() for x in given], {}
    for kind in ("f32", "bf16") if HAS_BFLOAT16 else ("f32",):
        config = {
            "INFERENCE_PRECISION_HINT": kind,
            "INFERENCE_NUM_THREADS": n_threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = openvino.Core().compile_model(model, "CPU", config).create_infer_request()
        ways[f"OpenVINO, {kind}"] = lambda request=request: sigmoid(
            next(iter(request.infer(arrays).values()))
        )
    return ways


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def rtsep_ways(net: SeparationNet, frames: np.ndarray, n_threads: int) -> dict[str, Step]:
    """The same step by `StreamingUNet`."""
    ways = {}
    for precision in ("float32", "bfloat16"):
        unet = StreamingUNet(
            net, net.instruments[:1], frames.shape[2], precision=precision, n_threads=n_threads
        )

        def step(unet: StreamingUNet = unet) -> np.ndarray:
            return unet.push(frames[:, -1:], 1)

        def first(unet: StreamingUNet = unet, step: Step = step) -> np.ndarray:
            unet.reset()
            unet.push(frames[:, :-1], 0)
            return step()

        ways[f"rtsep, {precision}"] = step
        step.first = first  # type: ignore[attr-defined]  # the masks that can be compared
    return ways


def main() -> None:
    quick = is_quick(__doc__ or "")
    n_threads, n_rounds = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2,
        3 if quick else 60,
    )
    torch.set_num_threads(n_threads)
    _, net = random_model(2, is_small=quick)
    frames = np.random.default_rng(0).uniform(0, 5, (2, N_FRAMES, 1024)).astype(np.float32)
    window = torch.from_numpy(frames)[None]
    unet = next(iter(net.unets.values()))
    with torch.inference_mode():
        expected = torch.sigmoid(unet(window))[:, :, -1:].numpy()
        given = [window[:, :, -(N_KEPT + N_FRESH) :], *kept_columns(unet, window)]
        step = StepNet(unet).eval()
        ways = torch_ways(step, given) if not quick else {}
    if not quick:
        ways |= onnx_runtime(step, given, n_threads) | openvino_runtime(step, given, n_threads)
    for n in sorted({1, n_threads}):
        ways |= {f"{name}, {n} threads": way for name, way in rtsep_ways(net, frames, n).items()}
    rows = []
    for name, way in ways.items():
        with torch.inference_mode():
            masks = getattr(way, "first", way)()
            error = np.abs(masks.reshape(-1) - expected.reshape(-1)).max()
            way()
            times_ms = []
            for _ in range(n_rounds):
                started_s = time.perf_counter()
                way()
                times_ms.append(1000 * (time.perf_counter() - started_s))
        rows.append(
            [name, f"{statistics.median(times_ms):.1f}", f"{np.percentile(times_ms, 99):.1f}", f"{error:.0e}"]
        )
    columns = ["one full-size stem, a step of one frame", "p50 ms", "p99 ms", "error of the masks"]
    show(f"Runtimes, {n_threads} threads", columns, rows)


if __name__ == "__main__":
    main()
