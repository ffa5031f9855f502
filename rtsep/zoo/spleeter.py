"""Spleeter's own configurations: its JSON files, and the six that it publishes, as data.

A configuration says what a checkpoint cannot: instruments, spectrogram, activations, and whether a softmax
joins the masks. Keys of training (``train_csv``, ``batch_size``, ...) are passed over; what decides the sound is
checked, and where Spleeter would quietly take a misspelt activation for its default, this refuses.

Sources: ``spleeter/resources/*.json`` and ``spleeter/model/functions/unet.py`` of Spleeter 2.4.2.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from rtsep.config import Strict, parse
from rtsep.errors import ConfigError
from rtsep.nets.unet import SPLEETER_N_FILTERS, Activation
from rtsep.zoo.card import ModelCard, NetworkCard, StemName, check_overlap, repeated

PREFIX = "spleeter:"

Width = Annotated[int, Field(gt=0)]


class ParamsJson(Strict):
    """``model.params``; what is absent takes Spleeter's default."""

    conv_n_filters: tuple[Width, ...] = Field(default=SPLEETER_N_FILTERS, min_length=6, max_length=6)
    conv_activation: Activation = "LeakyReLU"
    deconv_activation: Activation = "ReLU"


class ModelJson(Strict):
    """``model``: both keys are required, for a softmax or an activation is not to be guessed."""

    type: Literal["unet.unet", "unet.softmax_unet"]
    params: ParamsJson


class SpleeterConfig(Strict):
    """What separation needs of Spleeter's JSON, in its own words."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    instrument_list: tuple[StemName, ...] = Field(min_length=1)
    sample_rate: int = Field(gt=0)
    frame_length: int = Field(gt=0, multiple_of=2)
    frame_step: int = Field(gt=0)
    T: int = Field(gt=0, multiple_of=64)
    F: int = Field(gt=0, multiple_of=64)
    n_channels: Literal[2]
    separation_exponent: float = Field(gt=0)
    mask_extension: Literal["zeros", "average"]
    model: ModelJson
    model_dir: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> SpleeterConfig:
        if repeated(self.instrument_list):
            raise ValueError(f"instrument_list names {repeated(self.instrument_list)} twice")
        if self.frame_length // 2 + 1 < self.F:
            raise ValueError(
                f"F is {self.F}, but a frame of {self.frame_length} has {self.frame_length // 2 + 1} bins"
            )
        check_overlap("frame_step", self.frame_step, self.frame_length)
        return self

    def card(self, name: str, **about: str) -> ModelCard:
        """The same as a model card; `about` is `source` and `licence`."""
        params = self.model.params
        network = NetworkCard(
            type=self.model.type,
            instruments=self.instrument_list,
            conv_n_filters=params.conv_n_filters,
            conv_activation=params.conv_activation,
            deconv_activation=params.deconv_activation,
        )
        return ModelCard(
            name=name,
            stems=self.instrument_list,
            sample_rate_hz=self.sample_rate,
            frame_samples=self.frame_length,
            hop_samples=self.frame_step,
            n_frames=self.T,
            n_bins=self.F,
            exponent=self.separation_exponent,
            extension=self.mask_extension,
            network=network,
            licence=about.get("licence", ""),
            source=about.get("source", ""),
        )


def read_config(source: str | os.PathLike[str]) -> SpleeterConfig:
    """Read a configuration.

    Parameters
    ----------
    source
        ``spleeter:NAME`` for a published one, else the path of a JSON file.

    Raises
    ------
    ConfigError
        There is none, it is no JSON, or a key that decides the sound is missing or not allowed.
    """
    text = os.fspath(source)
    if text.startswith(PREFIX):
        return _published(text)
    file = Path(text)
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        names = ", ".join(PREFIX + name for name in CONFIGS)
        raise ConfigError(
            f"{file} cannot be read: {error.strerror or error}. Give one of Spleeter's JSON files, or one of {names}."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON: {error}.") from error
    return parse(data, SpleeterConfig, str(file))


def _published(text: str) -> SpleeterConfig:
    name = text.removeprefix(PREFIX)
    if name not in CONFIGS:
        near = difflib.get_close_matches(name, CONFIGS, n=1, cutoff=0.5)
        hint = f"Did you mean {PREFIX}{near[0]}?" if near else ""
        raise ConfigError(
            f"Spleeter publishes no configuration {text!r}. {hint} Known: {', '.join(PREFIX + n for n in CONFIGS)}."
        )
    return CONFIGS[name]


def _config(model_dir: str, n_bins: int) -> SpleeterConfig:
    """A published configuration: all share the spectrogram, and the widths are the default ones."""
    instruments, kind, params = _PUBLISHED[model_dir]
    return SpleeterConfig(
        instrument_list=instruments,
        sample_rate=44100,
        frame_length=4096,
        frame_step=1024,
        T=512,
        F=n_bins,
        n_channels=2,
        separation_exponent=2,
        mask_extension="zeros",
        model=ModelJson(type=kind, params=params),
        model_dir=model_dir,
    )


_ELU = ParamsJson(conv_activation="ELU", deconv_activation="ELU")
_PUBLISHED: dict[str, tuple[tuple[str, ...], Literal["unet.unet", "unet.softmax_unet"], ParamsJson]] = {
    "2stems": (("vocals", "accompaniment"), "unet.unet", ParamsJson()),
    "4stems": (("vocals", "drums", "bass", "other"), "unet.unet", _ELU),
    "5stems": (("vocals", "piano", "drums", "bass", "other"), "unet.softmax_unet", _ELU),
}

CONFIGS: dict[str, SpleeterConfig] = {
    model_dir + variant: _config(model_dir, n_bins)
    for variant, n_bins in (("", 1024), ("-16kHz", 1536))
    for model_dir in _PUBLISHED
}
