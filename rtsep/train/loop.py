"""``rtsep train``: a recipe and a folder of songs become a model folder.

::

    songs ─▶ segments (chunks, remix) ─▶ trainer: masks, loss, Adam, average ─▶ checkpoint.pt
                                              └──▶ validation: better? ─▶ NAME/ (model.safetensors, card.yaml)
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rtsep.config import changed
from rtsep.errors import AudioFileError, ModelError, TrainingError
from rtsep.io.folders import make_folder
from rtsep.nets.runner import choose_device
from rtsep.stream import Device
from rtsep.train.checkpoint import CHECKPOINT_FILE, read_checkpoint, write_checkpoint
from rtsep.train.chunks import ChunkSegments
from rtsep.train.display import training_display
from rtsep.train.library import read_library
from rtsep.train.recipe import ChunkData, Recipe, RemixData
from rtsep.train.remix import RemixSegments
from rtsep.train.segments import Batch, Segments, ahead
from rtsep.train.songs import find_songs
from rtsep.train.spleeter import read_recipe
from rtsep.train.trainer import Trainer
from rtsep.whole import check_replaceable
from rtsep.zoo.card import ModelFolder
from rtsep.zoo.find import find
from rtsep.zoo.weights import load_network, write_folder

RUNS = Path("runs")


def train(
    recipe_path: str | os.PathLike[str],
    data_path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    max_minutes: float | None = None,
    **settings: Any,
) -> Path | None:
    """Train a model, or go on with one: `open_run`, then `Run.go`, whose parameters these are.

    Returns
    -------
    Path or None
        The model folder; None if the time was up before there was one.
    """
    return open_run(recipe_path, data_path, output, **settings).go(max_minutes)


def open_run(
    recipe_path: str | os.PathLike[str],
    data_path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    device: Device = "auto",
    resume: bool = True,
    steps: int | None = None,
    start_from: Sequence[str | os.PathLike[str]] = (),
    changes: Mapping[str, object] | None = None,
) -> Run:
    """Read recipe and songs, and be ready to train.

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
        Instead of the recipe's number of steps. It may change from one call to the next: a run can be prolonged.
    start_from
        Models, by name or folder, with the mean of whose weights a new run begins instead of random ones.
    changes
        Other values for keys of the recipe: ``{"training.seed": 11}``.

    Raises
    ------
    ConfigError
        The recipe does not parse.
    TrainingError
        Data, checkpoint or output folder cannot be used.
    ModelError
        One of `start_from` is no model, or its network is not the recipe's.
    """
    more = {} if steps is None else {"training.n_steps": steps}
    recipe = changed(read_recipe(Path(recipe_path)), {**(changes or {}), **more})
    models = [find(model) for model in start_from]
    folder = Path(output) if output is not None else RUNS / recipe.name
    place = choose_device(device)
    for model in models:
        check_network(model, recipe)
    with _made(folder):  # reading the songs takes a minute: what can go wrong before does so before
        run = Run(recipe, Path(data_path), Path(recipe_path).parent, folder, place)
    if not (resume and run.resume()) and models:
        run.start_from(models)
    return run


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder that can be written to; what is made for it is removed again if the block fails."""
    made: list[Path] = []
    try:
        made += _make(folder)
        yield
    except BaseException:
        for place in reversed(made):
            with contextlib.suppress(OSError):  # somebody put something into it
                place.rmdir()
        raise


def _make(folder: Path) -> list[Path]:
    try:
        made = make_folder(folder)
        check_replaceable(folder / CHECKPOINT_FILE)
    except AudioFileError as error:
        raise TrainingError(str(error)) from error
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    return made


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
        index = _index(recipe_folder, data.index)
        songs = find_songs(data_path, stems, index=index, mix_name=data.mix_name, leave_out=left_out)
        segments = ChunkSegments(songs, recipe.model, data, batch_size=size, seed=seed)
    return segments, _validation(recipe, data_path, recipe_folder)


