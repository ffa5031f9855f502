"""A stream at another rate than its separator's: converted on the way in and on the way out.

Position by position, in samples of both rates; T are the taps of a converter, L is the latency of the inner stream::

    card     ──────▶ T/2 ahead ─▶ inner ─▶ L later, whose zeros are left out ─▶ T/2 ahead ─▶ card
"""

from __future__ import annotations

import numpy as np

from rtsep.dsp.polyphase import Converter
from rtsep.stream import N_CHANNELS, Audio, Latency, StemStream


class ResampledStream:
    """Runs a stream at another rate, every stem aligned with the mixture to the sample.

    The converters keep time, so the stems need no shift, they only come late. How late follows from their lags, which
    are the same for every sample, so that nothing more is declared than is needed.

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
        """Input samples until the inner stream has work."""
        return max(1, self._there.n_needed(self._inner.due_samples))

    def prepare(self) -> None:
        """Make the converters."""
        self._there = Converter(N_CHANNELS, self._rate_hz, self._inner_rate_hz)
        self._back = Converter(self._n_rows, self._inner_rate_hz, self._rate_hz)
        # Card sample m is made of inner samples up to floor(m · inner / card) + back's lag, for which the inner stream
        # must have seen its latency more, and there must be its own lag beyond the last of them. Worst is m = 0.
        inner_samples = self._back.lag_samples + self._inner.latency_samples
        self._lag_samples = inner_samples * self._rate_hz // self._inner_rate_hz + self._there.lag_samples
        self.reset()

    def reset(self) -> None:
        """Forget all input."""
        self._inner.reset()
        self._there.reset()
        self._back.reset()
        self._n_in = self._n_inner = 0  # samples since then, at both rates
        self._n_skip = self._inner.latency_samples  # zeros that the inner stream begins with
        self._ready = np.zeros((self._n_rows, self._lag_samples), np.float32)

    def process(self, block: Audio) -> Audio:
        """Take ``(2, n)``, return ``(stems, 2, n)`` of `latency_samples` ago."""
        self._n_in += block.shape[1]
        self._convert(self._inner.process(self._enter(block)))
        return self._take(block.shape[1])

    def skip(self, block: Audio) -> Audio:
        """As `process`, for a block that nobody will hear."""
        self._n_in += block.shape[1]
        self._convert(self._inner.skip(self._enter(block)))
        return self._take(block.shape[1])

    def flush(self) -> Audio:
        """End the input: the last ``(stems, 2, latency_samples)``."""
        n_left = -(-self._n_in * self._inner_rate_hz // self._rate_hz) - self._n_inner
        if n_left > 0:  # instants of the inner rate before the end
            silence = np.zeros((N_CHANNELS, self._there.n_needed(n_left)), np.float32)
            self._convert(self._inner.process(self._enter(silence, n_left)))
        self._convert(self._inner.flush())
        n_left = self._lag_samples - self._ready.shape[1]
        if n_left > 0:
            silence = np.zeros((self._n_rows, self._back.n_needed(n_left)), np.float32)
            self._ready = np.concatenate((self._ready, self._back.process(silence)), axis=1)
        return self._take(self._lag_samples)

    def close(self) -> None:
        """Close the inner stream."""
        self._inner.close()

    def _enter(self, block: Audio, most_samples: int | None = None) -> Audio:
        """Card to inner rate."""
        samples = self._there.process(block, most_samples)
        self._n_inner += samples.shape[1]
        return samples

    def _convert(self, stems: Audio) -> None:
        """Stems at the inner rate, less the zeros they begin with, back to this rate."""
        n = min(self._n_skip, stems.shape[2])
        self._n_skip -= n
        rows = stems.reshape(self._n_rows, -1)[:, n:]
        self._ready = np.concatenate((self._ready, self._back.process(rows)), axis=1)

    def _take(self, n_samples: int) -> Audio:
        taken, self._ready = self._ready[:, :n_samples], self._ready[:, n_samples:]
        return np.ascontiguousarray(taken).reshape(len(self.stems), N_CHANNELS, n_samples)
