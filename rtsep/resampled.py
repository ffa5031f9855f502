"""A stream at another rate than its separator's: converted on the way in and on the way out."""

from __future__ import annotations

import numpy as np

from rtsep.dsp.resample import STEP_SAMPLES, StepResampler
from rtsep.stream import N_CHANNELS, Audio, Latency, StemStream

CALIBRATION_S = 3.0  # many times the bursts of soxr


class ResampledStream:
    """Runs a stream at another rate, every stem aligned with the mixture to the sample.

    soxr keeps time, so the stems need no shift, they only come late; how late at worst is counted once, with
    silence, and declared.

    Parameters
    ----------
    inner
        The stream at its own rate.
    inner_rate_hz, rate_hz
        The two rates.
    """

    def __init__(self, inner: StemStream, inner_rate_hz: int, rate_hz: int) -> None:
        self._inner, self._inner_rate_hz, self._rate_hz = inner, inner_rate_hz, rate_hz
        self._n_rows = len(inner.stems) * N_CHANNELS
        self._lag_samples = self._count_lag()
        self.prepare()

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the rows of what `process` returns."""
        return self._inner.stems

    @property
    def latency(self) -> Latency:
        """The inner stream's parts at this rate, and the conversion."""
        ratio = self._rate_hz / self._inner_rate_hz
        parts = {name: round(n * ratio) for name, n in self._inner.latency.parts.items()}
        return Latency(self._rate_hz, {**parts, "resampler": self._lag_samples - sum(parts.values())})

    @property
    def latency_samples(self) -> int:
        """The delay from input to output."""
        return self._lag_samples

    @property
    def update_samples(self) -> int:
        """Samples from one burst of work of the inner stream to the next."""
        return round(self._inner.update_samples * self._rate_hz / self._inner_rate_hz)

    @property
    def due_samples(self) -> int:
        """Input samples until the inner stream can have work: soxr is never ahead of its input."""
        inner = self._n_inner + self._inner.due_samples
        return max(1, -(-inner * self._rate_hz // self._inner_rate_hz) - self._n_input)

    def prepare(self) -> None:
        """Make the converters."""
        self._down = StepResampler(self._rate_hz, self._inner_rate_hz, N_CHANNELS)
        self._up = StepResampler(self._inner_rate_hz, self._rate_hz, self._n_rows)
        self.reset()

    def reset(self) -> None:
        """Forget all input."""
        self._inner.reset()
        self._down.reset()
        self._up.reset()
        self._n_input = self._n_inner = 0  # samples that came, and that the inner stream was given
        self._n_skip = self._inner.latency_samples  # zeros that the inner stream begins with
        self._ready = np.zeros((self._n_rows, self._lag_samples), np.float32)

    def process(self, block: Audio) -> Audio:
        """Take ``(2, n)``, return ``(stems, 2, n)`` of `latency_samples` ago."""
        inner = self._down.process(block)
        self._n_input, self._n_inner = self._n_input + block.shape[1], self._n_inner + inner.shape[1]
        self._convert(self._inner.process(inner))
        return self._take(block.shape[1])

    def skip(self, block: Audio) -> Audio:
        """As `process`, for a block that nobody will hear."""
        self._convert(self._inner.skip(self._down.process(block)))
        return self._take(block.shape[1])

    def flush(self) -> Audio:
        """End the input: the last ``(stems, 2, latency_samples)``."""
        self._convert(
            self._inner.process(self._down.process(np.zeros((N_CHANNELS, 0), np.float32), last=True))
        )
        self._convert(self._inner.flush(), last=True)
        missing = self._lag_samples - self._ready.shape[1]
        if missing > 0:  # the two conversions may round the length down
            self._ready = np.pad(self._ready, ((0, 0), (0, missing)))
        return self._take(self._lag_samples)

    def close(self) -> None:
        """Close the inner stream."""
        self._inner.close()

    def _convert(self, stems: Audio, *, last: bool = False) -> None:
        """Stems at the inner rate, less the zeros they begin with, back to this rate."""
        n = min(self._n_skip, stems.shape[2])
        self._n_skip -= n
        rows = np.ascontiguousarray(stems.reshape(self._n_rows, -1)[:, n:])
        self._ready = np.concatenate((self._ready, self._up.process(rows, last=last)), axis=1)

    def _take(self, n_samples: int) -> Audio:
        taken, self._ready = self._ready[:, :n_samples], self._ready[:, n_samples:]
        return np.ascontiguousarray(taken).reshape(len(self.stems), N_CHANNELS, n_samples)

    def _count_lag(self) -> int:
        """The most samples by which the output ever trails the input, counted on silence."""
        down = StepResampler(self._rate_hz, self._inner_rate_hz, 1)
        up = StepResampler(self._inner_rate_hz, self._rate_hz, 1)
        ratio = self._rate_hz / self._inner_rate_hz
        n_in, n_out, skip, worst = 0, 0, self._inner.latency_samples, 0.0
        step = np.zeros((1, STEP_SAMPLES), np.float32)
        while n_in < CALIBRATION_S * self._rate_hz + self._inner.latency_samples * ratio:
            worst = max(worst, n_in + STEP_SAMPLES - 1 - n_out)  # just before this step is whole
            n_in += STEP_SAMPLES
            inner = down.process(step)
            n = min(skip, inner.shape[1])
            skip -= n
            n_out += up.process(inner[:, n:]).shape[1]
        return int(worst) + 1
