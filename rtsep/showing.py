"""What surfaces with pictures ask of a session: levels of all that has a fader, and the stems as they are heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from rtsep.mix import N_EXTRA_ROWS
from rtsep.rig import Rig
from rtsep.stream import N_CHANNELS, Audio

Level = tuple[float, float]


def take_levels(rig: Rig) -> dict[str, Level]:
    """Peak and RMS in dBFS, by the beginning of an address: ``/stem/vocals``; of stems and inputs before the fader."""
    return dict(_levels(rig))


def _levels(rig: Rig) -> Iterator[tuple[str, Level]]:
    separation, mix = rig.separation, rig.mixer.mix  # once: a change may put others in their place
    stems, rows = separation.separator.stems, separation.chain.levels_dbfs()
    n_stem_rows = N_CHANNELS * len(stems)
    for number, name in enumerate(stems):
        yield f"/stem/{name}", _loudest(rows, range(N_CHANNELS * number, N_CHANNELS * (number + 1)))
    first = n_stem_rows + N_EXTRA_ROWS
    for number, name in enumerate(mix.directs):
        at = first + N_CHANNELS * number
        yield f"/direct/{name}", _loudest(rows, range(at, at + N_CHANNELS))
    outputs = rig.desk.levels_dbfs()
    for name, bus in mix.buses.items():
        yield f"/bus/{name}", _loudest(outputs, bus.outputs)


def _loudest(levels: tuple[NDArray[Any], NDArray[Any]], rows: Sequence[int]) -> Level:
    peak_dbfs, rms_dbfs = (float(found[list(rows)].max()) for found in levels)
    return peak_dbfs, rms_dbfs


def read_heard(rig: Rig, n_samples: int) -> Audio | None:
    """The last ``(stems, channels, n_samples)`` that were heard, before the faders.

    Returns
    -------
    ndarray or None
        None while there are none: at the start, and after a stall. What is late in them is not a number.
    """
    chain = rig.separation.chain
    heard = rig.desk.position - chain.offset_samples - rig.desk.lookahead_samples
    if heard - n_samples < chain.start or heard > chain.stem_tape.written:
        return None
    rows = chain.stem_tape.read(heard - n_samples, n_samples)
    return None if rows is None else rows.reshape(chain.n_stems, N_CHANNELS, n_samples)
