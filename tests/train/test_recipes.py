from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_training import small_recipe

from rtsep.config import parse
from rtsep.dsp.stft import hann, overlap_add_gain
from rtsep.errors import ConfigError
from rtsep.train.recipe import Recipe
from rtsep.train.spleeter import read_recipe
from rtsep.zoo.card import check_overlap, read_folder
from rtsep.zoo.spleeter import CONFIGS

SPLEETER_JSON = CONFIGS["2stems"].model_dump_json()
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


def test_hops_must_add_up():
    recipe = small_recipe()
    recipe["model"]["hop_samples"] = 100
    with pytest.raises(ConfigError, match="hop_samples is 100, but a frame of 256 must be a whole number of"):
        parse(recipe, Recipe, "here")


@pytest.mark.parametrize("n_samples", [1, 2, 64, 96, 100, 192])
def test_the_hops_that_are_taken_are_those_that_add_up(n_samples):
    for frame_samples in (64, 192, 256):
        adds_up = is_taken = True
        try:
            check_overlap("hop", n_samples, frame_samples)
        except ValueError:
            is_taken = False
        try:
            overlap_add_gain(hann(frame_samples), n_samples)
        except ValueError:
            adds_up = False
        assert is_taken == adds_up, (n_samples, frame_samples)


@pytest.mark.parametrize(
    ("file", "name"), [("my config (2)", "my-config-2"), ("été_1.5", "été_1.5"), ("--", "model")]
)
def test_the_name_of_spleeters_json_is_made_fit_for_a_folder(tmp_path, file, name):
    settings = {**json.loads(SPLEETER_JSON), "train_csv": "train.csv", "train_max_steps": 1}
    (tmp_path / f"{file}.json").write_text(json.dumps(settings))
    assert read_recipe(tmp_path / f"{file}.json").name == name


def test_what_the_recipe_refuses_of_spleeters_json_names_the_file(tmp_path):
    settings = {**json.loads(SPLEETER_JSON), "train_csv": "train.csv", "train_max_steps": 0}
    (tmp_path / "mine.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=r"mine\.json: train_max_steps"):
        read_recipe(tmp_path / "mine.json")


def test_a_stem_without_a_network_is_refused_before_training():
    recipe = small_recipe()
    recipe["model"]["stems"] = ["vocals", "drums", "bass"]
    with pytest.raises(ConfigError, match="at most one stem may be without a network"):
        parse(recipe, Recipe, "here")


def test_unknown_key_of_the_data():
    with pytest.raises(ConfigError, match="chunk_s"):
        parse(small_recipe(data={"kind": "chunks", "chunks_s": 3}), Recipe, "here")
