"""The mix: where all faders, buttons and cables stand, and the matrix of linear gains that follows from it.

Rows of the matrix, two (left, right) of each::

    stem 0 .. stem S−1     a · stem
    residual               a · (mixture − sum of the stems)     what no stem holds; silent while a stem is soloed
    fallback               (1 − a) · mixture                    what is heard in place of late stems; always at 0 dB
    direct 0 .. direct D−1                                      a microphone, a guitar: neither separated nor delayed

*a* is the fade of `rtsep.callback.rows`. Stems, residual and fallback together are the mixture at every instant.
Columns are the output channels; a bus is one or two of them, with a gain::

    strip ─┬─ polarity ─ pan ─ mute, solo ─ fader ─ groups ─┬─▶ main bus, or the strip's own outputs (its route)
           │                                                └─▶ other buses (sends)
           └─ cue ──────────────────────────────────────────▶ the bus called cue: before the fader, whatever is muted

The amount of separation is that of all this but the cue, beside what plays the mixture as it is: whoever listens
beforehand still hears the stem that the audience does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rtsep.stream import N_CHANNELS

Matrix = NDArray[np.float32]
N_EXTRA_ROWS = 2 * N_CHANNELS  # residual and fallback
MAIN, CUE = "main", "cue"  # buses that have a meaning
RESIDUAL = None  # in place of the name of a stem: it belongs to the groups of all but some


def gain_of(gain_db: float) -> float:
    """Decibels to a linear factor; −inf is 0."""
    return 0.0 if gain_db == -math.inf else float(10 ** (gain_db / 20))


@dataclass(frozen=True)
class Strip:
    """Where the fader, buttons and cables of a stem or a direct input stand.

    Attributes
    ----------
    gain_db
        −inf: silence.
    mute, solo, cue
        Buttons.
    pan
        −1 left .. 1 right: the other side is turned down, at 0 both are as they are.
    invert
        Opposite polarity.
    route
        Outputs, from 0, in place of the main bus.
    sends
        Buses that get it too, after the fader, and their gains in dB.
    """

    gain_db: float = 0.0
    mute: bool = False
    solo: bool = False
    route: tuple[int, ...] | None = None
    pan: float = 0.0
    invert: bool = False
    cue: bool = False
    sends: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Bus:
    """Output channels, from 0, one or two, and what all that goes there is multiplied by."""

    outputs: tuple[int, ...]
    gain_db: float = 0.0


@dataclass(frozen=True)
class Group:
    """Stems that move together: by the fader and the buttons of the group, beside their own.

    Attributes
    ----------
    stems
        Its stems; what a model does not make of them is no matter.
    is_all_but
        Whether it is all others instead. Then the residual belongs to it too.
    gain_db, mute, solo
        As those of a strip.
    """

    stems: frozenset[str]
    is_all_but: bool = False
    gain_db: float = 0.0
    mute: bool = False
    solo: bool = False

    def __contains__(self, stem: str | None) -> bool:
        return (stem in self.stems) != self.is_all_but


@dataclass(frozen=True)
class Mix:
    """Where everything stands.

    Attributes
    ----------
    strips
        Stems, also some that do not play now.
    buses
        `MAIN` among them.
    directs
        Direct inputs; the solo of a stem does not silence them.
    groups
        Stems that move together.
    sides
        The groups, or none, that `crossfade` leaves alone at −1 and at 1.
    crossfade
        −1 .. 1: towards a side the other is turned down, at 0 both are as they are.
    separation
        0 .. 1: from the mixture as it is to all of the above.
    bypass
        The mixture as it is, wherever `separation` stands.
    """

    strips: Mapping[str, Strip]
    buses: Mapping[str, Bus]
    directs: Mapping[str, Strip] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    sides: tuple[str, str] | None = None
    crossfade: float = 0.0
    separation: float = 1.0
    bypass: bool = False

    @property
    def all_strips(self) -> dict[str, Strip]:
        """Stems and direct inputs."""
        return {**self.strips, **self.directs}

    def untouched(self) -> Mix:
        """The same with stems that nobody has touched: it plays the mixture as it is."""
        strips = dict.fromkeys(self.strips, Strip())
        return replace(self, strips=strips, groups={}, sides=None, separation=1.0, bypass=False)

    def has_solo(self, stems: tuple[str, ...]) -> bool:
        """Whether one of these stems, or a group of one of them, is soloed."""
        return any(self.is_soloed(stem) for stem in stems)

    def plays(self, stem: str, stems: tuple[str, ...]) -> bool:
        """Whether a stem is heard beside these, whatever else might silence it."""
        strip = self.strips[stem]
        by_itself = not strip.mute and strip.gain_db > -math.inf and self.gain_beside(stem) > 0
        return by_itself and (self.is_soloed(stem) or not self.has_solo(stems))

    def is_soloed(self, stem: str | None) -> bool:
        """Whether the stem is, or a group that it is in."""
        by_itself = stem is not RESIDUAL and self.strips[stem].solo
        return by_itself or any(group.solo for group in self._groups_of(stem))

    def gain_beside(self, stem: str | None) -> float:
        """What the groups and the cross-fader do to a stem, or to the residual: a linear gain."""
        groups = self._groups_of(stem)
        if any(group.mute for group in groups):
            return 0.0
        return gain_of(sum(group.gain_db for group in groups)) * self._crossfade_gain(stem)

    def _groups_of(self, stem: str | None) -> list[Group]:
        return [group for group in self.groups.values() if stem in group]

    def _crossfade_gain(self, stem: str | None) -> float:
        if self.sides is None:
            return 1.0
        first, second = (self.groups[side] for side in self.sides)
        gain = min(1.0, 1.0 - self.crossfade) if stem in first else 1.0
        return gain * min(1.0, 1.0 + self.crossfade) if stem in second else gain


def mix_matrix(mix: Mix, stems: tuple[str, ...], n_outputs: int) -> Matrix:
    """The linear gains of a mix.

    Parameters
    ----------
    mix
        Where everything stands.
    stems
        Those that play, in the order of their rows.
    n_outputs
        Columns.

    Returns
    -------
    ndarray
        ``(2 · (stems + 2 + directs), n_outputs)``.
    """
    amount = 0.0 if mix.bypass else mix.separation
    matrix = _separated(mix, stems, n_outputs)
    if amount < 1.0:
        # All rows are parts of the same signal, so their gains are what is to be mixed.
        untouched = _separated(mix.untouched(), stems, n_outputs)
        matrix = np.asarray((1 - amount) * untouched + amount * matrix, np.float32)
    if CUE in mix.buses:
        _patch_cues(matrix, mix, stems)
    return matrix


def _separated(mix: Mix, stems: tuple[str, ...], n_outputs: int) -> Matrix:
    """The same at the full amount of separation, without the cue."""
    matrix = np.zeros((N_CHANNELS * (len(stems) + len(mix.directs)) + N_EXTRA_ROWS, n_outputs), np.float32)
    main, has_solo = mix.buses[MAIN], mix.has_solo(stems)

    def gain_beside(stem: str | None) -> float:
        return 0.0 if has_solo and not mix.is_soloed(stem) else mix.gain_beside(stem)

    for i, stem in enumerate(stems):
        _patch_strip(matrix, i, mix.strips[stem], mix.buses, gain_beside(stem))
    for i, strip in enumerate(mix.directs.values(), len(stems) + 2):
        _patch_strip(matrix, i, strip, mix.buses, 1.0)
    _patch(matrix, len(stems), main.outputs, gain_beside(RESIDUAL) * gain_of(main.gain_db))
    _patch(matrix, len(stems) + 1, main.outputs, gain_of(main.gain_db))
    return matrix


def _patch_strip(
    matrix: Matrix, pair: int, strip: Strip, buses: Mapping[str, Bus], gain_beside: float
) -> None:
    """All that one strip feeds, but for the cue."""
    gain = 0.0 if strip.mute else _sign(strip) * gain_of(strip.gain_db) * gain_beside
    main = buses[MAIN]
    if strip.route is None:
        _patch(matrix, pair, main.outputs, gain * gain_of(main.gain_db), strip.pan)
    else:
        _patch(matrix, pair, strip.route, gain, strip.pan)
    for name, send_db in strip.sends.items():
        _patch(matrix, pair, buses[name].outputs, gain * gain_of(send_db + buses[name].gain_db), strip.pan)


def _patch_cues(matrix: Matrix, mix: Mix, stems: tuple[str, ...]) -> None:
    """What is listened to beforehand."""
    bus = mix.buses[CUE]
    of_stems = enumerate(mix.strips[stem] for stem in stems)
    for pair, strip in (*of_stems, *enumerate(mix.directs.values(), len(stems) + 2)):
        if strip.cue:
            _patch(matrix, pair, bus.outputs, _sign(strip) * gain_of(bus.gain_db))


def _sign(strip: Strip) -> float:
    return -1.0 if strip.invert else 1.0


def _patch(matrix: Matrix, pair: int, outputs: tuple[int, ...], gain: float, pan: float = 0.0) -> None:
    """Connect a pair of rows with outputs; into a single one go half of left and half of right."""
    left, right = N_CHANNELS * pair, N_CHANNELS * pair + 1
    if len(outputs) == 1:
        matrix[left : right + 1, outputs[0]] += gain / 2
    else:
        matrix[left, outputs[0]] += gain * min(1.0, 1.0 - pan)
        matrix[right, outputs[1]] += gain * min(1.0, 1.0 + pan)
