"""A model card: everything that a separator must know of a model beside its weights.

A model is a folder: ``model.safetensors`` and ``card.yaml``. The card is written by the import of a Spleeter
checkpoint or by training, and read wherever the model is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from rtsep.config import Strict, read_yaml
from rtsep.errors import ConfigError, ModelError
from rtsep.nets.unet import SPLEETER_N_FILTERS, Activation, UNetSpec

Extension = Literal["zeros", "average", "top_band"]
Mask = Literal["ratio", "direct"]

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.yaml"


class NetworkCard(Strict):
    """The networks of a model, in the words of Spleeter's JSON."""

    type: Literal["unet.unet", "unet.softmax_unet"] = "unet.unet"
    instruments: tuple[str, ...] = Field(min_length=1, description="stems that own a network, in order")
    conv_n_filters: tuple[int, ...] = SPLEETER_N_FILTERS
    conv_activation: Activation = "LeakyReLU"
    deconv_activation: Activation = "ReLU"

    @property
    def unet(self) -> UNetSpec:
        """The same as the network's constructor takes it."""
        output: Literal["sigmoid", "softmax"] = "softmax" if self.type == "unet.softmax_unet" else "sigmoid"
        return UNetSpec(self.conv_n_filters, self.conv_activation, self.deconv_activation, output)


class ModelCard(Strict):
    """What a model is, where it comes from, and what it was measured to do.

    `stems` are what comes out. Every stem owns a network, but for at most one: that one is the
    complement, the mixture less the others.
    """

    name: str
    separator: str = "spleeter"
    stems: tuple[str, ...] = Field(min_length=1)
    sample_rate_hz: int = Field(44100, gt=0)
    frame_samples: int = Field(4096, gt=0)
    hop_samples: int = Field(1024, gt=0)
    n_frames: int = Field(512, gt=0, description="T: frames that the network sees at once")
    n_bins: int = Field(1024, gt=0, description="F: bins that the network sees, from 0 Hz up")
    exponent: float = Field(2.0, gt=0)
    mask: Mask = "ratio"
    extension: Extension = "zeros"
    network: NetworkCard
    sha256: str = Field("", description="of model.safetensors")
    licence: str = ""
    source: str = ""
    credits: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _stems_fit_networks(self) -> ModelCard:
        missing = [name for name in self.network.instruments if name not in self.stems]
        if missing:
            raise ValueError(f"network.instruments {missing} are not among the stems {list(self.stems)}")
        if len(self.stems) - len(self.network.instruments) > 1:
            raise ValueError("at most one stem may be without a network (the complement)")
        return self

    @property
    def complement(self) -> str | None:
        """The stem without a network, if there is one."""
        return next((name for name in self.stems if name not in self.network.instruments), None)


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk: its folder and the card found in it."""

    path: Path
    card: ModelCard

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.path / WEIGHTS_FILE


def read_folder(path: Path) -> ModelFolder:
    """Read the card of a model folder.

    Raises
    ------
    ModelError
        The folder holds no card, no weights, or a card that does not parse.
    """
    for name in (CARD_FILE, WEIGHTS_FILE):
        if not (path / name).is_file():
            raise ModelError(
                f"{path} is no model folder: {name} is missing. A model folder holds "
                f"{CARD_FILE} and {WEIGHTS_FILE}; `rtsep models convert` makes one."
            )
    try:
        return ModelFolder(path, read_yaml(path / CARD_FILE, ModelCard))
    except ConfigError as error:
        raise ModelError(str(error)) from error
