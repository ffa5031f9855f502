"""The settings of the model: what takes the mixture apart, how often, and how much latency that may cost."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from rtsep.config import Strict
from rtsep.stream import AsOnCard, Device, Extension, Mask, Precision

UpdateHops = Annotated[int, Field(ge=1, le=64)]
Auto = Literal["auto"]


class Reach(NamedTuple):
    """What latency is spent on besides the work itself."""

    synthesis_hops: int
    lookahead_frames: int


#: By measurement (README): a short synthesis window costs 0.1 dB, the first two frames of lookahead are worth 0.5 dB,
#: and what is left of both to be had takes eight.
REACHES = {"quality": Reach(4, 8), "balanced": Reach(2, 2), "low": Reach(2, 0)}


class ModelSettings(Strict):
    """What takes it apart, and how often.

    `name` is an installed model or a folder; without it the default model runs. `context_frames` are the
    frames that the network sees (none: all there ever were), `update_hops` the hops from one run of it to the next,
    `precision` that of the networks (``tf32`` and ``float16`` on a GPU only). ``card`` means: as the model's card says;
    ``auto``: as `rtsep.tuning` measures. `latency` chooses a `Reach` by name or by milliseconds from input to output
    (auto: quality for a file, else balanced); `lookahead_frames`, the future frames that the network waits for, and
    `synthesis_hops`, the length of the synthesis window, go before it.
    """

    name: str | None = Field(default=None, min_length=1)
    device: Device = "auto"
    mask: Mask | AsOnCard = "card"
    extension: Extension | AsOnCard = "top_band"
    context_frames: int | None = Field(default=None, ge=64, le=4096)
    update_hops: UpdateHops | Auto = "auto"
    precision: Precision | Auto = "auto"
    latency: Annotated[float, Field(gt=0, le=20000)] | Literal["quality", "balanced", "low"] | Auto = "auto"
    lookahead_frames: int | None = Field(default=None, ge=0, le=256)
    synthesis_hops: int | None = Field(default=None, ge=2, le=4)

    def reach(self, fallback: Reach) -> Reach:
        """What is named, else the preset's, else what the caller found for ``auto`` and for milliseconds."""
        preset = REACHES.get(str(self.latency), fallback)
        return Reach(
            preset.synthesis_hops if self.synthesis_hops is None else self.synthesis_hops,
            preset.lookahead_frames if self.lookahead_frames is None else self.lookahead_frames,
        )
