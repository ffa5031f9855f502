"""The mix: faders and buttons to a matrix of linear gains, handed to the audio thread without a lock.

Rows of the matrix, two (left, right) of each::

    stem 0 .. stem S−1     a · stem
    residual               a · (mixture − sum of the stems)     what no stem holds; silent while a stem is soloed
    fallback               (1 − a) · mixture                    what is heard in place of late stems; always at 0 dB

*a* is the fade of `rtsep.callback`. All rows together are the mixture at every instant. Columns are the output
channels.
"""

from __future__ import annotations

import difflib
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtsep.atomics import FRESH, SLOT, exchange_word
from rtsep.errors import UsageError
from rtsep.stream import N_CHANNELS

Matrix = NDArray[np.float32]
N_EXTRA_ROWS = 2 * N_CHANNELS  # residual and fallback
MAX_GAIN_DB = 24.0


def gain_of(gain_db: float) -> float:
    """Decibels to a linear factor; −inf is 0."""
    return 0.0 if gain_db == -math.inf else float(10 ** (gain_db / 20))


@dataclass(frozen=True)
class Strip:
    """Where one stem's fader, buttons and cables stand; outputs are counted from 0."""

    gain_db: float = 0.0
    mute: bool = False
    solo: bool = False
    route: tuple[int, ...] | None = None


def mix_matrix(strips: Mapping[str, Strip], main: tuple[int, ...], n_outputs: int) -> Matrix:
    """The linear gains of a mix.

    Parameters
    ----------
    strips
        In the order of the stems.
    main
        Output channels of the main bus, one (mono) or two.
    n_outputs
        Columns.

    Returns
    -------
    ndarray
        ``(2 · stems + 4, n_outputs)``.
    """
    matrix = np.zeros((N_CHANNELS * len(strips) + N_EXTRA_ROWS, n_outputs), np.float32)
    any_solo = any(strip.solo for strip in strips.values())
    for i, strip in enumerate(strips.values()):
        silent = strip.mute or (any_solo and not strip.solo)
        _patch(matrix, i, strip.route or main, 0.0 if silent else gain_of(strip.gain_db))
    _patch(matrix, len(strips), main, 0.0 if any_solo else 1.0)
    _patch(matrix, len(strips) + 1, main, 1.0)
    return matrix


def _patch(matrix: Matrix, pair: int, outputs: tuple[int, ...], gain: float) -> None:
    """Connect a pair of rows with its outputs; into a single one go half of left and half of right."""
    left, right = N_CHANNELS * pair, N_CHANNELS * pair + 1
    if len(outputs) == 1:
        matrix[left : right + 1, outputs[0]] = gain / 2
    else:
        matrix[left, outputs[0]] = matrix[right, outputs[1]] = gain


class Coefficients:
    """Three slots and one word: the newest matrix for a reader that never waits.

    The writer fills a slot of its own and exchanges it for the one in the word; the reader, when the word is
    fresh, exchanges its own for that. So each always owns one slot, and no matrix is ever seen half-written.

    Parameters
    ----------
    shape
        Of the matrix.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.slots: NDArray[np.float32] = np.zeros((3, *shape), np.float32)
        self._word = np.array([1], np.int64)  # the reader starts with slot 0, the writer with slot 2
        self.word_address = self._word.ctypes.data
        self._mine = 2

    def publish(self, matrix: Matrix) -> None:
        """Hand over a new matrix. For one writer at a time."""
        self.slots[self._mine] = matrix
        self._mine = int(exchange_word(self.word_address, self._mine | FRESH)) & SLOT


class Mixer:
    """Faders and buttons. Any thread may move them; the audio thread sees coefficients only.

    Parameters
    ----------
    strips
        The mix at the start, in the order of the stems.
    main
        Output channels of the main bus, from 0.
    n_outputs
        Output channels.
    """

    def __init__(self, strips: Mapping[str, Strip], main: tuple[int, ...], n_outputs: int) -> None:
        self._strips = dict(strips)
        self._main, self._n_outputs = main, n_outputs
        self._lock = threading.Lock()
        self.coefficients = Coefficients((N_CHANNELS * len(strips) + N_EXTRA_ROWS, n_outputs))
        self._publish()

    @property
    def state(self) -> Mapping[str, Strip]:
        """Stem to strip, as it stands now."""
        return dict(self._strips)

    def set_gain_db(self, stem: str, gain_db: float) -> None:
        """Move a fader, −inf to 24 dB."""
        if math.isnan(gain_db) or gain_db > MAX_GAIN_DB:
            raise UsageError(f"gain_db={gain_db} of {stem} must be a number up to {MAX_GAIN_DB:g}, or -inf")
        self._change(stem, gain_db=float(gain_db))

    def set_mute(self, stem: str, mute: bool) -> None:
        """Press a mute button."""
        self._change(stem, mute=mute)

    def set_solo(self, stem: str, solo: bool) -> None:
        """Press a solo button."""
        self._change(stem, solo=solo)

    def matrix(self) -> Matrix:
        """The linear gains of the mix as it stands."""
        return mix_matrix(self._strips, self._main, self._n_outputs)

    def _change(self, stem: str, **values: float | bool) -> None:
        if stem not in self._strips:
            near = difflib.get_close_matches(stem, self._strips, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"there is no stem {stem!r}; there are {', '.join(self._strips)}.{hint}")
        with self._lock:
            self._strips[stem] = replace(self._strips[stem], **values)  # type: ignore[arg-type]
            self._publish()

    def _publish(self) -> None:
        self.coefficients.publish(self.matrix())
