"""Audio by absolute position: the border between the audio thread and the engine thread.

A tape is a ring of float32 ``(channels, samples)`` and one number, `written`: everything before it is there. One
writer, any number of readers, no locks::

                 guard: being overwritten          trusted by readers                  being written
    ─────────────┬────────────────────┬──────────────────────────────────────────┬────────────────────▶ position
      written − capacity      written − capacity + guard                      written

Input sample n and stem sample n are the same instant. Positions below 0 are silence.
"""

from __future__ import annotations

import numpy as np

from rtsep.atomics import load_word, reload_word, store_word
from rtsep.realtime.memory import touched
from rtsep.stream import Audio

GUARD_SAMPLES = 4096  # the most that a writer adds before it publishes


class Tape:
    """A ring of audio that is addressed by absolute sample position.

    Parameters
    ----------
    n_channels
        Rows.
    min_capacity_samples
        How far back a reader must be able to reach; rounded up to a power of two, plus the guard.
    start
        Position of the first sample that is going to be there; before it nothing is a number.
    """

    def __init__(self, n_channels: int, min_capacity_samples: int, start: int = 0) -> None:
        self.n_channels = n_channels
        self.capacity_samples = 1 << (min_capacity_samples + GUARD_SAMPLES - 1).bit_length()
        self.samples: Audio = touched(np.zeros((n_channels, self.capacity_samples), np.float32))
        # The published word has a cache line of its own, so that readers do not slow the writer.
        self._line = np.zeros(16, np.int64)
        self.written_address = self._line.ctypes.data + (-self._line.ctypes.data) % 64
        if start:
            self.samples[:] = np.nan
            store_word(self.written_address, start)

    @property
    def written(self) -> int:
        """Everything before this position is there."""
        return int(load_word(self.written_address))

    def append(self, block: Audio) -> None:
        """Write ``(channels, n)`` behind what is there, and publish it. For the one writer only."""
        start = self.written
        for first in range(0, block.shape[1], GUARD_SAMPLES):
            part = block[:, first : first + GUARD_SAMPLES]
            for here, there in self._spans(start + first, part.shape[1]):
                self.samples[:, here] = part[:, there]
            store_word(self.written_address, start + first + part.shape[1])

    def restart(self, start: int) -> None:
        """Forget what is there, and begin anew at a position. For the one writer, while nobody reads."""
        store_word(self.written_address, start)

    def read(self, start: int, n_samples: int) -> Audio | None:
        """Copy ``(channels, n_samples)`` from position `start`.

        Returns
        -------
        ndarray or None
            None if the writer has overtaken the reader, before or during the copy. Positions below 0 are silence.

        Raises
        ------
        ValueError
            The end is not written yet.
        """
        if start + n_samples > self.written:
            raise ValueError(f"position {start + n_samples} is not written yet ({self.written} is)")
        out = np.zeros((self.n_channels, n_samples), np.float32)
        first = max(start, 0)
        n_there = start + n_samples - first
        if n_there <= 0:
            return out
        if n_there <= self.capacity_samples:
            for here, there in self._spans(first, n_there):
                out[:, first - start :][:, there] = self.samples[:, here]
        oldest = int(reload_word(self.written_address)) - self.capacity_samples + GUARD_SAMPLES
        return out if first >= oldest else None

    def _spans(self, start: int, n_samples: int) -> list[tuple[slice, slice]]:
        """Where positions lie in the ring: one span, or two around its end; ``(in the ring, in the block)``."""
        at = start & (self.capacity_samples - 1)
        n_first = min(n_samples, self.capacity_samples - at)
        spans = [(slice(at, at + n_first), slice(0, n_first))]
        if n_first < n_samples:
            spans.append((slice(0, n_samples - n_first), slice(n_first, n_samples)))
        return spans
