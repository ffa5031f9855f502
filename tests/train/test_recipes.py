from __future__ import annotations

from pathlib import Path

import pytest
from small_training import small_recipe

from rtsep.config import parse
from rtsep.errors import ConfigError
from rtsep.train.recipe import Recipe
from rtsep.train.spleeter import read_recipe
from rtsep.zoo.card import read_folder

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "configs" / "train").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_in_configs(path):
    assert read_recipe(path).model.card("any").stems == ("vocals", "accompaniment")


def test_the_shipped_model_is_of_its_recipe():
    recipe = read_recipe(ROOT / "configs" / "train" / "demo-2stems.yaml")
    card = read_folder(ROOT / "rtsep" / "zoo" / "shipped" / "demo-2stems").card
    text = recipe.card.model_dump(exclude={"precision"})
    expected = recipe.model.card(recipe.name, sha256=card.sha256, measured=card.measured, **text)
    assert card == expected
    assert card.measured


def test_frames_must_fit_the_network():
    recipe = small_recipe()
    recipe["model"]["n_frames"] = 100
    with pytest.raises(ConfigError, match="n_frames is 100"):
        parse(recipe, Recipe, "here")


def test_a_stem_without_a_network_is_refused_before_training():
    recipe = small_recipe()
    recipe["model"]["stems"] = ["vocals", "drums", "bass"]
    with pytest.raises(ConfigError, match="at most one stem may be without a network"):
        parse(recipe, Recipe, "here")


def test_unknown_key_of_the_data():
    with pytest.raises(ConfigError, match="chunk_s"):
        parse(small_recipe(data={"kind": "chunks", "chunks_s": 3}), Recipe, "here")
