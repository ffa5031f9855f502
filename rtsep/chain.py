"""Everything that one audio callback works on, in memory that stays where it is: tapes, gains, meters, counters.

The record `rtsep.callback.STATE` holds addresses; this owns what they point to, and is kept until the card has let go.
"""

from __future__ import annotations

import ctypes

import numpy as np

from rtsep.callback import CHUNK_SAMPLES, PEAK_FALL_S, RMS_WINDOW_S, STATE, callback
from rtsep.mixer import N_EXTRA_ROWS, Mixer
from rtsep.stream import N_CHANNELS
from rtsep.tape import Tape

MEMORY_S = 10.0  # how far a tape reaches back beyond the offset, for the engine and the recorder
FLOOR_DBFS = -120.0


class Chain:
    """Tapes and state of one callback.

    Parameters
    ----------
    n_stems
        Stems on the stem tape.
    mixer
        Whose coefficients are played.
    offset_samples
        What is played at card position p is position ``p − offset``.
    sample_rate_hz
        The card's rate, which is that of all tapes.
    ramp_s
        The time that a change of gain takes.
    card_inputs
        Indices of the left and right input channel, and how many there are in all; None: no card input.
    n_card_outputs
        Output channels of the card; 0: none.
    has_source
        Whether the input is a source tape (a file).
    """

    def __init__(
        self,
        n_stems: int,
        mixer: Mixer,
        offset_samples: int,
        sample_rate_hz: int,
        ramp_s: float,
        *,
        card_inputs: tuple[int, int, int] | None = None,
        n_card_outputs: int = 0,
        has_source: bool = False,
    ) -> None:
        self.offset_samples, self.sample_rate_hz = offset_samples, sample_rate_hz
        self.n_stems, self.n_outputs = n_stems, mixer.coefficients.slots.shape[2]
        memory = offset_samples + round(MEMORY_S * sample_rate_hz)
        self.input_tape = Tape(N_CHANNELS, memory)
        self.stem_tape = Tape(N_CHANNELS * n_stems, memory)
        self.sink_tape = Tape(self.n_outputs, memory)
        self.source_tape = Tape(N_CHANNELS, memory) if has_source else None
        self._mixer = mixer
        self._make_state(round(ramp_s * sample_rate_hz), card_inputs or (0, 0, 0), n_card_outputs)

    def _make_state(self, ramp_samples: int, card_inputs: tuple[int, int, int], n_card_outputs: int) -> None:
        n_rows = N_CHANNELS * self.n_stems + N_EXTRA_ROWS
        coefficients = self._mixer.coefficients
        self._gains = self._mixer.matrix()  # the start needs no ramp
        self._steps = np.zeros_like(self._gains)
        self._rows = np.zeros((n_rows, CHUNK_SAMPLES), np.float32)
        self._buses = np.zeros((self.n_outputs, CHUNK_SAMPLES), np.float32)
        self._peaks = np.zeros(n_rows + self.n_outputs, np.float32)
        self._squares = np.zeros_like(self._peaks)
        self.states = np.zeros(1, STATE)
        state = self.state = self.states[0]
        state["left_input"], state["right_input"], state["n_card_inputs"] = card_inputs
        state["n_card_outputs"] = n_card_outputs
        state["n_stems"], state["n_outputs"], state["offset"] = (
            self.n_stems,
            self.n_outputs,
            self.offset_samples,
        )
        tapes = {
            "input": self.input_tape,
            "stem": self.stem_tape,
            "sink": self.sink_tape,
            "source": self.source_tape,
        }
        for name, tape in tapes.items():
            if tape is not None:
                state[f"{name}_samples"] = tape.samples.ctypes.data
                state[f"{name}_written"] = tape.written_address
                state[f"{name}_mask"] = tape.capacity_samples - 1
        state["slots"], state["word"] = coefficients.slots.ctypes.data, coefficients.word_address
        arrays = {"gains": self._gains, "steps": self._steps, "rows": self._rows}
        arrays |= {"buses": self._buses, "peaks": self._peaks, "squares": self._squares}
        for name, array in arrays.items():
            state[name] = array.ctypes.data
        state["ramp_samples"], state["fade"] = max(1, ramp_samples), 1.0
        state["peak_fall"] = np.exp(-1 / (PEAK_FALL_S * self.sample_rate_hz))
        state["rms_fall"] = np.exp(-1 / (RMS_WINDOW_S * self.sample_rate_hz))

    @property
    def function_address(self) -> int:
        """The C function, for a card."""
        return int(callback.address or 0)

    @property
    def state_address(self) -> int:
        """Its user data."""
        return int(self.states.ctypes.data)

    @property
    def position(self) -> int:
        """Samples delivered so far."""
        return self.input_tape.written

    def call(self, n_samples: int) -> None:
        """Move one block without a card, on this thread and without the interpreter's lock."""
        _function(None, None, n_samples, None, 0, self.state_address)

    def levels_dbfs(self) -> tuple[np.ndarray, np.ndarray]:
        """Peak and RMS in dBFS: left and right of every stem, residual, fallback, then the output channels."""
        peak, rms = np.maximum(self._peaks, 1e-6), np.sqrt(np.maximum(self._squares, 1e-12))
        return 20 * np.log10(peak), 20 * np.log10(rms)


_function = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
)(int(callback.address or 0))
