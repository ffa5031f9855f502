"""A training recipe: the YAML that says what is trained, on what, and how.

Keys in the order of the work: `model` (what comes out), `data` (what is learnt from), `validation`,
`training` (how), `card` (what the card has to say of the data).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rtsep.config import Strict
from rtsep.stream import Extension, Mask
from rtsep.zoo.card import ModelCard, NetworkCard

Range = tuple[float, float]
LossName = Literal["l1_mask", "weighted_l1_mask", "complex", "cross_entropy"]


class ModelRecipe(Strict):
    """The model: the part of its card that is known beforehand."""

    stems: tuple[str, ...] = Field(min_length=1)
    sample_rate_hz: int = Field(default=44100, gt=0)
    frame_samples: int = Field(default=4096, gt=0)
    hop_samples: int = Field(default=1024, gt=0)
    n_frames: int = Field(default=512, gt=0)
    n_bins: int = Field(default=1024, gt=0)
    exponent: float = Field(default=2.0, gt=0)
    mask: Mask = "ratio"
    extension: Extension = "zeros"
    network: NetworkCard

    @model_validator(mode="after")
    def _makes_a_card(self) -> ModelRecipe:
        """What the card would refuse after training is refused before it."""
        self.card("model")
        return self

    @property
    def segment_samples(self) -> int:
        """Samples whose frames, none of them padded, make one segment."""
        return (self.n_frames - 1) * self.hop_samples + self.frame_samples

    def card(self, name: str, **more: object) -> ModelCard:
        """The model card, with what is known after training."""
        return ModelCard.model_validate({"name": name, **self.model_dump(), **more})


class ChunkData(Strict):
    """Spleeter's pipeline: chunks at fixed places of each song, a random crop of each."""

    kind: Literal["chunks"]
    chunk_s: float = Field(default=20.0, gt=0)
    n_chunks_per_song: int = Field(default=2, gt=0)
    index: str = Field(
        default="", description="CSV as Spleeter reads it, beside the recipe; none: a folder a song"
    )
    mix_name: str = Field(default="mix", description="the index's column of mixtures, without its _path")
    leave_out: tuple[str, ...] = Field(default=(), description="songs (shell patterns) never trained on")


class RemixData(Strict):
    """New mixtures of one voice and several other stems, made anew at every step.

    Of each range the bounds are given; dB are of RMS. "The voice" is the one stem of the model that owns a
    network; everything else is backing.
    """

    kind: Literal["remix"]
    leave_out: tuple[str, ...] = Field(
        default=(), description="songs and files (shell patterns) never trained on"
    )
    extra: str = Field(default="", description="folder of single sounds, a folder a stem, beside the songs")
    n_demo_songs: int = Field(default=0, ge=0, description="songs of our own synthesiser among the data")
    demo_share: float = Field(default=0.15, ge=0, le=1, description="of the voices")
    layer_weights: dict[str, float] = Field(
        default={"drums": 1.0, "other": 2.0, "bass": 1.0},
        description="how often each stem is drawn as a layer",
    )
    n_layers: tuple[int, int] = Field(
        default=(1, 3), description="layers of a mixture across songs, from and to"
    )
    extra_share: float = Field(default=0.2, ge=0, le=1, description="of the voices of across-song mixtures")
    same_song_share: float = Field(default=0.5, ge=0, le=1)
    no_voice_share: float = Field(default=0.2, ge=0, le=1)
    voice_alone_share: float = Field(default=0.1, ge=0, le=1)
    voice_gain_db: Range = (-20.0, 6.0)
    layer_gain_db: Range = (-9.0, 0.0)
    mixture_level_dbfs: Range = (-30.0, -10.0)
    eq_db: float = Field(default=7.0, ge=0)
    reverb_share: float = Field(default=0.3, ge=0, le=1)
    reverb_gain_db: Range = (-18.0, -4.0)
    voice_semitones: tuple[float, ...] = Field(default=(-4, -2, 0, 2, 4), min_length=1)
    backing_semitones: tuple[float, ...] = Field(default=(-2, 0, 2), min_length=1)

    @property
    def drawn_layers(self) -> tuple[str, ...]:
        """The stems that may become a layer."""
        return tuple(stem for stem, weight in self.layer_weights.items() if weight > 0)

    @model_validator(mode="after")
    def _can_be_drawn(self) -> RemixData:
        """Every range has its ends in order, and every choice something to choose."""
        ranges = ("n_layers", "voice_gain_db", "layer_gain_db", "mixture_level_dbfs", "reverb_gain_db")
        for name in ranges:
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is [{low}, {high}]: the lower end comes first")
        if self.n_layers[0] < 1:
            raise ValueError(f"n_layers begins at {self.n_layers[0]}: a backing has at least 1 layer")
        if min(self.layer_weights.values(), default=0) < 0 or not sum(self.layer_weights.values()):
            raise ValueError("layer_weights: none may be negative, and one must be more than 0")
        if self.no_voice_share + self.voice_alone_share > 1:
            raise ValueError("no_voice_share + voice_alone_share is more than 1")
        return self


class Validation(Strict):
    """Songs left out, by which the weights to keep are chosen: the central T frames of their chunks."""

    songs: tuple[str, ...] = Field(default=(), description="shell patterns of names")
    index: str = Field(
        default="", description="CSV as Spleeter reads it, beside the recipe, instead of names"
    )
    chunk_s: float = Field(default=12.0, gt=0)
    n_chunks_per_song: int = Field(default=1, gt=0)

    @property
    def chunks(self) -> ChunkData:
        """The same as settings of a source."""
        return ChunkData(kind="chunks", chunk_s=self.chunk_s, n_chunks_per_song=self.n_chunks_per_song)


class Training(Strict):
    """Optimiser, schedule, loss."""

    n_steps: int = Field(ge=0, description="0: only write what it begins with (the mean of models)")
    batch_size: int = Field(default=4, gt=0)
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warm_up_steps: int = Field(default=0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)
    loss: LossName = "l1_mask"
    batch_norm: Literal["frozen", "train"] = "frozen"
    batch_norm_momentum: float = Field(default=0.01, gt=0, le=1)
    average_decay: float = Field(
        default=0.0, ge=0, lt=1, description="of the weights' moving average; 0: none"
    )
    head_bias: float = Field(
        default=0.0, description="start of the last layer's bias: -1.5 is a mask of 0.18"
    )
    checkpoint_steps: int = Field(default=250, gt=0)
    validation_steps: int = Field(default=500, gt=0)
    seed: int = 0


class CardText(Strict):
    """What the card says of the data, and the precision of the weights beside it."""

    precision: Literal["float32", "float16"] = "float32"
    licence: str = ""
    source: str = ""
    credits: tuple[str, ...] = ()


class Recipe(Strict):
    """Everything but the data itself."""

    name: str = Field(pattern=r"^[\w][\w.-]*$", description="of the model and of its folder")
    model: ModelRecipe
    data: Annotated[ChunkData | RemixData, Field(discriminator="kind")]
    validation: Validation = Validation()
    training: Training
    card: CardText = CardText()
