"""Where parts of one sound are found in another, sample by sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PROBE_SAMPLES = 64


class Span(NamedTuple):
    """``part[:, in_part : in_part + n]`` equals ``whole[:, in_whole : in_whole + n]``."""

    in_part: int
    in_whole: int
    n: int


def spans(part: np.ndarray, whole: np.ndarray, tolerance: float) -> list[Span]:
    """The stretches of `part`, from left to right and as long as they go, that are found in `whole`.

    Both must be rich, as noise is: what is silent in `part`, or shorter than `PROBE_SAMPLES`, is not looked for.
    """
    found: list[Span] = []
    at, n_places = 0, whole.shape[1] - PROBE_SAMPLES + 1
    order = np.argsort(whole[0, :n_places])
    ascending = whole[0, :n_places][order]
    while at + PROBE_SAMPLES <= part.shape[1]:
        probe = part[:, at : at + PROBE_SAMPLES]
        if not probe[:, 0].any():
            at += int(part[:, at:].any(axis=0).argmax()) or part.shape[1]
            continue
        first, last = np.searchsorted(ascending, [probe[0, 0] - tolerance, probe[0, 0] + tolerance])
        fits = [
            q for q in order[first:last] if np.abs(whole[:, q : q + PROBE_SAMPLES] - probe).max() <= tolerance
        ]
        if not fits:
            at += 1
            continue
        place = int(min(fits))
        n = min(part.shape[1] - at, whole.shape[1] - place)
        differs = np.abs(part[:, at : at + n] - whole[:, place : place + n]).max(axis=0) > tolerance
        length = int(differs.argmax()) if differs.any() else n
        found.append(Span(at, place, length))
        at += length
    return found
