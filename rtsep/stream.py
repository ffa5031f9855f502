"""What flows, and the one shape of everything that streams.

::

    input tape ─▶ separator stream ─▶ (inserts, later) ─▶ stem tape ─▶ mixer

Audio is float32, channel-first and C-contiguous: a block is ``(channels, samples)``, stems are
``(stems, channels, samples)``. A *sample* is always counted per channel.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.errors import UsageError
from rtsep.pace import Pace

Audio = NDArray[np.float32]
"""``(channels, samples)`` or ``(stems, channels, samples)``, float32."""

N_CHANNELS = 2  # stems and mixture are stereo from end to end

Device = Literal["auto", "cpu", "cuda"]
Mask = Literal["ratio", "direct"]
Precision = Literal["float32", "tf32", "float16", "bfloat16"]
Extension = Literal["zeros", "average", "top_band"]
AsOnCard = Literal["card"]
"""Where networks run, how exactly, how stems share the mixture, what is above the top bin: see `Options`."""


@dataclass(frozen=True)
class Latency:
    """A delay as a sum of named parts, each in samples at one rate.

    Parameters
    ----------
    sample_rate_hz
        The rate at which the parts are counted.
    parts
        Name to samples, in the order in which sound meets them.
    """

    sample_rate_hz: int
    parts: Mapping[str, int]

    @property
    def total_samples(self) -> int:
        """The sum of the parts."""
        return sum(self.parts.values())

    def ms(self, n_samples: int) -> float:
        """Samples as milliseconds."""
        return 1000 * n_samples / self.sample_rate_hz

    def __str__(self) -> str:
        parts = " + ".join(f"{name} {self.ms(n):.1f}" for name, n in self.parts.items() if n)
        return f"{self.ms(self.total_samples):.1f} ms = {parts}"


class StemStream(Protocol):
    """A separator while it runs; an insert has the same verbs.

    Everything is made when the stream is made (`prepare`); `process` may be given blocks of any
    length and returns as many samples as it took. The first `latency_samples` that it returns are
    zeros; `flush` returns exactly the rest. How the input is chopped makes no difference.
    """

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the rows of what `process` returns."""

    @property
    def latency(self) -> Latency:
        """The delay from input to output, by parts."""

    @property
    def latency_samples(self) -> int:
        """The delay from input to output, in samples."""

    @property
    def update_samples(self) -> int:
        """Input samples from one burst of work to the next: the deadline of a burst."""

    @property
    def due_samples(self) -> int:
        """Input samples until there is work, 1 or more: with fewer, `process` only stores them.

        Never more than there are; a stream that works on every block, or does not know, says 1.
        """

    def prepare(self) -> None:
        """Make everything that `process` needs, and warm it up."""

    def process(self, block: Audio) -> Audio:
        """Take ``(channels, samples)``, return ``(stems, channels, samples)``, delayed by `latency_samples`."""

    def skip(self, block: Audio) -> Audio:
        """As `process`, but the block comes so late that nobody will hear its stems, and little time is spent on it.

        What was not separated is not a number. What comes after is as if all had been.
        """

    def flush(self) -> Audio:
        """End the input: return the last ``(stems, channels, latency_samples)``."""

    def reset(self) -> None:
        """Forget all input: the next sample is the first."""

    def close(self) -> None:
        """Let go of memory and devices."""


@dataclass(frozen=True)
class Schedule:
    """How a separator runs in a stream; one that knows no frames ignores it.

    Parameters
    ----------
    context_frames
        Frames that the model sees at once; None: all there ever were.
    update_hops
        New frames from one run of the model to the next.
    lookahead_frames
        Future frames that are waited for.
    synthesis_hops
        Length of the synthesis window in hops; None: as long as the frame.
    pace
        Who may trade one for the other while the stream runs; None: nobody.
    """

    context_frames: int | None = None
    update_hops: int = 4
    lookahead_frames: int = 0
    synthesis_hops: int | None = None
    pace: Pace | None = None


@dataclass(frozen=True)
class Options:
    """What may be asked of a separator when it is opened.

    Parameters
    ----------
    device
        Where it runs; ``auto`` is a GPU where there is one.
    mask, extension
        See `rtsep.dsp.masks`; ``card``: as the model's card says.
    stems
        The stems that are wanted; None: all.
    precision
        Of the networks; masks and everything after them are float32. ``tf32`` and ``float16`` are for GPUs.
    n_threads
        Threads for the networks on a CPU; None: one for each, as far as there are cores.
    """

    device: Device = "auto"
    mask: Mask | AsOnCard = "card"
    extension: Extension | AsOnCard = "card"
    stems: tuple[str, ...] | None = None
    precision: Precision = "float32"
    n_threads: int | None = None

    def choose(self, available: tuple[str, ...]) -> tuple[str, ...]:
        """The wanted stems, in the order in which they were asked for.

        Raises
        ------
        UsageError
            A stem that is not there, or one named twice.
        """
        wanted = available if self.stems is None else self.stems
        wrong = [name for name in wanted if name not in available]
        if wrong or not wanted or len(set(wanted)) < len(wanted):
            near = difflib.get_close_matches(wrong[0], available, n=1) if wrong else []
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"stems {', '.join(wanted) or '(none)'}: choose once each of {', '.join(available)}{hint}"
            )
        return wanted


@dataclass(frozen=True)
class MaskRecipe:
    """How the networks' masks become those of the wanted stems: data, for whoever does the arithmetic.

    Parameters
    ----------
    rows
        Which mask each row is: the number of a network, or how many there are for what they leave, 1 less their sum
        and at least 0.
    is_ratio
        Whether rows become shares of the power.
    exponent, epsilon
        See `rtsep.dsp.masks.ratio_masks`.
    chosen
        The rows that are wanted.
    extension, n_bins_all, n_top_bins
        See `rtsep.dsp.masks.extend`.
    """

    rows: tuple[int, ...]
    is_ratio: bool
    exponent: float
    epsilon: float
    chosen: tuple[int, ...]
    extension: Extension
    n_bins_all: int
    n_top_bins: int


class SeparatorCore(Protocol):
    """What an entry point of the group ``rtsep.separators`` returns.

    The entry point is called with the model's folder (None where the name of the entry point itself was given as
    the model) and the `Options`. The core works at its own sample rate; `rtsep.separator.Separator` does the rest.
    """

    @property
    def stems(self) -> tuple[str, ...]:
        """What comes out, after the choice in `Options.stems`."""

    @property
    def sample_rate_hz(self) -> int:
        """The only rate that its streams know."""

    @property
    def summary(self) -> str:
        """A line that says how it separates."""

    def open_stream(self, schedule: Schedule | None) -> StemStream:
        """A stream that is ready to run, beside others; without a schedule, the best one there is, however late."""
