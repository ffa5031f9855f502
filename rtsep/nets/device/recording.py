"""Work that a device is given: recorded once and replayed, in lanes beside one another, in some precision.

A step of the networks is a hundred small operations. Given one by one from Python they take longer to give than to do,
and wait for every other Python thread; a CUDA graph is given at once. On a CPU the same functions are called as they
are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from rtsep.errors import DeviceError
from rtsep.stream import Precision

N_WARM_UPS = 3  # what libraries make at their first calls must be there before a recording

KINDS: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""What weights and columns are stored as."""


class Lane:
    """Work in order; beside that of other lanes. On a CPU there is one lane: now.

    Parameters
    ----------
    device
        Whose.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, is_gpu = device, device.type == "cuda"
        self._stream = _stream(device) if is_gpu else None
        # What recordings use in between: of one lane, so never two at a time.
        self._pool = torch.cuda.graph_pool_handle() if is_gpu else None

    def do(self, work: Callable[[], None]) -> None:
        """Give it some work; on a device that is done later."""
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            work()

    def record(self, work: Callable[[], None], precision: Precision) -> Callable[[], None]:
        """Make some work one call.

        Parameters
        ----------
        work
            Reads and writes memory that stays where it is, and asks the device nothing. It is done some times.
        precision
            Of its products.

        Returns
        -------
        Callable
            The same work, for `do`.
        """
        if self._stream is None:
            return work
        torch.cuda.synchronize(self._device)  # what the work needs was made in another lane
        with _products(precision):
            for _ in range(N_WARM_UPS):
                self.do(work)
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile: a running session does while the next is prepared.
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                work()
        self.finish()
        return graph.replay

    def mark(self) -> Mark:
        """A point behind all that was given so far."""
        mark = Mark(None if self._stream is None else _event())
        if mark.event is not None:
            mark.event.record(self._stream)
        return mark

    def follow(self, mark: Mark) -> None:
        """What is given from now on waits for a mark of another lane."""
        if self._stream is not None and mark.event is not None:
            self._stream.wait_event(mark.event)

    def finish(self) -> None:
        """Wait, without the interpreter's lock, until all is done."""
        if self._stream is not None:
            self._stream.synchronize()


class Mark:
    """A point in a lane."""

    def __init__(self, event: torch.cuda.Event | None = None) -> None:
        self.event = event

    def wait(self) -> None:
        """Until it is reached."""
        if self.event is not None:
            self.event.synchronize()


def host_zeros(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Memory of the host that a device can read and write by itself (pinned)."""
    return torch.zeros(shape, pin_memory=device.type == "cuda")


def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]


@contextmanager
def _products(precision: Precision) -> Iterator[None]:
    """Matrix products of float32 as such, or rounded to TF32 on their way in."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def explained(device: torch.device, doing: str) -> Iterator[None]:
    """Say what a device's complaint means.

    Raises
    ------
    DeviceError
        Its memory is full, or it fails otherwise.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"{doing} on {device_name(device)}: its memory is full. Close what else uses it, or try "
            f"--precision float16, fewer stems, a smaller model (-m) or --device cpu."
        ) from error
    except RuntimeError as error:
        if device.type != "cuda":
            raise
        first_line = str(error).partition("\n")[0]
        raise DeviceError(
            f"{doing} on {device_name(device)} fails: {first_line}. Try again, or --device cpu; if it stays, torch "
            f"{torch.__version__} and the driver may not fit together."
        ) from error


def device_name(device: torch.device) -> str:
    """What a person calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