def _validation(recipe: Recipe, data_path: Path, recipe_folder: Path) -> list[Batch]:
    check, stems = recipe.validation, recipe.model.stems
    chunks = recipe.data if isinstance(recipe.data, ChunkData) else ChunkData(kind="chunks")
    index = _index(recipe_folder, check.index or chunks.index)
    if check.index:
        songs = find_songs(data_path, stems, index=index, mix_name=chunks.mix_name)
    elif check.songs:
        found = find_songs(data_path, stems, index=index, mix_name=chunks.mix_name)
        songs = [song for song in found if song.matches(check.songs)]
        if not songs:
            where = index or data_path
            raise TrainingError(f"validation.songs {', '.join(check.songs)}: {where} holds no such song.")
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
        self._model = folder / recipe.name

    def resume(self) -> bool:
        """Go on from the checkpoint in the folder; False if there is none."""
        checkpoint = read_checkpoint(self._folder, self._recipe, self._device)
        if checkpoint is not None:
            self.trainer.restore(checkpoint)
        return checkpoint is not None

    @property
    def summary(self) -> str:
        """What is learnt from, and how far it got."""
        minutes, done, all_steps = (
            self._segments.n_seconds / 60,
            self.trainer.n_done,
            self._recipe.training.n_steps,
        )
        return (
            f"{minutes:.0f} min of sound to learn from; step {done} of {all_steps}, on {self._device.type}."
        )

    @property
    def is_done(self) -> bool:
        """Whether its last step is done."""
        return self.trainer.n_done >= self._recipe.training.n_steps

    def start_from(self, models: Sequence[ModelFolder]) -> None:
        """Begin with the mean of the weights of models, whose networks have to be those of the recipe."""
        states = [load_network(model, device=self._device).state_dict() for model in models]
        mean = {name: torch.stack([s[name].double() for s in states]).mean(0) for name in states[0]}
        self.trainer.begin_from(mean)

    def go(
        self, max_minutes: float | None = None, should_stop: Callable[[], bool] = lambda: False
    ) -> Path | None:
        """Train up to the recipe's last step, until the time is up, or until told to stop.

        Parameters
        ----------
        max_minutes
            Of work; None: no limit.
        should_stop
            Asked after every step. However it ends, the checkpoint holds the last step.

        Returns
        -------
        Path or None
            The model folder; None if there is none yet.

        Raises
        ------
        TrainingError
            The loss is not finite, or the disk is full.
        """
        training, trainer = self._recipe.training, self.trainer
        end_s = time.monotonic() + 60 * max_minutes if max_minutes is not None else float("inf")
        if trainer.n_done == training.n_steps and not self._model.is_dir():
            self._validate()  # nothing to learn: a mean of models, or a model that was deleted
        with training_display(trainer.n_done, training.n_steps) as show:
            for batch in ahead(self._segments, trainer.n_done, training.n_steps):
                show.loss(trainer.step(batch))
                is_last = trainer.n_done == training.n_steps or time.monotonic() >= end_s or should_stop()
                if is_last or trainer.n_done % training.validation_steps == 0:
                    show.validation(self._validate())
                if is_last or trainer.n_done % training.checkpoint_steps == 0:
                    write_checkpoint(self._folder, trainer.checkpoint(), self._recipe)
                if is_last:
                    break
        return self._model if self._model.is_dir() else None

    def _validate(self) -> float | None:
        """Write the model if it is the best so far; without validation songs the newest is."""
        if not self._validation:
            self._export()
            return None
        loss = self.trainer.validate(self._validation)
        if loss < self.trainer.best_loss or not self._model.is_dir():
            self.trainer.best_loss = min(loss, self.trainer.best_loss)
            self._export()
        return loss

    def _export(self) -> None:
        """Write the averaged weights as a model folder."""
        write_model(self._model, self._recipe, self.trainer.average.state_dict())


def check_network(model: ModelFolder, recipe: Recipe) -> None:
    """Refuse a model whose weights do not fit into the recipe's network."""
    given, wanted = model.card.network, recipe.model.network
    if given != wanted:
        pairs = zip(given, wanted, strict=True)
        key, theirs, ours = next((key, a, b) for (key, a), (_, b) in pairs if a != b)
        raise ModelError(
            f"{model.path} has another network than the recipe: {key} is {theirs} there and {ours} here. "
            f"Write the same model.network, or start from another model."
        )


def write_model(dest: Path, recipe: Recipe, state: Mapping[str, torch.Tensor]) -> None:
    """Write a model folder: weights in the recipe's precision, and the card."""
    text = recipe.card
    dtype = torch.float16 if text.precision == "float16" else torch.float32
    weights = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state.items()}
    more = text.model_dump(exclude={"precision"})
    write_folder(dest, recipe.model.card(recipe.name, **more), weights)
