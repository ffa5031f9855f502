"""``rtsep train``: a recipe and a folder of songs become a model folder.

::

    songs ─▶ segments (chunks, remix) ─▶ trainer: masks, loss, Adam, average ─▶ checkpoint.pt
                                              └──▶ validation: better? ─▶ NAME/ (model.safetensors, card.yaml)
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rtsep.errors import ModelError, TrainingError
from rtsep.nets.runner import Device, choose_device
from rtsep.train.checkpoint import read_checkpoint, write_checkpoint
from rtsep.train.chunks import ChunkSegments
from rtsep.train.library import read_library
from rtsep.train.recipe import Recipe, RemixData
from rtsep.train.remix import RemixSegments
from rtsep.train.segments import Batch, Segments, ahead
from rtsep.train.songs import find_songs
from rtsep.train.spleeter import read_recipe
from rtsep.train.trainer import Trainer
from rtsep.zoo.card import ModelFolder
from rtsep.zoo.find import find
from rtsep.zoo.weights import load_network, write_folder

RUNS = Path("runs")
_LOSS_SMOOTHING = 0.02  # of the loss on screen


def train(
    recipe_path: str | os.PathLike[str],
    data_path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    device: Device = "auto",
    resume: bool = True,
    steps: int | None = None,
    max_minutes: float | None = None,
    start_from: str | os.PathLike[str] | None = None,
) -> Path | None:
    """Train a model, or go on with one.

    Parameters
    ----------
    recipe_path
        A YAML recipe, or Spleeter's JSON.
    data_path
        The folder of the songs.
    output
        Where checkpoint and model are written; ``runs/NAME`` by default.
    device
        ``auto``, ``cpu`` or ``cuda``.
    resume
        Go on from the checkpoint in `output`; if False, begin anew.
    steps
        Instead of the recipe's number of steps.
    max_minutes
        Stop after so long, resumably: training in slices.
    start_from
        A model, by name or folder, whose weights a new run begins with instead of random ones (fine-tuning).

    Returns
    -------
    Path or None
        The model folder; None if the time was up before there was one.

    Raises
    ------
    ConfigError
        The recipe does not parse.
    TrainingError
        Data or checkpoint cannot be used.
    ModelError
        `start_from` is no model, or its network is not the recipe's.
    """
    recipe = read_recipe(Path(recipe_path))
    if steps is not None:
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"n_steps": steps})})
    folder = Path(output) if output is not None else RUNS / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(recipe, Path(data_path), Path(recipe_path).parent, folder, choose_device(device))
    if not (resume and run.resume()) and start_from is not None:
        run.start_from(find(start_from))
    run.go(max_minutes)
    return run.model if run.model.is_dir() else None


def open_segments(recipe: Recipe, data_path: Path, recipe_folder: Path) -> tuple[Segments, list[Batch]]:
    """What is trained on, and the batches of validation."""
    stems, data, check = recipe.model.stems, recipe.data, recipe.validation
    size, seed = recipe.training.batch_size, recipe.training.seed
    left_out = (*data.leave_out, *check.songs)
    segments: Segments
    if isinstance(data, RemixData):
        voice, *others = recipe.model.network.instruments
        if others:
            raise TrainingError(
                "data.kind remix trains one network: leave one stem in model.network.instruments."
            )
        songs = find_songs(data_path, stems, leave_out=left_out)
        extra = data_path / data.extra if data.extra else None
        library = read_library(songs, data, extra, voice, recipe.model.sample_rate_hz)
        segments = RemixSegments(library, recipe.model, data, batch_size=size, seed=seed)
    else:
        songs = find_songs(data_path, stems, index=_index(recipe_folder, data.index), leave_out=left_out)
        segments = ChunkSegments(songs, recipe.model, data, batch_size=size, seed=seed)
    return segments, _validation(recipe, data_path, recipe_folder)


def _validation(recipe: Recipe, data_path: Path, recipe_folder: Path) -> list[Batch]:
    check, stems = recipe.validation, recipe.model.stems
    if check.index:
        songs = find_songs(data_path, stems, index=_index(recipe_folder, check.index))
    elif check.songs:
        songs = [s for s in find_songs(data_path, stems) if s.matches(check.songs)]
        if not songs:
            raise TrainingError(f"validation.songs {', '.join(check.songs)}: {data_path} holds no such song.")
    else:
        return []
    source = ChunkSegments(
        songs, recipe.model, check.chunks, batch_size=recipe.training.batch_size, central=True
    )
    return [source.batch(number) for number in range(source.n_batches)]


def _index(recipe_folder: Path, name: str) -> Path | None:
    """An index beside the recipe, or from where we are, as Spleeter looks for it."""
    if not name:
        return None
    beside = recipe_folder / name
    return beside if beside.is_file() else Path(name)


class Run:
    """A training run in its folder.

    Parameters
    ----------
    recipe
        What to do.
    data_path
        The folder of the songs.
    recipe_folder
        Where the recipe's indexes lie.
    folder
        Where it writes.
    device
        Where it computes.
    """

    def __init__(
        self, recipe: Recipe, data_path: Path, recipe_folder: Path, folder: Path, device: torch.device
    ) -> None:
        self._recipe, self._folder, self._device = recipe, folder, device
        self._segments, self._validation = open_segments(recipe, data_path, recipe_folder)
        self.trainer = Trainer(recipe, device)
        self.model = folder / recipe.name

    def resume(self) -> bool:
        """Go on from the checkpoint in the folder; False if there is none."""
        checkpoint = read_checkpoint(self._folder, self._recipe, self._device)
        if checkpoint is not None:
            self.trainer.restore(checkpoint)
        return checkpoint is not None

    def start_from(self, model: ModelFolder) -> None:
        """Begin with the weights of `model`, whose networks have to be those of the recipe."""
        given, wanted = model.card.network, self._recipe.model.network
        if given != wanted:
            pairs = zip(given, wanted, strict=True)
            key, theirs, ours = next((key, a, b) for (key, a), (_, b) in pairs if a != b)
            raise ModelError(
                f"{model.path} has another network than the recipe: {key} is {theirs} there and {ours} here. "
                f"Write the same model.network, or start from another model."
            )
        self.trainer.begin_from(load_network(model, device=self._device).state_dict())

    def go(self, max_minutes: float | None = None) -> None:
        """Train up to the recipe's last step, or until the time is up."""
        training, trainer = self._recipe.training, self.trainer
        end_s = time.monotonic() + 60 * max_minutes if max_minutes is not None else float("inf")
        with _progress(trainer.n_done, training.n_steps) as show:
            for batch in ahead(self._segments, trainer.n_done, training.n_steps):
                show.loss(trainer.step(batch))
                is_last = trainer.n_done == training.n_steps or time.monotonic() >= end_s
                if is_last or trainer.n_done % training.validation_steps == 0:
                    show.validation(self._validate())
                if is_last or trainer.n_done % training.checkpoint_steps == 0:
                    write_checkpoint(self._folder, trainer.checkpoint(), self._recipe)
                if is_last:
                    break

    def _validate(self) -> float | None:
        """Write the model if it is the best so far; without validation songs the newest is."""
        if not self._validation:
            self.export()
            return None
        loss = self.trainer.validate(self._validation)
        if loss < self.trainer.best_loss:
            self.trainer.best_loss = loss
            self.export()
        return loss

    def export(self) -> None:
        """Write the averaged weights as a model folder."""
        write_model(self.model, self._recipe, self.trainer.average.state_dict())


