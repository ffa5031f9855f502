"""The settings of both ends of a session: where its sound comes from, where it goes, and what gives the time."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rtsep.config import Strict
from rtsep.settings.values import Channels, Endpoint, InputChannels, Source

Clock = Literal["device", "real", "free"]
RecordFormat = Literal["wav", "flac"]


class InputSettings(Strict):
    """What is taken apart.

    `source` is a file, a device or ``desktop`` (see `Endpoint.read`); of a card, one channel is doubled, and of more
    than two the mean of the first, third, ... is left, that of the others right; if none are named, `channels` are the
    first two, or the only one that it has. Without `sample_rate_hz` the session runs at the file's rate, else at the
    model's, where the card can. If the source is a file, `card` has the direct inputs. `own_clock` says whether the
    card's clock is another one than the output's (none: if it is another device).
    """

    source: Source = "default"
    channels: InputChannels | None = None
    card: Source = "default"
    own_clock: bool | None = None
    sample_rate_hz: int | None = Field(default=None, ge=8000, le=384000)

    @property
    def endpoint(self) -> Endpoint:
        """The source, told apart into file and device."""
        return Endpoint.read(self.source)


class OutputSettings(Strict):
    """Where the mix goes, and what drives the session.

    `channels` are the card outputs of the main bus; if none are named, the first two, or the only one that it has.
    `record` is a folder for every stem, the mixture and the main bus, as files of `record_format`. The `clock` is the
    card's (device), the wall's (real) or none (free: as fast as the engine can); without one it is the card's where
    there is a card, else the wall's. `block_samples` is the card's turn (0: the card decides), `max_block_samples` the
    largest turn that the latency allows for, `compute_ms` the time that it allows for an update (none: what the model
    needs). With `resume` a session whose card is lost waits for it and goes on.
    """

    sink: Source = "default"
    channels: Channels | None = None
    record: Path | None = None
    record_format: RecordFormat = "wav"
    clock: Clock | None = None
    block_samples: int = Field(default=0, ge=0, le=65536)
    max_block_samples: int = Field(default=1024, ge=16, le=65536)
    compute_ms: float | None = Field(default=None, ge=0.0, le=5000.0)
    resume: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """The sink, told apart into file and device."""
        return Endpoint.read(self.sink)
