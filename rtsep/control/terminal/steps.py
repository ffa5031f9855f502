"""The value that lies a step further, as a key moves it."""

from __future__ import annotations

import math

import numpy as np

from rtsep.scales import TOP_DB, Gain, Range, Scale, Text, Value, as_number

GAIN_STEP_DB = 1.0
LOWEST_GAIN_DB = -60.0  # one step below is silence
#: By the unit: a pan, a cross-fader and the like in twentieths, a time in half seconds.
STEPS = {"": 0.05, "s": 0.5}


def stepped(scale: Scale, value: Value, n_steps: int) -> Value:
    """The value some steps further; the ends of the scale, of a gain those of its fader, are the limits.

    A switch is off below and on above. A name without options has no neighbours, and stays.
    """
    if isinstance(scale, Gain):
        return stepped_gain_db(as_number(value), n_steps * GAIN_STEP_DB)
    if isinstance(scale, Range):
        moved = round(as_number(value) + n_steps * STEPS[scale.unit], 6)
        return float(np.clip(moved, scale.low, scale.high))
    if isinstance(scale, Text):
        return _neighbour(scale.options, str(value), n_steps)
    return n_steps > 0


def _neighbour(options: tuple[str, ...], value: str, n_steps: int) -> str:
    if value not in options:
        return options[0] if options else value
    return options[min(max(0, options.index(value) + n_steps), len(options) - 1)]


def stepped_gain_db(gain_db: float, step_db: float) -> float:
    """A fader one step further: below the lowest mark lies silence, above its top only what was typed."""
    if gain_db == -math.inf:
        return LOWEST_GAIN_DB if step_db > 0 else gain_db
    moved = gain_db + step_db
    return -math.inf if moved < LOWEST_GAIN_DB else min(moved, max(TOP_DB, gain_db))
