"""Runs that begin where others ended, are changed on the way, stopped, or run out of disk."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
import yaml
from small_training import REMIX, small_recipe
from test_training_loop import assert_same, checkpoint

from rtsep.config import changed, parse, read_value
from rtsep.errors import ConfigError, ModelError, TrainingError
from rtsep.train.loop import open_run, train
from rtsep.train.recipe import Recipe
from rtsep.train.spleeter import read_recipe
from rtsep.zoo.card import read_folder
from rtsep.zoo.weights import load_network


def weights(model) -> dict[str, torch.Tensor]:
    return load_network(read_folder(model)).state_dict()


def test_a_run_begins_with_the_weights_of_a_model(songs, write_recipe, tmp_path):
    first = train(write_recipe(), songs, tmp_path / "first", steps=2)
    begun = train(write_recipe(), songs, tmp_path / "begun", steps=0, start_from=[first])
    assert_same(weights(begun), weights(first))
    further = train(write_recipe(), songs, tmp_path / "begun", steps=2, start_from=[first])
    before = weights(first)
    assert any(not torch.equal(value, before[name]) for name, value in weights(further).items())


def test_of_several_models_it_begins_with_the_mean(songs, write_recipe, tmp_path):
    models = [
        train(write_recipe(), songs, tmp_path / f"{seed}", steps=2, changes={"training.seed": seed})
        for seed in (1, 2, 3)
    ]
    mean = weights(train(write_recipe(), songs, tmp_path / "mean", steps=0, start_from=models))
    several = [weights(model) for model in models]
    for name, value in mean.items():
        if value.is_floating_point():
            expected = torch.stack([one[name].double() for one in several]).mean(0).float()
            assert torch.equal(value, expected), name


def test_a_model_of_another_network_is_no_beginning(songs, write_recipe, tmp_path):
    first = train(write_recipe(), songs, tmp_path / "first", steps=1)
    wider = {"model.network.conv_n_filters": [4, 4, 4, 4, 4, 4]}
    with pytest.raises(ModelError, match=r"another network than the recipe: conv_n_filters is \(2, 2"):
        open_run(write_recipe(), songs, tmp_path / "wider", start_from=[first], changes=wider)


def test_going_on_wins_over_beginning(songs, write_recipe, tmp_path):
    """The command that began a run is the command that goes on with it."""
    first = train(write_recipe(), songs, tmp_path / "first", steps=1)
    for _ in range(3):
        train(write_recipe(), songs, tmp_path / "run", steps=3, start_from=[first], max_minutes=0)
    at_once = tmp_path / "at once"
    train(write_recipe(), songs, at_once, steps=3, start_from=[first])
    assert_same(checkpoint(tmp_path / "run")["net"], checkpoint(at_once)["net"])


def test_keys_are_changed_one_by_one():
    recipe = parse(small_recipe(), Recipe, "here")
    new = changed(recipe, {"training.seed": 11, "training.loss": "complex", "validation.songs": ["two"]})
    assert (new.training.seed, new.training.loss, new.validation.songs) == (11, "complex", ("two",))
    assert new.training.batch_size == recipe.training.batch_size
    assert changed(recipe, {}) is recipe


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.sed", 1, r"training\.sed.*seed"),
        ("training.seed.deeper", 1, "seed is a value, no group of keys"),
        ("training.batch_size", 0, "batch_size"),
    ],
)
def test_a_change_is_as_strict_as_the_file(key, value, message):
    with pytest.raises(ConfigError, match=message):
        changed(parse(small_recipe(), Recipe, "here"), {key: value})


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("complex", "complex"), ("[-22, 4]", [-22, 4]), ("yes", True), ("", None)]
)
def test_values_are_read_as_in_the_file(text, value):
    assert read_value(text) == value


def test_a_small_number_is_a_number():
    """YAML 1.1 calls 1e-4 a word."""
    recipe = changed(parse(small_recipe(), Recipe, "here"), {"training.learning_rate": read_value("1e-4")})
    assert recipe.training.learning_rate == 1e-4


def test_half_a_value_is_refused():
    with pytest.raises(ConfigError, match="is no value"):
        read_value("[1, 2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voice_gain_db": [4, -22]}, r"voice_gain_db is \[4\.0, -22\.0\]: the lower end comes first"),
        ({"n_layers": [0, 3]}, "at least 1 layer"),
        ({"layer_weights": {"drums": 0}}, "one must be more than 0"),
        ({"layer_weights": {"drums": 2, "other": -1}}, "none may be negative"),
        ({"no_voice_share": 0.7, "voice_alone_share": 0.4}, "is more than 1"),
        ({"voice_semitones": []}, "voice_semitones"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        parse(small_recipe(data={**REMIX, **changes}), Recipe, "here")


def test_each_kind_of_data_has_its_own_keys():
    with pytest.raises(ConfigError, match="n_layers"):
        parse(small_recipe(data={"kind": "chunks", "n_layers": [1, 2]}), Recipe, "here")
    with pytest.raises(ConfigError, match=r"chunks.*remix"):
        parse(small_recipe(data={"kind": "rmix"}), Recipe, "here")


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", ""])
def test_a_name_is_a_folder_name(name):
    with pytest.raises(ConfigError, match="name"):
        parse(small_recipe(name=name), Recipe, "here")


def test_a_key_written_twice_is_refused(songs, tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text(yaml.safe_dump(small_recipe()) + "name: other\n")
    with pytest.raises(ConfigError, match="name"):
        read_recipe(path)


def test_spleeters_names_of_the_mixture_and_the_chunk(tmp_path):
    settings = {
        "train_csv": "train.csv", "validation_csv": "", "mix_name": "mixture", "chunk_duration": 7.5,
        "instrument_list": ["vocals", "drums"], "sample_rate": 8000, "frame_length": 256, "frame_step": 64,
        "T": 64, "F": 128, "n_channels": 2, "mask_extension": "zeros", "separation_exponent": 2, "train_max_steps": 1,
        "model": {"type": "unet.unet", "params": {"conv_n_filters": [2, 2, 2, 2, 2, 2]}},
    }  # fmt: skip
    (tmp_path / "small.json").write_text(json.dumps(settings))
    data = read_recipe(tmp_path / "small.json").data
    assert (data.mix_name, data.chunk_s) == ("mixture", 7.5)


def test_told_to_stop_it_keeps_every_step(songs, write_recipe, tmp_path):
    run = open_run(write_recipe(), songs, tmp_path / "run")
    assert run.go(should_stop=lambda: run.trainer.n_done == 2) is not None
    assert not run.is_done
    again = open_run(write_recipe(), songs, tmp_path / "run")
    assert again.trainer.n_done == 2
    again.go()
    train(write_recipe(), songs, tmp_path / "whole")
    assert_same(checkpoint(tmp_path / "run"), checkpoint(tmp_path / "whole"))


LIMITED = """
import resource, sys
from rtsep.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits a file's size as POSIX does")
def test_a_full_disk_is_said_and_keeps_what_was(songs, write_recipe, tmp_path):
    recipe, out = write_recipe(), tmp_path / "out"
    train(recipe, songs, out, steps=1)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    words = ["train", "-p", str(recipe), "-d", str(songs), "-o", str(out), "--steps", "2"]
    for limit in (4096, max(map(len, before.values())) - 1):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(limit), *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "too large" in done.stderr or "full" in done.stderr
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert after[out / "checkpoint.pt"] == before[out / "checkpoint.pt"]


