"""What comes in, onto the input tape: rows 0 and 1 are the mixture, two more for every direct input.

A cable leads from a channel of the card to a row of the tape, with a gain; several may end in one row. A source tape
(a file) takes the place of the mixture's cables.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray

from rtsep.atomics import float_pointer, load_acquire, store_release
from rtsep.callback.events import STARVED, note
from rtsep.callback.records import inner, word_pointer
from rtsep.stream import N_CHANNELS


@inner
def _finite(value: Any) -> Any:
    """What is not a number must not reach the tape: one would stay in the networks' memory."""
    return value if math.isfinite(value) else np.float32(0)


@inner
def record(state: Any, inputs: Any, done: int, n: int) -> None:
    """Take in `n` samples of the card's block, from sample `done` of it on, and publish them."""
    p, mask = load_acquire(state.input_written), state.input_mask
    tape = carray(float_pointer(state.input_samples), (state.n_input_rows, mask + 1))
    for r in range(state.n_input_rows):
        for i in range(n):
            tape[r, (p + i) & mask] = 0
    if state.source_samples != 0:
        _play_source(state, tape, p, n)
    if state.n_card_inputs > 0:
        _plug_in(state, tape, inputs, p, done, n)
    store_release(state.input_written, p + n)


@inner
def _play_source(state: Any, tape: Any, p: int, n: int) -> None:
    """The source tape's samples as the mixture; what is not there yet is silent, and counted."""
    source = carray(float_pointer(state.source_samples), (N_CHANNELS, state.source_mask + 1))
    n_there = min(n, max(0, load_acquire(state.source_written) - p))
    for c in range(N_CHANNELS):
        for i in range(n_there):
            tape[c, (p + i) & state.input_mask] = _finite(source[c, (p + i) & state.source_mask])
    if n_there < n:
        state.n_starved_samples += n - n_there
        note(state, STARVED, p + n_there, n - n_there)


@inner
def _plug_in(state: Any, tape: Any, inputs: Any, p: int, done: int, n: int) -> None:
    """The card's channels, each where its cables lead."""
    block = carray(inputs, (done + n, state.n_card_inputs))
    cables = carray(word_pointer(state.cables), (state.n_cables, 2))
    gains = carray(float_pointer(state.cable_gains), (state.n_cables,))
    for k in range(state.n_cables):
        channel, row, gain = cables[k, 0], cables[k, 1], gains[k]
        for i in range(n):
            tape[row, (p + i) & state.input_mask] += gain * _finite(block[done + i, channel])