def write_model(
    dest: Path, recipe: Recipe, state: dict[str, torch.Tensor], measured: tuple[str, ...] = ()
) -> None:
    """Write a model folder: weights in the recipe's precision, and the card."""
    text = recipe.card
    dtype = torch.float16 if text.precision == "float16" else torch.float32
    weights = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state.items()}
    more = text.model_dump(exclude={"precision"})
    write_folder(dest, recipe.model.card(recipe.name, measured=measured, **more), weights)


class _Display:
    """Loss and speed on screen."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._mean: float | None = None

    def loss(self, loss: float) -> None:
        """One more step."""
        mean = loss if self._mean is None else self._mean
        self._mean = mean + _LOSS_SMOOTHING * (loss - mean)
        speed = self._progress.tasks[self._task].speed or 0.0
        self._progress.update(self._task, advance=1, loss=f"{self._mean:.4f}", speed=f"{speed:.2f}")

    def validation(self, loss: float | None) -> None:
        """A validation was made."""
        if loss is not None:
            self._progress.update(self._task, validation=f"validation {loss:.4f}")


@contextmanager
def _progress(n_done: int, n_steps: int) -> Iterator[_Display]:
    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]}  {task.fields[validation]}  {task.fields[speed]} steps/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("train", total=n_steps, completed=n_done, loss="-", validation="", speed="-")
        yield _Display(progress, task)
