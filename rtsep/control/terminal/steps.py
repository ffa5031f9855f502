"""The value that lies a step further, as a key moves it."""

from __future__ import annotations

import math

import numpy as np

from rtsep.board import Board
from rtsep.scales import Gain, Range, Value

GAIN_STEP_DB = 1.0
LOWEST_GAIN_DB = -60.0  # one step below is silence
STEP = 0.05  # of what is no gain


def stepped(board: Board, address: str, n_steps: int) -> Value:
    """The value of a fader some steps further; of gains in dB, else in twentieths."""
    scale, value = board.parameter(address).scale, float(board[address])
    if isinstance(scale, Gain):
        return stepped_gain_db(value, n_steps * GAIN_STEP_DB, scale.high_db)
    assert isinstance(scale, Range), "a fader has one of these scales"
    return float(np.clip(round(value + n_steps * STEP, 6), scale.low, scale.high))


def stepped_gain_db(gain_db: float, step_db: float, highest_db: float) -> float:
    """A fader one step further: below the lowest mark lies silence, above the highest nothing."""
    if gain_db == -math.inf:
        return LOWEST_GAIN_DB if step_db > 0 else gain_db
    moved = gain_db + step_db
    return -math.inf if moved < LOWEST_GAIN_DB else min(moved, highest_db)
