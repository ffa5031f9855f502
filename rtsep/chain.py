"""What is played: a stem tape, how far behind it is read, and the matrix; in memory that stays where it is.

The record `rtsep.callback.records.CHAIN` holds addresses; this owns what they point to. A session plays one chain; a
change of the model or of the latency makes another, which `rtsep.desk` fades in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.callback.meters import in_dbfs
from rtsep.callback.records import CHAIN, CHUNK_SAMPLES
from rtsep.mix import N_EXTRA_ROWS
from rtsep.mixer import Coefficients
from rtsep.stream import N_CHANNELS
from rtsep.tape import Tape

MEMORY_S = 10.0  # how far a tape reaches back beyond the offset, for the engine and the recorder


class Chain:
    """Stems on their way to the outputs.

    Parameters
    ----------
    coefficients
        The matrix that is played, and whoever changes it.
    n_stems
        Stems on the stem tape.
    offset_samples
        What is played at card position p is position ``p − offset``.
    sample_rate_hz
        The rate of all tapes.
    ramp_samples
        The time that a change of gain takes.
    start
        Position of the first stem sample; what is played before that is the mixture.
    """

    def __init__(
        self,
        coefficients: Coefficients,
        n_stems: int,
        offset_samples: int,
        sample_rate_hz: int,
        ramp_samples: int,
        start: int = 0,
    ) -> None:
        _, n_rows, self.n_outputs = coefficients.slots.shape
        self.n_stems, self.offset_samples, self.coefficients = n_stems, offset_samples, coefficients
        self.start = start
        self.n_directs = (n_rows - N_EXTRA_ROWS) // N_CHANNELS - n_stems
        self.stem_tape = Tape(N_CHANNELS * n_stems, offset_samples + round(MEMORY_S * sample_rate_hz), start)
        self._gains = coefficients.newest.copy()  # the start needs no ramp
        self._steps = np.zeros_like(self._gains)
        self._rows = np.zeros((n_rows, CHUNK_SAMPLES), np.float32)
        self._outputs = np.zeros((self.n_outputs, CHUNK_SAMPLES), np.float32)
        self._peaks, self._squares = np.zeros(n_rows, np.float32), np.zeros(n_rows, np.float32)
        self._records = np.zeros(1, CHAIN)
        self.record = self._records[0]
        self._fill_record(n_rows, ramp_samples)

    def _fill_record(self, n_rows: int, ramp_samples: int) -> None:
        record, coefficients = self.record, self.coefficients
        put_tape(record, "stem", self.stem_tape)
        record["n_stems"], record["n_directs"] = self.n_stems, self.n_directs
        record["n_rows"], record["n_outputs"] = n_rows, self.n_outputs
        record["offset"], record["ramp_samples"] = self.offset_samples, max(1, ramp_samples)
        record["slots"], record["word"] = coefficients.slots.ctypes.data, coefficients.word_address
        for name in ("gains", "steps", "rows", "outputs", "peaks", "squares"):
            record[name] = getattr(self, f"_{name}").ctypes.data
        record["fade"], record["late_start"] = 1.0, -1

    @property
    def address(self) -> int:
        """Of the record."""
        return int(self._records.ctypes.data)

    @property
    def is_late(self) -> bool:
        """Whether the mixture is played in place of stems that are not there."""
        return bool(self.record["late_now"])

    def levels_dbfs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Peak and RMS in dBFS: left and right of every stem, residual, fallback, direct input."""
        return in_dbfs(self._peaks, self._squares)


def put_tape(record: np.void, name: str, tape: Tape) -> None:
    """Let a record point to a tape."""
    record[f"{name}_samples"] = tape.samples.ctypes.data
    record[f"{name}_written"] = tape.written_address
    record[f"{name}_mask"] = tape.capacity_samples - 1
