"""A row of what `rtsep devices --doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

State = Literal["good", "fair", "poor"]


@dataclass(frozen=True)
class Finding:
    """One thing, and what to do about it.

    Parameters
    ----------
    what
        Its name.
    state
        ``good`` needs nothing, ``fair`` can be better, ``poor`` will be heard when the machine is busy.
    found
        What is so here.
    means
        What follows from it.
    change
        Lines to type, or to put where they say.
    """

    what: str
    state: State
    found: str
    means: str
    change: tuple[str, ...] = ()


class Measurement(NamedTuple):
    """What ``rtsep bench`` found of a model: load is work over deadline at the 99th percentile."""

    model: str
    load: float
    n_threads: int | None
