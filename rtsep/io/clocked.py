"""A driver without hardware: calls the audio callback block by block, by the wall's clock or as fast as it can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext

from rtsep import realtime

BLOCK_SAMPLES = 512
REST_S = 0.01  # a run without a clock that has nothing to do shall not burn a core
CATCH_UP_S = (
    0.1  # what is held up longer is lost, as with a card: nobody wants the music of an hour in a burst
)


class ClockedDriver:
    """Plays the sound card's part.

    Parameters
    ----------
    call
        Moves one block of so many samples.
    sample_rate_hz
        The rate of the clock.
    block_samples
        Samples a block; 0: `BLOCK_SAMPLES`.
    between
        Called before each block with its length: the in-line work of a run without a clock.
    is_paced
        True: by the wall's clock. False: as fast as `between` allows.
    rests
        Without a clock: whether there is nothing to play now, so that time stands still.
    """

    def __init__(
        self,
        call: Callable[[int], None],
        sample_rate_hz: int,
        block_samples: int,
        between: Callable[[int], None],
        *,
        is_paced: bool,
        rests: Callable[[], bool] = lambda: False,
    ) -> None:
        self._call, self._between, self._rests = call, between, rests
        self._rate_hz, self._is_paced = sample_rate_hz, is_paced
        self.block_samples = block_samples or BLOCK_SAMPLES
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtsep-clock", daemon=True)
        self.error: Exception | None = None

    @property
    def latency_parts(self) -> dict[str, int]:
        """Nothing is added to the offset."""
        return {}

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def stop(self) -> None:
        """Return when no call is under way any more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        period_s = self.block_samples / self._rate_hz
        try:
            with realtime.raised("audio", period_s) if self._is_paced else nullcontext():
                self._loop(period_s)
        except Exception as error:  # whoever watches the host is told
            self.error = error

    def _loop(self, period_s: float) -> None:
        next_s = time.perf_counter()
        while not self._stop.is_set():
            if self._rests():
                self._stop.wait(REST_S)
                continue
            self._between(self.block_samples)
            self._call(self.block_samples)
            if self._is_paced:
                now_s = time.perf_counter()
                next_s = max(next_s + period_s, now_s - CATCH_UP_S)
                time.sleep(max(0.0, next_s - now_s))
