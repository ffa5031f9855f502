"""What a control surface sees of a running session; the host has this shape.

A surface (keys and screen, MIDI, OSC, the web) is a thin view: it reads a `Status`, moves what is on the `Board`, and
knows nothing of threads and tapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from rtsep.board import Board
from rtsep.stream import Audio, Latency


class Transport(Protocol):
    """The tape machine of a file; a card has none."""

    @property
    def position_s(self) -> float:
        """What is heard now, from the start of the file."""

    @property
    def duration_s(self) -> float:
        """The length of the file."""

    @property
    def paused(self) -> bool:
        """Whether it stands still."""


class Status(Protocol):
    """One look at the session: levels in dBFS, load = work / deadline, what was late and what was lost."""

    @property
    def position_s(self) -> float:
        """Time since the start of the session."""

    @property
    def load(self) -> float:
        """Work / deadline of the engine, 1.0 is full."""

    @property
    def n_late_blocks(self) -> int:
        """Blocks in which the mixture was heard in place of stems."""

    @property
    def n_late_samples(self) -> int:
        """Samples of the same."""

    @property
    def update_hops(self) -> int:
        """Hops from one update of the networks to the next, now."""

    @property
    def n_moves(self) -> int:
        """How often that was changed because the machine was short of time."""

    @property
    def is_late(self) -> bool:
        """Whether the mixture is heard in place of stems now."""

    @property
    def n_xruns(self) -> int:
        """Times that the card lost sound."""

    @property
    def peak_dbfs(self) -> Mapping[str, float]:
        """Stem to peak."""

    @property
    def rms_dbfs(self) -> Mapping[str, float]:
        """Stem to RMS."""

    @property
    def main_dbfs(self) -> float:
        """Peak of the main bus."""


class Player(Protocol):
    """A running session."""

    @property
    def stems(self) -> Iterable[str]:
        """The stems, in the model's order."""

    @property
    def model_name(self) -> str:
        """The model that makes them."""

    @property
    def latency(self) -> Latency:
        """From input to output, by parts."""

    @property
    def sides(self) -> tuple[str, str] | None:
        """The groups at both ends of the cross-fader."""

    @property
    def board(self) -> Board:
        """Everything that can be moved, by address."""

    @property
    def transport(self) -> Transport | None:
        """The tape machine, if the input is a file."""

    @property
    def is_late(self) -> bool:
        """Whether the mixture is heard in place of stems now."""

    def plays(self, stem: str, /) -> bool:
        """Whether a stem is heard, with all that might silence it."""

    def status(self) -> Status:
        """What there is to see now."""

    def levels(self) -> Mapping[str, tuple[float, float]]:
        """Peak and RMS in dBFS, by the beginning of an address: ``/stem/vocals``; of stems before the fader."""

    def heard_stems(self, n_samples: int, /) -> Audio | None:
        """The last ``(stems, channels, n_samples)`` that were heard, before the faders, if there are any."""
