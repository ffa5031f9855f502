"""A run on disk, so that it can go on as if it had never stopped.

What is kept: weights, their moving average, the optimiser, the step, the best validation loss, and the recipe. The
learning rate and the data are functions of the step, and nothing else is drawn by chance.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rtsep.errors import TrainingError
from rtsep.train.recipe import Recipe
from rtsep.whole import replacing

CHECKPOINT_FILE = "checkpoint.pt"
_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A run after `n_done` steps; the dictionaries are torch's state dicts."""

    n_done: int
    best_loss: float
    net: dict[str, Any]
    average: dict[str, Any]
    optimiser: dict[str, Any]


def write_checkpoint(folder: Path, checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Write it beside the old one, then put it in its place."""
    target = folder / CHECKPOINT_FILE
    content = {"format": _FORMAT, "recipe": _identity(recipe), **vars(checkpoint)}
    try:
        with replacing(target) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # torch speaks of a full disk as a RuntimeError
        raise TrainingError(
            f"{target} cannot be written: {error}. Make room, and the same command goes on from the last one."
        ) from error


def read_checkpoint(folder: Path, recipe: Recipe, device: torch.device) -> Checkpoint | None:
    """The run of this recipe that was begun in `folder`; None if there is none.

    Raises
    ------
    TrainingError
        The checkpoint is damaged, or of another recipe.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        made_by, number = content.pop("recipe"), content.pop("format")
        checkpoint = Checkpoint(**content)
    except (
        OSError,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise TrainingError(f"{path} is damaged ({error}). Remove it to begin anew.") from error
    if number != _FORMAT or made_by != _identity(recipe):
        raise TrainingError(
            f"{path} belongs to another recipe. Train into another folder (-o), or remove it to begin anew."
        )
    return checkpoint


def _identity(recipe: Recipe) -> str:
    """The recipe as text, but for how long it runs: a run may be prolonged."""
    return recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"n_steps": 0})}
    ).model_dump_json()
