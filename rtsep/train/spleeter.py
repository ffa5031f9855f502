"""Recipes: our own YAML, or Spleeter's JSON read as one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from rtsep.config import Strict, parse, read_yaml
from rtsep.train.recipe import LossName, ModelRecipe, Recipe
from rtsep.zoo.spleeter import read_config

_LOSSES: dict[str, LossName] = {"L1_mask": "l1_mask", "weighted_L1_mask": "weighted_l1_mask"}


class TrainingJson(Strict):
    """What training needs of Spleeter's JSON, in its own words and with its defaults."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    train_csv: str
    validation_csv: str = ""
    mix_name: str = "mix"
    chunk_duration: float = Field(default=20.0, gt=0)
    n_chunks_per_song: int = Field(default=2, gt=0)
    learning_rate: float = Field(default=1e-4, gt=0)
    batch_size: int = Field(default=4, gt=0)
    train_max_steps: int = Field(gt=0)
    save_checkpoints_steps: int = Field(default=150, gt=0)
    random_seed: int = 0
    loss_type: Literal["L1_mask", "weighted_L1_mask"] = "L1_mask"


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    ConfigError
        The file is missing, or a key or value in it is not allowed.
    """
    if path.suffix.lower() != ".json":
        return read_yaml(path, Recipe)
    name = _name_for_a_folder(path.stem)
    card = read_config(path).card(name)
    given = parse(json.loads(path.read_text(encoding="utf-8-sig")), TrainingJson, str(path))
    recipe = {
        "name": name,
        "model": card.model_dump(include=set(ModelRecipe.model_fields)),
        "data": {
            "kind": "chunks",
            "index": given.train_csv,
            "mix_name": given.mix_name,
            "chunk_s": given.chunk_duration,
            "n_chunks_per_song": given.n_chunks_per_song,
        },
        "validation": {"index": given.validation_csv},
        "training": _training(given),
    }
    return parse(recipe, Recipe, str(path))


def _training(given: TrainingJson) -> dict[str, object]:
    """Optimiser and schedule in our words."""
    return {
        "n_steps": given.train_max_steps,
        "batch_size": given.batch_size,
        "learning_rate": given.learning_rate,
        "loss": _LOSSES[given.loss_type],
        "checkpoint_steps": given.save_checkpoints_steps,
        "validation_steps": given.save_checkpoints_steps,
        "seed": given.random_seed,
    }


def _name_for_a_folder(text: str) -> str:
    """A file's name as that of a model and its folder: ``my config (2)`` is ``my-config-2``."""
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "model"
