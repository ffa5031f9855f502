"""Checkpoint folders -> model folders: which checkpoint, which configuration, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rtsep.errors import CheckpointError, ConfigError, ModelError
from rtsep.zoo import convert, load_network, read_folder
from rtsep.zoo.convert import checkpoint_prefix


@pytest.fixture
def checkpoint(golden: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("checkpoint", "config.json", "model.index", "model.data-00000-of-00001"):
        shutil.copyfile(golden / "2stems" / name, folder / name)
    return folder


@pytest.mark.parametrize("name", ["2stems", "4stems", "5stems"])
def test_golden_folders_become_models(golden: Path, tmp_path: Path, name: str) -> None:
    made = convert(golden / name, tmp_path / "out" / "my-model")
    again = read_folder(tmp_path / "out" / "my-model")
    assert again == made
    assert sorted(p.name for p in made.path.iterdir()) == ["card.yaml", "model.safetensors"]
    assert (made.card.name, made.card.n_frames) == ("my-model", 64)
    assert str(golden / name) in made.card.source
    network = load_network(made)
    assert network.instruments == made.card.stems
    assert not network.training
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["my-model"]


def test_the_configuration_beside_or_the_given_one_and_no_guess(checkpoint: Path, tmp_path: Path) -> None:
    beside = checkpoint / "config.json"
    elsewhere = shutil.move(beside, tmp_path / "elsewhere.json")
    with pytest.raises(ConfigError, match=r"no config\.json.*Give --config.*spleeter:5stems-16kHz"):
        convert(checkpoint, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    given = convert(checkpoint, tmp_path / "a", elsewhere)
    shutil.copyfile(elsewhere, beside)
    assert convert(checkpoint, tmp_path / "b").card.sha256 == given.card.sha256
    assert convert(checkpoint, tmp_path / "c", elsewhere).card.sha256 == given.card.sha256


def test_two_configurations_that_disagree_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    other = json.loads((checkpoint / "config.json").read_text()) | {"F": 1536, "model_dir": "anywhere"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match=r"says otherwise .*F: 1024 and 1536"):
        convert(checkpoint, tmp_path / "out", tmp_path / "other.json")


def test_a_configuration_of_other_networks_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has shape .*conv_n_filters"):
        convert(checkpoint, tmp_path / "out", "spleeter:2stems")
    with pytest.raises(CheckpointError, match=r"lacks 140 variables .*vocals, drums, bass, other"):
        convert(checkpoint, tmp_path / "out", "spleeter:4stems")
    assert not any(tmp_path.glob("*out*"))


def test_a_taken_destination_is_left_alone(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "song.wav").write_text("music")
    with pytest.raises(ModelError, match="taken exists"):
        convert(checkpoint, tmp_path / "taken")
    assert (tmp_path / "taken" / "song.wav").read_text() == "music"
    (tmp_path / "empty").mkdir()
    assert convert(checkpoint, tmp_path / "empty").weights.is_file()


def test_damaged_data_leaves_nothing_behind(checkpoint: Path, tmp_path: Path) -> None:
    file = checkpoint / "model.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:-5000])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError, match="truncated"):
        convert(checkpoint, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_which_checkpoint_is_meant(checkpoint: Path) -> None:
    assert checkpoint_prefix(checkpoint) == checkpoint / "model"
    assert checkpoint_prefix(checkpoint / "model") == checkpoint / "model"
    assert checkpoint_prefix(checkpoint / "model.index") == checkpoint / "model"
    (checkpoint / "checkpoint").unlink()
    assert checkpoint_prefix(checkpoint) == checkpoint / "model"
    shutil.copyfile(checkpoint / "model.index", checkpoint / "model.ckpt-20.index")
    with pytest.raises(CheckpointError, match=r"several checkpoints: model, model\.ckpt-20"):
        checkpoint_prefix(checkpoint)
    (checkpoint / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-20"\n')
    assert checkpoint_prefix(checkpoint) == checkpoint / "model.ckpt-20"
    (checkpoint / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-30"\n')
    with pytest.raises(CheckpointError, match=r"names 'model\.ckpt-30', which is not there"):
        checkpoint_prefix(checkpoint)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        convert(tmp_path, tmp_path / "out")
    for config in (None, "spleeter:2stems"):
        with pytest.raises(CheckpointError, match="nowhere does not exist"):
            convert(tmp_path / "nowhere", tmp_path / "out", config)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CheckpointError, match=r"notes\.txt is no checkpoint of Spleeter"):
        convert(tmp_path / "notes.txt", tmp_path / "out")
    (tmp_path / "model.index").touch()
    with pytest.raises(ConfigError, match=r"no config\.json"):
        convert(tmp_path / "model", tmp_path / "out")
