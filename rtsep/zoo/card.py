"""A model card: everything that a separator must know of a model beside its weights.

A model is a folder: ``model.safetensors`` and ``card.yaml``. The card is written by the import of a Spleeter
checkpoint or by training, and read wherever the model is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rtsep.config import Strict, read_yaml
from rtsep.errors import ConfigError, ModelError
from rtsep.nets.unet import SPLEETER_N_FILTERS, Activation, UNetSpec
from rtsep.stream import Extension, Mask

# A stem's name becomes a file name, a command-line argument and a part of a tensor's name.
StemName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.yaml"
N_HOPS_MIN = 3  # of a frame; the square of a Hann window has two harmonics, which two hops do not cancel


class NetworkCard(Strict):
    """The networks of a model, in the words of Spleeter's JSON."""

    type: Literal["unet.unet", "unet.softmax_unet"] = "unet.unet"
    instruments: tuple[StemName, ...] = Field(min_length=1, description="stems that own a network, in order")
    conv_n_filters: tuple[Annotated[int, Field(gt=0)], ...] = Field(default=SPLEETER_N_FILTERS, min_length=1)
    conv_activation: Activation = "LeakyReLU"
    deconv_activation: Activation = "ReLU"
    input_exponent: float = Field(
        default=1.0, gt=0, le=1, description="what magnitudes are raised to at the input"
    )

    @property
    def unet(self) -> UNetSpec:
        """The same as the network's constructor takes it."""
        output: Literal["sigmoid", "softmax"] = "softmax" if self.type == "unet.softmax_unet" else "sigmoid"
        return UNetSpec(
            self.conv_n_filters, self.conv_activation, self.deconv_activation, output, self.input_exponent
        )


class ModelCard(Strict):
    """What a model is, where it comes from, and what it was measured to do.

    `stems` are what comes out. Every stem owns a network, but for at most one: that one is the
    complement, the mixture less the others.
    """

    name: str
    separator: str = "spleeter"
    stems: tuple[StemName, ...] = Field(min_length=1)
    sample_rate_hz: int = Field(default=44100, gt=0)
    frame_samples: int = Field(default=4096, gt=0)
    hop_samples: int = Field(default=1024, gt=0)
    n_frames: int = Field(default=512, gt=0, description="T: frames that the network sees at once")
    n_bins: int = Field(default=1024, gt=0, description="F: bins that the network sees, from 0 Hz up")
    exponent: float = Field(default=2.0, gt=0)
    mask: Mask = "ratio"
    extension: Extension = "zeros"
    network: NetworkCard
    sha256: str = Field(default="", description="of model.safetensors")
    licence: str = ""
    source: str = ""
    credits: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _stems_fit_networks(self) -> ModelCard:
        for names in (self.stems, self.network.instruments):
            if repeated(names):
                raise ValueError(f"{repeated(names)} is named twice")
        missing = [name for name in self.network.instruments if name not in self.stems]
        if missing:
            raise ValueError(f"network.instruments {missing} are not among the stems {list(self.stems)}")
        if len(self.stems) - len(self.network.instruments) > 1:
            raise ValueError("at most one stem may be without a network (the complement)")
        if self.network.type == "unet.softmax_unet" and (self.complement or self.mask == "direct"):
            raise ValueError(
                "a softmax joins the networks of all stems: no complement and no direct masks with it"
            )
        return self

    @model_validator(mode="after")
    def _spectrogram_fits_network(self) -> ModelCard:
        multiple = self.network.unet.time_multiple
        for key, value in (("n_frames", self.n_frames), ("n_bins", self.n_bins)):
            if value % multiple:
                raise ValueError(
                    f"{key} is {value}, but the network halves it to a whole number: {multiple} · n"
                )
        if self.n_bins > self.frame_samples // 2 + 1:
            raise ValueError(f"n_bins is {self.n_bins}, but a frame has {self.frame_samples // 2 + 1} bins")
        check_overlap("hop_samples", self.hop_samples, self.frame_samples)
        return self

    @property
    def complement(self) -> str | None:
        """The stem without a network, if there is one."""
        return next((name for name in self.stems if name not in self.network.instruments), None)


def check_overlap(key: str, hop_samples: int, frame_samples: int) -> None:
    """Refuse a hop at which frames do not add up again: squared Hann windows do when three or more overlap.

    Raises
    ------
    ValueError
        The message names the `key`.
    """
    if frame_samples % hop_samples or frame_samples // hop_samples < N_HOPS_MIN:
        raise ValueError(
            f"{key} is {hop_samples}, but a frame of {frame_samples} must be a whole number of hops, "
            f"{N_HOPS_MIN} or more: {frame_samples // 4} is usual"
        )


def repeated(names: Sequence[str]) -> str | None:
    """The first name that comes twice."""
    return next((name for n, name in enumerate(names) if name in names[:n]), None)


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
