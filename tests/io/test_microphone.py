"""A card that may not be heard."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.io.microphone import DEAF, hear

SILENT = np.zeros((2, 1000), np.float32)


def noisy(value: float) -> np.ndarray:
    first = SILENT.copy()
    first[1, -1] = value
    return first


@pytest.mark.parametrize(
    ("system", "first", "told"),
    [
        ("darwin", SILENT, DEAF),
        ("darwin", noisy(2.0**-23), None),  # the last bit of a converter is enough
        ("darwin", noisy(np.nan), None),
        ("linux", SILENT, None),
        ("win32", SILENT, None),
    ],
)
def test_only_zeros_and_only_on_macos(system: str, first: np.ndarray, told: str | None) -> None:
    assert hear(system, first) == told
