"""The cue: headphones hear what was chosen, whatever the audience hears."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.mix import CUE, MAIN, Bus, Mix, Strip, mix_matrix

BUSES = {MAIN: Bus((0, 1)), CUE: Bus((2, 3), -20.0)}
CUED = Strip(gain_db=-40.0, mute=True, cue=True)
UPSIDE_DOWN = Strip(invert=True, cue=True)


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("separation", [0.0, 0.5, 1.0])
def test_the_cue_is_heard_whatever_the_audience_hears(separation: float, bypass: bool) -> None:
    strips = {"a": CUED, "b": Strip(), "c": UPSIDE_DOWN}
    directs = {"microphone": CUED, "guitar": Strip()}
    mix = Mix(strips, BUSES, directs, separation=separation, bypass=bypass)
    matrix = mix_matrix(mix, ("a", "b", "c"), 4)
    assert matrix[0::2, 2] == pytest.approx([0.1, 0, -0.1, 0, 0, 0.1, 0])
    np.testing.assert_array_equal(matrix[1::2, 3], matrix[0::2, 2])


def test_a_bypass_plays_the_mixture_whatever_is_cued() -> None:
    cued, plain = (
        mix_matrix(Mix({"a": strip}, BUSES, bypass=True), ("a",), 4) for strip in (UPSIDE_DOWN, Strip())
    )
    np.testing.assert_array_equal(cued[:, :2], plain[:, :2])
