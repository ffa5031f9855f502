from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from small_training import REMIX, small_recipe

from rtsep.config import parse
from rtsep.errors import ConfigError, TrainingError
from rtsep.train.loop import open_segments, train
from rtsep.train.recipe import Recipe
from rtsep.train.trainer import Trainer
from rtsep.zoo.card import read_folder
from rtsep.zoo.weights import load_network, read_weights


def checkpoint(folder: Path) -> dict:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_same(a: object, b: object) -> None:
    """Equal to the bit, all the way down."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()  # type: ignore[attr-defined]
        for key in a:
            assert_same(a[key], b[key])  # type: ignore[index]
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b)  # type: ignore[arg-type]
    else:
        assert a == b


@pytest.mark.parametrize("data", [{"kind": "chunks", "chunk_s": 1.0}, REMIX], ids=["chunks", "remix"])
@pytest.mark.parametrize("batch_norm", ["frozen", "train"])
def test_a_resumed_run_equals_an_uninterrupted_one(songs, write_recipe, tmp_path, data, batch_norm):
    training = {**small_recipe()["training"], "batch_norm": batch_norm, "schedule": "cosine"}
    recipe = write_recipe(data=data, training=training)
    train(recipe, songs, tmp_path / "whole")
    for _ in range(6):  # slices of no time: one step each
        train(recipe, songs, tmp_path / "slices", max_minutes=0)
    whole, slices = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "slices")
    assert whole["n_done"] == 6
    assert_same(whole, slices)


@pytest.mark.parametrize("loss", ["l1_mask", "complex", "cross_entropy"])
def test_a_network_can_learn_one_batch(songs, loss):
    model = small_recipe()["model"]
    model["network"].update(
        conv_n_filters=[4, 8, 8, 8, 8, 8], input_exponent=0.3, deconv_activation="LeakyReLU"
    )
    training = {"n_steps": 60, "batch_size": 2, "learning_rate": 0.01, "loss": loss, "batch_norm": "train"}
    recipe = parse(small_recipe(model=model, training=training), Recipe, "here")
    segments, _ = open_segments(recipe, songs, songs)
    trainer = Trainer(recipe, torch.device("cpu"))
    batch = segments.batch(0)
    losses = [trainer.step(batch) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


def test_the_model_folder_holds_the_averaged_weights(songs, write_recipe, tmp_path):
    model = train(write_recipe(), songs, tmp_path / "out")
    assert model == tmp_path / "out" / "small"
    folder = read_folder(model)
    assert (folder.card.name, folder.card.stems, folder.card.mask) == (
        "small",
        ("vocals", "accompaniment"),
        "direct",
    )
    average = checkpoint(tmp_path / "out")["average"]
    weights = load_network(folder).state_dict()
    assert_same(
        {k: v for k, v in average.items() if "tracked" not in k},
        {k: weights[k] for k in average if "tracked" not in k},
    )
    moved = [k for k, v in checkpoint(tmp_path / "out")["net"].items() if not torch.equal(v, average[k])]
    assert moved  # the average is not the last step


def test_half_precision_on_request(songs, write_recipe, tmp_path):
    model = train(write_recipe(card={"precision": "float16"}), songs, tmp_path / "out", steps=1)
    assert {t.dtype for t in read_weights(read_folder(model)).values()} == {torch.float16}


@pytest.mark.parametrize("mode", ["frozen", "train"])
def test_frozen_batch_norm_keeps_spleeters_statistics(songs, write_recipe, tmp_path, mode):
    training = {**small_recipe()["training"], "batch_norm": mode}
    train(write_recipe(training=training), songs, tmp_path / "out", steps=2)
    means = [v for k, v in checkpoint(tmp_path / "out")["net"].items() if k.endswith("running_mean")]
    assert all(not mean.any() for mean in means) == (mode == "frozen")
    affine = [
        v for k, v in checkpoint(tmp_path / "out")["net"].items() if "norms" in k and k.endswith("bias")
    ]
    assert any(bias.any() for bias in affine)


def test_a_finished_run_is_left_as_it_is_and_can_be_prolonged(songs, write_recipe, tmp_path):
    recipe = write_recipe()
    train(recipe, songs, tmp_path / "out", steps=2)
    before = (tmp_path / "out" / "checkpoint.pt").read_bytes()
    train(recipe, songs, tmp_path / "out", steps=2)
    assert (tmp_path / "out" / "checkpoint.pt").read_bytes() == before
    train(recipe, songs, tmp_path / "out", steps=3)
    assert checkpoint(tmp_path / "out")["n_done"] == 3
    train(recipe, songs, tmp_path / "out", steps=1, resume=False)
    assert checkpoint(tmp_path / "out")["n_done"] == 1


def test_another_recipes_checkpoint_is_refused(songs, write_recipe, tmp_path):
    train(write_recipe(), songs, tmp_path / "out", steps=1)
    other = write_recipe(training={**small_recipe()["training"], "learning_rate": 0.1})
    with pytest.raises(TrainingError, match="another recipe"):
        train(other, songs, tmp_path / "out", steps=2)


def test_a_damaged_checkpoint_is_named(songs, write_recipe, tmp_path):
    train(write_recipe(), songs, tmp_path / "out", steps=1)
    path = tmp_path / "out" / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged"):
        train(write_recipe(), songs, tmp_path / "out", steps=2)


def test_a_validation_song_that_is_not_there(songs, write_recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"validation\.songs francium"):
        train(write_recipe(validation={"songs": ["francium"]}), songs, tmp_path / "out")


def test_spleeters_json_is_a_recipe(songs, tmp_path):
    rows = ["mix_path,vocals_path,drums_path,duration"]
    rows += [f"{name}/vocals.wav,{name}/vocals.wav,{name}/drums.wav,3.0" for name in ("one", "two")]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    settings = {
        "train_csv": "train.csv", "validation_csv": "train.csv", "model_dir": "small", "mix_name": "mix",
        "instrument_list": ["vocals", "drums"], "sample_rate": 8000, "frame_length": 256, "frame_step": 64,
        "T": 64, "F": 128, "n_channels": 2, "separation_exponent": 2, "mask_extension": "zeros",
        "learning_rate": 1e-4, "batch_size": 2, "train_max_steps": 1, "random_seed": 3,
        "model": {"type": "unet.unet", "params": {"conv_n_filters": [2, 2, 2, 2, 2, 2]}},
    }  # fmt: skip
    (tmp_path / "small.json").write_text(json.dumps(settings))
    model = train(tmp_path / "small.json", songs, tmp_path / "out")
    assert read_folder(model).card.network.instruments == ("vocals", "drums")


def test_an_unknown_key_names_the_nearest(write_recipe, songs):
    recipe = write_recipe(training={"n_steps": 1, "learning_rat": 1})
    with pytest.raises(ConfigError, match="learning_rate"):
        train(recipe, songs)
