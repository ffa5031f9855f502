"""What a file is played from: three reels of tape, and a splice from one to the next.

A reel is filled well ahead of the card, so that nobody hears a busy moment of the machine. A control must answer sooner
than that; so it takes another reel, which begins only just ahead of the card, and the callback cross-fades to it there.
What was left on the one before is never heard. Three are enough: one plays, one may be fading in, one is written.
"""

from __future__ import annotations

import numpy as np

from rtsep.atomics import exchange_word, load_word, store_word
from rtsep.stream import N_CHANNELS
from rtsep.tape import Tape

N_REELS = 3


class Reel:
    """A source tape, and from which position on it may be played; for the callback see `rtsep.callback.records`."""

    def __init__(self, min_capacity_samples: int) -> None:
        self.tape = Tape(N_CHANNELS, min_capacity_samples)
        samples, mask = self.tape.samples.ctypes.data, self.tape.capacity_samples - 1
        self._words = np.array([samples, self.tape.written_address, mask, 0], np.int64)

    @property
    def address(self) -> int:
        """Of its words."""
        return int(self._words.ctypes.data)

    def restart(self, position: int) -> None:
        """Begin it anew at a position. For one that nobody plays."""
        self.tape.restart(position)
        self._words[-1] = position


class Reels:
    """The reels of a session, and which of them plays.

    Parameters
    ----------
    min_capacity_samples
        How much of a file may lie ready.

    Attributes
    ----------
    newest
        The one that was handed over last: what plays, or what shall.
    """

    def __init__(self, min_capacity_samples: int) -> None:
        self._reels = [Reel(min_capacity_samples) for _ in range(N_REELS)]
        self.newest = self._before = self._reels[0]
        self._words = np.array([0, self.newest.address], np.int64)
        self.incoming_address = int(
            self._words.ctypes.data
        )  # for the callback: 0, or what it shall play next
        self.playing_address = self.incoming_address + self._words.itemsize  # from the callback

    def take_back(self) -> bool:
        """Have the newest one never be played, if the callback has not seen it yet; whether that came off."""
        was_in_time = bool(exchange_word(self.incoming_address, 0))
        if was_in_time:
            self.newest = self._before
        return was_in_time

    def free(self) -> Reel:
        """One that is not played: neither now, nor next."""
        in_use = {self.newest.address, int(load_word(self.playing_address))}
        return next(reel for reel in self._reels if reel.address not in in_use)

    def hand_over(self, reel: Reel) -> None:
        """Have a reel played from its beginning on."""
        self._before, self.newest = self.newest, reel
        store_word(self.incoming_address, reel.address)
