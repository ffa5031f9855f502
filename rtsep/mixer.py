"""The mix: faders and buttons to a matrix of linear gains, handed to the audio thread without a lock.

Rows of the matrix, two (left, right) of each::

    stem 0 .. stem S−1     a · stem
    residual               a · (mixture − sum of the stems)     what no stem holds; silent while a stem is soloed
    fallback               (1 − a) · mixture                    what is heard in place of late stems; always at 0 dB
    direct 0 .. direct D−1                                      a microphone, a guitar: neither separated nor delayed

*a* is the fade of `rtsep.callback.rows`. Stems, residual and fallback together are the mixture at every instant.
Columns are the output channels; a bus is one or two of them, with a gain::

    strip ─┬─ polarity ─ pan ─ mute, solo ─ fader ─┬─▶ main bus, or the strip's own outputs (its route)
           │                                       └─▶ other buses (sends)
           └─ cue ───────────────────────────────────▶ the bus called cue: before the fader, whatever is muted
"""

from __future__ import annotations

import difflib
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rtsep.atomics import FRESH, SLOT, exchange_word
from rtsep.errors import UsageError
from rtsep.stream import N_CHANNELS

Matrix = NDArray[np.float32]
N_EXTRA_ROWS = 2 * N_CHANNELS  # residual and fallback
MAX_GAIN_DB = 24.0
MAIN, CUE = "main", "cue"  # buses that have a meaning


def gain_of(gain_db: float) -> float:
    """Decibels to a linear factor; −inf is 0."""
    return 0.0 if gain_db == -math.inf else float(10 ** (gain_db / 20))


