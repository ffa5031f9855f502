"""Finds a sound card that does not call any more, though it does not say so: its position stands still.

Looks are counted, not seconds. A machine that slept, or a process that was stopped (Ctrl-Z), did not look meanwhile,
so that a card which only was held up with it is not taken for a lost one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from rtsep.errors import CardLostError

LOOK_S = 0.1
STILL_S = 2.0  # a server that is held up for a second goes on by itself, and to start again would take longer
STILL_BLOCKS = 8
START_S = 10.0  # until the first block: loudspeakers on Bluetooth take seconds
LAST_LOOK_S = 0.5
LAST_LOOKS = 100


class Watchdog:
    """Looks at a position again and again.

    Parameters
    ----------
    position
        Gives the samples delivered so far.
    longest_block_s
        The longest that a card in good health stands still.

    Attributes
    ----------
    error : CardLostError or None
        That it is lost.
    """

    def __init__(self, position: Callable[[], int], longest_block_s: float) -> None:
        self._position = position
        self._first = self._last = position()
        self._n_still = 0
        self._patience = math.ceil(max(STILL_S, STILL_BLOCKS * longest_block_s) / LOOK_S)
        self._patience_at_start = max(self._patience, math.ceil(START_S / LOOK_S))
        self._last_look_s = max(LAST_LOOK_S, 2 * longest_block_s)
        self.error: CardLostError | None = None

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop, or until there is nothing to look at any more."""
        while self.error is None and not stop.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Look once, `LOOK_S` after the last time or later."""
        position = self._position()
        self._n_still = self._n_still + 1 if position == self._last else 0
        self._last = position
        patience = self._patience_at_start if position == self._first else self._patience
        if self._n_still >= patience:
            self.find()

    def find(self) -> None:
        """Know that the card is lost."""
        since_s = time.monotonic() - self._n_still * LOOK_S
        self.error = self.error or CardLostError(
            "the sound card does not play any more: was it unplugged, or did its server stop? "
            "Plug it in again and start anew; `rtsep devices` shows what there is.",
            since_s,
        )

    def sees_a_move(self) -> bool:
        """Whether the card calls now: wait for its next block, but not for long."""
        start = self._position()
        for _ in range(LAST_LOOKS):
            if self._position() != start:
                return True
            time.sleep(self._last_look_s / LAST_LOOKS)
        return False