def test_wrong_changes_on_the_command_line(songs, write_recipe, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rtsep", "train", "-p", str(write_recipe()), "-d", str(songs), "--set", "seed"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "write KEY=VALUE" in done.stderr


def test_a_folder_that_cannot_be_made(songs, write_recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be made"):
        open_run(write_recipe(), songs, tmp_path / "file" / "under")


def test_cheap_mistakes_are_found_before_the_songs_are_read(songs, write_recipe, tmp_path, monkeypatch):
    def read(*_: object) -> None:
        raise AssertionError("the songs are being read")

    first = train(write_recipe(), songs, tmp_path / "first", steps=0)
    monkeypatch.setattr("rtsep.train.loop.open_segments", read)
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be made"):
        open_run(write_recipe(), songs, tmp_path / "file" / "under")
    wider = {"model.network.conv_n_filters": [4, 4, 4, 4, 4, 4]}
    with pytest.raises(ModelError, match="another network than the recipe"):
        open_run(write_recipe(), songs, tmp_path / "wider", start_from=[first], changes=wider)
    with pytest.raises(AssertionError):
        open_run(write_recipe(), songs, tmp_path / "deep" / "run")
    assert not (tmp_path / "deep").exists(), "nothing is begun"


def test_reading_is_told(songs, write_recipe, tmp_path, capsys):
    train(write_recipe(data=REMIX), songs, tmp_path / "run", steps=1)
    assert "Reading 7 sounds ..." in capsys.readouterr().err
