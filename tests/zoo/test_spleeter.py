"""Spleeter's JSON: the published ones, and what is refused in others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rtsep.errors import ConfigError
from rtsep.zoo.spleeter import CONFIGS, read_config

FULL: dict[str, Any] = {
    "train_csv": "path/to/train.csv",
    "model_dir": "mine",
    "mix_name": "mix",
    "instrument_list": ["vocals", "keys"],
    "sample_rate": 44100,
    "frame_length": 4096,
    "frame_step": 1024,
    "T": 512,
    "F": 1024,
    "n_channels": 2,
    "separation_exponent": 2,
    "mask_extension": "zeros",
    "batch_size": 4,
    "model": {"type": "unet.unet", "params": {}},
}


def write(folder: Path, **changes: Any) -> Path:
    data = {key: value for key, value in (FULL | changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(data), encoding="utf-8-sig")
    return folder / "config.json"


def test_published_configurations() -> None:
    # The table of spleeter/resources/*.json, version 2.4.2.
    assert list(CONFIGS) == ["2stems", "4stems", "5stems", "2stems-16kHz", "4stems-16kHz", "5stems-16kHz"]
    for name, config in CONFIGS.items():
        card = config.card(name)
        assert config.model_dir == name.removesuffix("-16kHz")
        assert (card.n_frames, card.n_bins) == (512, 1536 if "16kHz" in name else 1024)
        assert (card.sample_rate_hz, card.frame_samples, card.hop_samples) == (44100, 4096, 1024)
        assert (card.exponent, card.extension) == (2.0, "zeros")
        assert card.network.conv_n_filters == (16, 32, 64, 128, 256, 512)
        softmax = name.startswith("5")
        assert card.network.type == ("unet.softmax_unet" if softmax else "unet.unet")
        expected = ("LeakyReLU", "ReLU") if name.startswith("2") else ("ELU", "ELU")
        assert (card.network.conv_activation, card.network.deconv_activation) == expected
        assert read_config(f"spleeter:{name}") is config
    assert CONFIGS["2stems"].instrument_list == ("vocals", "accompaniment")
    assert CONFIGS["4stems"].instrument_list == ("vocals", "drums", "bass", "other")
    assert CONFIGS["5stems"].instrument_list == ("vocals", "piano", "drums", "bass", "other")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, F=1536, mask_extension="average", separation_exponent=1.5))
    card = config.card("mine", source="here", licence="mine too")
    assert card.stems == card.network.instruments == ("vocals", "keys")
    assert (card.n_bins, card.extension, card.exponent) == (1536, "average", 1.5)
    assert (card.network.conv_activation, card.network.deconv_activation) == ("LeakyReLU", "ReLU")
    assert (card.source, card.licence) == ("here", "mine too")


def test_golden_files(golden: Path) -> None:
    card = read_config(golden / "4stems" / "config.json").card("x")
    assert (card.n_frames, card.n_bins, card.extension) == (64, 1536, "average")
    assert card.network.conv_n_filters == (2, 4, 8, 12, 16, 24)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"T": None}, r"T is missing"),
        ({"T": 100}, r"T: .*multiple of 64.*100"),
        ({"F": 2112}, "F is 2112, but a frame of 4096 has 2049 bins"),
        (
            {"frame_step": 1000},
            "frame_step is 1000, but a frame of 4096 must be a whole number of hops, 3 or",
        ),
        ({"frame_step": 2048}, "frame_step is 2048, .*1024 is usual"),
        ({"n_channels": 1}, r"n_channels"),
        ({"mask_extension": "mean"}, r"mask_extension: .*'zeros' or 'average'"),
        ({"separation_exponent": 0}, r"separation_exponent"),
        ({"instrument_list": []}, r"instrument_list"),
        ({"instrument_list": ["a", "a"]}, r"names a twice"),
        ({"instrument_list": ["../a"]}, r"instrument_list.0"),
        ({"model": None}, r"model is missing"),
        ({"model": {"type": "unet.unet"}}, r"model.params is missing"),
        ({"model": {"params": {}}}, r"model.type is missing"),
        ({"model": {"type": "blstm.blstm", "params": {}}}, r"model.type: .*'unet.unet'.*blstm"),
        (
            {"model": {"type": "unet.unet", "params": {"conv_activaton": "ELU"}}},
            r"did you mean 'conv_activation'",
        ),
        ({"model": {"type": "unet.unet", "params": {"conv_activation": "elu"}}}, r"conv_activation: .*'ELU'"),
        ({"model": {"type": "unet.unet", "params": {"conv_n_filters": [8, 16]}}}, r"conv_n_filters"),
        ({"model": {"type": "unet.unet", "params": {"conv_n_filters": [0] * 6}}}, r"conv_n_filters.0"),
    ],
)
def test_what_would_change_the_sound_is_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        read_config(write(tmp_path, **changes))


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read.*spleeter:4stems"):
        read_config(tmp_path / "nowhere.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigError, match="is not JSON"):
        read_config(tmp_path / "broken.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"list\.json"):
        read_config(tmp_path / "list.json")
    with pytest.raises(ConfigError, match="Did you mean spleeter:4stems"):
        read_config("spleeter:4stem")
