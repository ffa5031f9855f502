"""The front door: a model's name to a separator, for whole recordings and for streams, at any sample rate.

>>> separator = rtsep.load("2stems")                         # doctest: +SKIP
>>> stems = separator.separate(mixture, 44100)               # {"vocals": (2, samples), ...}
>>> stream = separator.stream(48000, update_hops=2)          # stream.process(block), ..., stream.flush()
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import get_args

import numpy as np

from rtsep.errors import ModelError, UsageError
from rtsep.resampled import ResampledStream
from rtsep.stream import (
    N_CHANNELS,
    AsOnCard,
    Audio,
    Device,
    Extension,
    Latency,
    Mask,
    Options,
    Precision,
    Schedule,
    SeparatorCore,
    StemStream,
)
from rtsep.zoo.card import ModelFolder
from rtsep.zoo.find import find

ENTRY_POINTS = "rtsep.separators"
BLOCK_SAMPLES = 65536  # of a recording that is separated in one call


def load(
    model: str | os.PathLike[str] | ModelFolder | None = None,
    *,
    device: str = "auto",
    mask: str = "card",
    extension: str = "card",
    stems: tuple[str, ...] | None = None,
    precision: str = "float32",
    n_threads: int | None = None,
) -> Separator:
    """Open a model.

    Parameters
    ----------
    model
        A name (``2stems``), a model folder, or the name of a separator that needs no model; None: the default.
    device
        ``auto``, ``cpu`` or ``cuda``.
    mask
        ``card``, ``ratio`` or ``direct`` (each stem's own mask: only the wanted networks run).
    extension
        Above the network's top bin: ``card``, ``zeros``, ``average`` or ``top_band``.
    stems
        The stems that are wanted; None: all.
    precision
        Of the networks: ``float32``, or ``bfloat16``, twice as fast where the processor has it; on a GPU ``tf32`` and
        ``float16`` as well.
    n_threads
        Threads for the networks on a CPU; None: one for each, as far as there are cores.

    Raises
    ------
    UsageError
        A value that is not among those above, or a precision that the device has not.
    DeviceError
        There is no such device.
    ModelError
        There is no such model, or it cannot be used.
    """
    options = replace(_checked(device, mask, extension, precision), stems=stems, n_threads=n_threads)
    known = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if isinstance(model, str) and model in known and not Path(model).exists():
        return Separator(_open(known[model], None, options), model)
    folder = model if isinstance(model, ModelFolder) else find(model)
    kind = folder.card.separator
    if kind not in known:
        raise ModelError(
            f"{folder.path}: its card names the separator {kind!r}; installed are {', '.join(sorted(known))}"
        )
    return Separator(_open(known[kind], folder, options), folder.card.name)


def _open(point: EntryPoint, folder: ModelFolder | None, options: Options) -> SeparatorCore:
    core: SeparatorCore = point.load()(folder, options)
    return core


def _checked(device: str, mask: str, extension: str, precision: str) -> Options:
    """The options, each value among those that are known."""
    allowed = {
        "device": (device, get_args(Device)),
        "mask": (mask, get_args(AsOnCard) + get_args(Mask)),
        "extension": (extension, get_args(AsOnCard) + get_args(Extension)),
        "precision": (precision, get_args(Precision)),
    }
    for key, (value, values) in allowed.items():
        if value not in values:
            raise UsageError(f"{key}={value!r}: choose one of {', '.join(values)}")
    return Options(device, mask, extension, precision=precision)  # type: ignore[arg-type]


class Separator:
    """Mixture to stems: whole recordings and streams.

    Parameters
    ----------
    core
        What separates, at its own rate.
    name
        The model's name, for messages.
    """

    def __init__(self, core: SeparatorCore, name: str) -> None:
        self._core = core
        self.name = name

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in their order."""
        return self._core.stems

    @property
    def sample_rate_hz(self) -> int:
        """The model's own rate; others are converted both ways."""
        return self._core.sample_rate_hz

    @property
    def summary(self) -> str:
        """A line that says how it separates."""
        return self._core.summary

    def separate(self, mixture: Audio, sample_rate_hz: int) -> dict[str, Audio]:
        """Separate a whole recording.

        Parameters
        ----------
        mixture
            ``(channels, samples)``, one channel (doubled) or two, floating point. What is not finite counts as 0.
        sample_rate_hz
            Its rate; the stems have it too.

        Returns
        -------
        dict
            Stem name to float32 ``(2, samples)``.

        Raises
        ------
        UsageError
            The array has another shape or is not of floats.
        """
        block = as_stereo(mixture)
        stems = np.empty((len(self.stems), N_CHANNELS, block.shape[1]), np.float32)
        with closing(self.offline_stream(sample_rate_hz)) as stream:
            at = -stream.latency_samples
            for part in _blocks(block):
                at = _put(stream.process(part), at, stems)
            _put(stream.flush(), at, stems)
        return dict(zip(self.stems, stems, strict=True))

    def offline_stream(self, sample_rate_hz: int) -> StemStream:
        """A stream that separates as `separate` does, in constant memory, with the latency of a segment."""
        return self._at_rate(None, sample_rate_hz)

    def live_stream(self, sample_rate_hz: int, schedule: Schedule) -> StemStream:
        """A stream that takes what its caller has checked: ``(2, samples)``, float32, finite."""
        return self._at_rate(schedule, sample_rate_hz)

    def stream(
        self,
        sample_rate_hz: int,
        *,
        context_frames: int | None = None,
        update_hops: int = 4,
        lookahead_frames: int = 0,
        synthesis_hops: int | None = None,
    ) -> PublicStream:
        """A stream for live use, which takes blocks as `separate` takes recordings.

        Parameters
        ----------
        sample_rate_hz
            The rate of the blocks.
        context_frames
            Frames that the model sees; None: all there ever were, which costs least.
        update_hops
            Hops from one run of the model to the next: more costs latency and saves work.
        lookahead_frames
            Future frames to wait for: more costs latency and gives better masks.
        synthesis_hops
            Length of the synthesis window: 2 gives the stems back 46 ms earlier than None, Spleeter's 4.
        """
        schedule = Schedule(context_frames, update_hops, lookahead_frames, synthesis_hops)
        return PublicStream(self.live_stream(sample_rate_hz, schedule))

    def _at_rate(self, schedule: Schedule | None, sample_rate_hz: int) -> StemStream:
        if not 8000 <= sample_rate_hz <= 384000:
            raise UsageError(f"sample_rate_hz={sample_rate_hz} must lie between 8000 and 384000")
        stream = self._core.open_stream(schedule)
        if sample_rate_hz == self.sample_rate_hz:
            return stream
        return ResampledStream(stream, self.sample_rate_hz, sample_rate_hz)


class PublicStream:
    """A stream with a door: every block is looked at before it goes in (a `StemStream` itself).

    Parameters
    ----------
    inner
        What separates.
    """

    def __init__(self, inner: StemStream) -> None:
        self._inner = inner
        self._is_flushed = False

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the rows of what `process` returns."""
        return self._inner.stems

    @property
    def latency(self) -> Latency:
        """The delay from input to output, by parts."""
        return self._inner.latency

    @property
    def latency_samples(self) -> int:
        """The delay from input to output, in samples."""
        return self._inner.latency_samples

    @property
    def update_samples(self) -> int:
        """Input samples from one burst of work to the next."""
        return self._inner.update_samples

    @property
    def due_samples(self) -> int:
        """Input samples until there is work."""
        return self._inner.due_samples

    def prepare(self) -> None:
        """Make everything anew; all input is forgotten."""
        self._inner.prepare()
        self._is_flushed = False

    def process(self, block: Audio) -> Audio:
        """Take ``(channels, samples)``, return ``(stems, 2, samples)`` of `latency_samples` ago.

        Raises
        ------
        UsageError
            The block has another shape or is not of floats, or the stream was flushed.
        """
        stereo = as_stereo(block)
        self._check_open()
        return self._inner.process(stereo)

    def skip(self, block: Audio) -> Audio:
        """As `process`, for a block that comes too late to be heard: cheaper, and not a number where it is missing."""
        stereo = as_stereo(block)
        self._check_open()
        return self._inner.skip(stereo)

    def flush(self) -> Audio:
        """End the input: the last ``(stems, 2, latency_samples)``.

        Raises
        ------
        UsageError
            That was done already.
        """
        self._check_open()
        self._is_flushed = True
        return self._inner.flush()

    def reset(self) -> None:
        """Forget all input: the next sample is the first."""
        self._inner.reset()
        self._is_flushed = False

    def close(self) -> None:
        """Let go of memory and devices."""
        self._inner.close()

    def _check_open(self) -> None:
        if self._is_flushed:
            raise UsageError("the stream was flushed, which ends its input; call reset() to begin anew")


def as_stereo(mixture: Audio) -> Audio:
    """Float32 ``(2, samples)`` of one or two channels, or an error that says what is wrong with the array.

    What is not finite becomes 0, as in the callback and of files: one such sample would spoil all frames around it.
    """
    array = np.asarray(mixture)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
        raise UsageError(
            f"the mixture is an array of {array.dtype} with shape {array.shape}; "
            f"it must be of floats, shape (channels, samples)"
        )
    if array.shape[0] > N_CHANNELS and array.shape[1] <= N_CHANNELS:
        raise UsageError(f"the mixture has shape {array.shape}; it must be (channels, samples): transpose it")
    if array.shape[0] not in (1, N_CHANNELS):
        raise UsageError(f"the mixture has {array.shape[0]} channels; it must have one or two")
    with np.errstate(over="ignore"):  # of float64: beyond float32 is infinite
        narrow = array.astype(np.float32, copy=False)
    if not np.isfinite(narrow).all():
        narrow = np.nan_to_num(narrow, posinf=0.0, neginf=0.0)
    return np.ascontiguousarray(np.broadcast_to(narrow, (N_CHANNELS, array.shape[1])))


def _blocks(block: Audio) -> Iterator[Audio]:
    """A recording in pieces."""
    for start in range(0, block.shape[1], BLOCK_SAMPLES):
        yield block[:, start : start + BLOCK_SAMPLES]


def _put(part: Audio, at: int, out: Audio) -> int:
    """Put the next part of the stems where it belongs, less what lies before the beginning; where it ends."""
    end = at + int(part.shape[2])
    if end > 0:
        out[:, :, max(0, at) : end] = part[:, :, max(0, -at) :]
    return end
