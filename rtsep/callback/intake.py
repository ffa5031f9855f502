"""What comes in, onto the input tape: rows 0 and 1 are the mixture, two more for every direct input.

A cable leads from a channel of the card to a row of the tape, with a gain; several may end in one row. A file, on its
reels, takes the place of the mixture's cables.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray

from rtsep.atomics import exchange, float_pointer, load_acquire, store_release
from rtsep.callback.events import STARVED, note
from rtsep.callback.records import (
    N_REEL_WORDS,
    REEL_MASK,
    REEL_SAMPLES,
    REEL_START,
    REEL_WRITTEN,
    SPLICE_SAMPLES,
    inner,
    word_pointer,
)
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
    if state.reel != 0:
        _play_file(state, tape, p, n)
    if state.n_card_inputs > 0:
        _plug_in(state, tape, inputs, p, done, n)
    store_release(state.input_written, p + n)


@inner
def _play_file(state: Any, tape: Any, p: int, n: int) -> None:
    """The reel's samples as the mixture; another one takes over where it begins, or at once if that is over."""
    if state.next_reel == 0:
        state.next_reel = exchange(state.incoming_reel, 0)
    n_alone = n
    if state.next_reel != 0:
        start = carray(word_pointer(state.next_reel), (N_REEL_WORDS,))[REEL_START]
        n_alone = 0 if state.spliced > 0 else min(n, max(0, start - p))
    n_there = _unwind(state, tape, p, n)
    if n_alone < n:
        _splice(state, tape, p, n_alone, n)
    _count_starved(state, p + n_there, n_alone - n_there)


@inner
def _unwind(state: Any, tape: Any, p: int, n: int) -> Any:
    """What the reel has of the next `n` samples; how many these are."""
    reel = carray(word_pointer(state.reel), (N_REEL_WORDS,))
    source = carray(float_pointer(reel[REEL_SAMPLES]), (N_CHANNELS, reel[REEL_MASK] + 1))
    n_there = min(n, max(0, load_acquire(reel[REEL_WRITTEN]) - p))
    for c in range(N_CHANNELS):
        for i in range(n_there):
            tape[c, (p + i) & state.input_mask] = _finite(source[c, (p + i) & reel[REEL_MASK]])
    return n_there


@inner
def _splice(state: Any, tape: Any, p: int, first: int, n: int) -> None:
    """Cross-fade to the next reel, from sample `first` of these on; linear, for where both agree nothing happens."""
    reel = carray(word_pointer(state.next_reel), (N_REEL_WORDS,))
    source = carray(float_pointer(reel[REEL_SAMPLES]), (N_CHANNELS, reel[REEL_MASK] + 1))
    n_there = min(n, max(first, load_acquire(reel[REEL_WRITTEN]) - p))
    for c in range(N_CHANNELS):
        for i in range(first, n):
            at = (p + i) & state.input_mask
            after = _finite(source[c, (p + i) & reel[REEL_MASK]]) if i < n_there else np.float32(0)
            share = np.float32(state.spliced + 1 + i - first) / np.float32(SPLICE_SAMPLES)
            tape[c, at] = tape[c, at] + share * (after - tape[c, at]) if share < 1 else after
    _count_starved(state, p + n_there, n - n_there)
    state.spliced += n - first
    if state.spliced >= SPLICE_SAMPLES:
        state.reel, state.next_reel, state.spliced = state.next_reel, 0, 0
        store_release(state.playing_reel, state.reel)


@inner
def _count_starved(state: Any, position: int, n: int) -> None:
    """What the file's reel does not have yet is silent; see `note_starved`."""
    if n > 0:
        store_release(state.input_starved_end, position + n)
        store_release(state.input_starved, load_acquire(state.input_starved) + n)


@inner
def note_starved(state: Any) -> None:
    """Note what a file did not have in time since the last look: for the output, the one writer of events."""
    n_new = load_acquire(state.input_starved) - state.n_starved_samples
    if n_new > 0:
        state.n_starved_samples += n_new
        note(state, STARVED, load_acquire(state.input_starved_end) - n_new, n_new)


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
