"""Loss, validation and speed of a training run: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_LOSS_SMOOTHING = 0.02
_LINE_S = 60.0  # between lines of a log


class TrainingDisplay:
    """What a run shows while it works.

    Parameters
    ----------
    progress
        The bar.
    task
        Its one task.
    is_log
        Write lines, for nobody sees the bar.
    """

    def __init__(self, progress: Progress, task: TaskID, *, is_log: bool) -> None:
        self._progress, self._task, self._is_log = progress, task, is_log
        self._mean: float | None = None
        self._line_s = time.monotonic()

    def loss(self, loss: float) -> None:
        """One more step."""
        mean = loss if self._mean is None else self._mean
        self._mean = mean + _LOSS_SMOOTHING * (loss - mean)
        speed = self._progress.tasks[self._task].speed or 0.0
        self._progress.update(self._task, advance=1, loss=f"{self._mean:.4f}", speed=f"{speed:.2f}")
        if self._is_log and time.monotonic() - self._line_s >= _LINE_S:
            self._line()

    def validation(self, loss: float | None) -> None:
        """A validation was made, of songs if there are any."""
        if loss is not None:
            self._progress.update(self._task, validation=f"validation {loss:.4f}")
        if self._is_log:
            self._line()

    def _line(self) -> None:
        self._line_s = time.monotonic()
        task = self._progress.tasks[self._task]
        at = f"step {task.completed:.0f}/{task.total:.0f}"
        words = (
            at,
            f"loss {task.fields['loss']}",
            task.fields["validation"],
            f"{task.fields['speed']} steps/s",
        )
        self._progress.console.print("  ".join(word for word in words if word), highlight=False)


@contextmanager
def training_display(n_done: int, n_steps: int) -> Iterator[TrainingDisplay]:
    """Show the steps from `n_done` to `n_steps` on the standard error."""
    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]}  {task.fields[validation]}  {task.fields[speed]} steps/s"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("train", total=n_steps, completed=n_done, loss="-", validation="", speed="-")
        yield TrainingDisplay(progress, task, is_log=not console.is_terminal)


@contextmanager
def reading_display(n_sounds: int) -> Iterator[Callable[[], None]]:
    """Show on the standard error that so many sounds are read; what it gives is called for each one that is."""
    console = Console(stderr=True)
    console.print(f"Reading {n_sounds} sounds ...", highlight=False)
    columns = (MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("sounds", total=n_sounds)
        yield lambda: progress.advance(task)