@dataclass(frozen=True)
class Strip:
    """Where the fader, buttons and cables of a stem or a direct input stand.

    Attributes
    ----------
    gain_db
        −inf to 24 dB.
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


def mix_matrix(
    strips: Mapping[str, Strip],
    buses: Mapping[str, Bus],
    n_outputs: int,
    directs: Mapping[str, Strip] | None = None,
) -> Matrix:
    """The linear gains of a mix.

    Parameters
    ----------
    strips
        In the order of the stems.
    buses
        `MAIN` among them.
    n_outputs
        Columns.
    directs
        Direct inputs; the solo of a stem does not silence them.

    Returns
    -------
    ndarray
        ``(2 · (stems + 2 + directs), n_outputs)``.
    """
    directs, main = directs or {}, buses[MAIN]
    matrix = np.zeros((N_CHANNELS * (len(strips) + len(directs)) + N_EXTRA_ROWS, n_outputs), np.float32)
    any_solo = any(strip.solo for strip in strips.values())
    for i, strip in enumerate(strips.values()):
        _patch_strip(matrix, i, strip, buses, strip.mute or (any_solo and not strip.solo))
    for i, strip in enumerate(directs.values(), len(strips) + 2):
        _patch_strip(matrix, i, strip, buses, strip.mute)
    _patch(matrix, len(strips), main.outputs, 0.0 if any_solo else gain_of(main.gain_db))
    _patch(matrix, len(strips) + 1, main.outputs, gain_of(main.gain_db))
    return matrix


def _patch_strip(matrix: Matrix, pair: int, strip: Strip, buses: Mapping[str, Bus], is_silent: bool) -> None:
    """All that one strip feeds."""
    sign = -1.0 if strip.invert else 1.0
    gain = 0.0 if is_silent else sign * gain_of(strip.gain_db)
    main = buses[MAIN]
    if strip.route is None:
        _patch(matrix, pair, main.outputs, gain * gain_of(main.gain_db), strip.pan)
    else:
        _patch(matrix, pair, strip.route, gain, strip.pan)
    for name, send_db in strip.sends.items():
        _patch(matrix, pair, buses[name].outputs, gain * gain_of(send_db + buses[name].gain_db), strip.pan)
    if strip.cue and CUE in buses:
        _patch(matrix, pair, buses[CUE].outputs, sign * gain_of(buses[CUE].gain_db))


def _patch(matrix: Matrix, pair: int, outputs: tuple[int, ...], gain: float, pan: float = 0.0) -> None:
    """Connect a pair of rows with outputs; into a single one go half of left and half of right."""
    left, right = N_CHANNELS * pair, N_CHANNELS * pair + 1
    if len(outputs) == 1:
        matrix[left : right + 1, outputs[0]] += gain / 2
    else:
        matrix[left, outputs[0]] += gain * min(1.0, 1.0 - pan)
        matrix[right, outputs[1]] += gain * min(1.0, 1.0 + pan)


class Coefficients:
    """Three slots and one word: the newest matrix for a reader that never waits.

    The writer fills a slot of its own and exchanges it for the one in the word; the reader, when the word is
    fresh, exchanges its own for that. So each always owns one slot, and no matrix is ever seen half-written.

    Parameters
    ----------
    matrix
        The first one, which is there without being published.

    Attributes
    ----------
    newest
        The last one that was published.
    """

    def __init__(self, matrix: Matrix) -> None:
        self.newest = matrix
        self.slots: NDArray[np.float32] = np.zeros((3, *matrix.shape), np.float32)
        self.slots[0] = matrix
        self._word = np.array([1], np.int64)  # the reader starts with slot 0, the writer with slot 2
        self.word_address = self._word.ctypes.data
        self._mine = 2

    def publish(self, matrix: Matrix) -> None:
        """Hand over a new matrix. For one writer at a time."""
        self.newest = matrix
        self.slots[self._mine] = matrix
        self._mine = int(exchange_word(self.word_address, self._mine | FRESH)) & SLOT


class Mixer:
    """Faders and buttons. Any thread may move them; the audio thread sees coefficients only.

    Parameters
    ----------
    strips
        The mix of the stems at the start, in their order.
    buses
        Their outputs and gains; the one called `MAIN` must be among them.
    n_outputs
        Output channels.
    directs
        The mix of the direct inputs.
    solo_is_exclusive
        Whether the solo of a stem ends that of the others.
    """

    def __init__(
        self,
        strips: Mapping[str, Strip],
        buses: Mapping[str, Bus],
        n_outputs: int,
        *,
        directs: Mapping[str, Strip] | None = None,
        solo_is_exclusive: bool = False,
    ) -> None:
        self._strips = {**strips, **(directs or {})}
        self._directs, self._buses = tuple(directs or ()), dict(buses)
        self.n_outputs, self.solo_is_exclusive = n_outputs, solo_is_exclusive
        self._lock = threading.Lock()
        self._players: list[tuple[tuple[str, ...], Coefficients]] = []

    @property
    def state(self) -> Mapping[str, Strip]:
        """Stem or direct input to strip, as it stands now."""
        return dict(self._strips)

    @property
    def buses(self) -> Mapping[str, Bus]:
        """The buses, as they stand now."""
        return dict(self._buses)

    @property
    def directs(self) -> tuple[str, ...]:
        """The direct inputs."""
        return self._directs

    def open(self, stems: tuple[str, ...]) -> Coefficients:
        """What a chain of these stems plays, from now on; a stem that was never seen starts untouched."""
        self.add(stems)
        with self._lock:
            matrix = self.matrix(stems)
            coefficients = Coefficients(matrix)
            self._players.append((stems, coefficients))
        return coefficients

    def open_silent(self, stems: tuple[str, ...], like: Mixer) -> Coefficients:
        """Silence for a chain that comes later, in the shape of a mixer that this one will have become by then."""
        like.add(stems)
        return Coefficients(np.zeros_like(like.matrix(stems)))

    def rise(self, stems: tuple[str, ...], coefficients: Coefficients) -> None:
        """Let a silent chain be heard: it ramps to the mix as it stands, and follows it."""
        self.add(stems)
        with self._lock:
            self._players.append((stems, coefficients))
            coefficients.publish(self.matrix(stems))

    def fall(self, coefficients: Coefficients) -> None:
        """Let a chain ramp to silence, whatever moves from now on."""
        with self._lock:
            self._forget(coefficients)
            coefficients.publish(np.zeros_like(coefficients.newest))

    def become(self, make: Callable[[Mixer], Mixer]) -> None:
        """Stand as a mixer does that is made of this one, while nothing moves. What is open must have its shape."""
        with self._lock:
            other = make(self)
            self._strips, self._buses = dict(other._strips), dict(other._buses)
            self._directs, self.n_outputs = other._directs, other.n_outputs
            self.solo_is_exclusive = other.solo_is_exclusive
            self._publish()

    def add(self, names: Iterable[str]) -> None:
        """Know these stems too, as they are."""
        with self._lock:
            self._strips |= {name: Strip() for name in names if name not in self._strips}

    def close(self, coefficients: Coefficients) -> None:
        """A chain is not played any more."""
        with self._lock:
            self._forget(coefficients)

    def set_gain_db(self, name: str, gain_db: float) -> None:
        """Move a fader, −inf to 24 dB."""
        self._change(name, gain_db=_checked_gain_db(name, gain_db))

    def set_mute(self, name: str, mute: bool) -> None:
        """Press a mute button."""
        self._change(name, mute=mute)

    def set_solo(self, name: str, solo: bool) -> None:
        """Press a solo button."""
        self._change(name, solo=solo)

    def set_cue(self, name: str, cue: bool) -> None:
        """Listen to it on the cue bus, before the fader.

        Raises
        ------
        UsageError
            There is no cue bus.
        """
        if cue and CUE not in self._buses:
            raise UsageError(
                "there is no cue bus; give it outputs: `mixer: {buses: {cue: {channels: [3, 4]}}}`"
            )
        self._change(name, cue=cue)

    def set_pan(self, name: str, pan: float) -> None:
        """Turn the balance, −1 left to 1 right."""
        if not -1 <= pan <= 1:
            raise UsageError(f"pan={pan} of {name} must lie between -1 (left) and 1 (right)")
        self._change(name, pan=float(pan))

    def set_invert(self, name: str, invert: bool) -> None:
        """Press a polarity button."""
        self._change(name, invert=invert)

    def set_strip(self, name: str, strip: Strip) -> None:
        """Move everything of a strip at once."""
        _check_name("stem", name, self._strips)
        with self._lock:
            self._strips[name] = strip
            self._publish()

    def set_bus(self, name: str, bus: Bus) -> None:
        """Lead a bus elsewhere, at another gain."""
        _check_name("bus", name, self._buses)
        with self._lock:
            self._buses[name] = bus
            self._publish()

    def set_bus_gain_db(self, name: str, gain_db: float) -> None:
        """Move the fader of a bus, −inf to 24 dB; that of `MAIN` is the master."""
        _check_name("bus", name, self._buses)
        self.set_bus(name, replace(self._buses[name], gain_db=_checked_gain_db(name, gain_db)))

    def matrix(self, stems: tuple[str, ...]) -> Matrix:
        """The linear gains of the mix as it stands, for a chain of these stems."""
        of_stems = {name: self._strips[name] for name in stems}
        of_directs = {name: self._strips[name] for name in self._directs}
        return mix_matrix(of_stems, self._buses, self.n_outputs, of_directs)

    def _change(self, name: str, **values: float | bool) -> None:
        _check_name("stem", name, self._strips)
        with self._lock:
            if self.solo_is_exclusive and values.get("solo") and name not in self._directs:
                self._strips = {other: replace(strip, solo=False) for other, strip in self._strips.items()}
            self._strips[name] = replace(self._strips[name], **values)  # type: ignore[arg-type]
            self._publish()

    def _forget(self, coefficients: Coefficients) -> None:
        self._players = [player for player in self._players if player[1] is not coefficients]

    def _publish(self) -> None:
        for stems, coefficients in self._players:
            coefficients.publish(self.matrix(stems))


def _checked_gain_db(name: str, gain_db: float) -> float:
    if math.isnan(gain_db) or gain_db > MAX_GAIN_DB:
        raise UsageError(f"gain_db={gain_db} of {name} must be a number up to {MAX_GAIN_DB:g}, or -inf")
    return float(gain_db)


def _check_name(kind: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"there is no {kind} {name!r}; there are {', '.join(known)}.{hint}")
