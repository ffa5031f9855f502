"""When the engine sleeps, and for how long: until its next work is due, and then by the millisecond.

The engine knows how many samples are missing (`rtsep.stream.StemStream.due_samples`), but not when the last ones came:
only that they were not there when it looked before. So it reckons with the earliest instant::

    looked, not there      looked, there                                    the next are due at the earliest
    ────┬────────╳──────────────┬───────────────────────────────────────────┬──────────────────▶ time
        └ came ──┴ (somewhere)  └ sleep ───────────────────────────┤ margin ├ poll, poll, ...
        └──────────────────────── missing samples / rate ───────────────────┘

It never sleeps for longer than the latency can spare: what a stream has ready is published as its input comes in, and
a card may bring two blocks at once.
"""

from __future__ import annotations

import math

POLL_S = 0.001  # how long the engine sleeps near the instant at which something is due
MARGIN_S = 0.001  # a wake-up is late, too
BREATH_AFTER_S = 0.03  # of work on end, and it sleeps for a moment: see RLIMIT_RTTIME in rtsep.realtime.linux
BREATH_S = 0.0001
OVERWORKED_S = 2.0  # of work on end: who needs all of the time must not take it from everybody else


class Rest:
    """The reckoning of one engine thread.

    Parameters
    ----------
    spare_s
        How long it may sleep at most, though nothing be due.
    now_s
        A monotonic clock, as everywhere here.
    """

    def __init__(self, spare_s: float, now_s: float) -> None:
        self._spare_s = max(spare_s, POLL_S)
        self._looked_s, self._came_s = now_s, -math.inf  # nothing is known of the first block
        self._idle_s = self._slept_s = now_s

    def after_work(self, looked_s: float, now_s: float) -> float:
        """How long to sleep after something was there, which is mostly not at all.

        Parameters
        ----------
        looked_s
            When it was looked for.
        now_s
            Now that it is done.
        """
        self._came_s, self._looked_s = self._looked_s, looked_s
        if now_s - self._slept_s < BREATH_AFTER_S:
            return 0.0
        self._slept_s = now_s
        return BREATH_S

    def without_work(self, looked_s: float, due_s: float) -> float:
        """How long to sleep after nothing was there.

        Parameters
        ----------
        looked_s
            When it was looked for.
        due_s
            The music that is missing until there is work.
        """
        self._looked_s = self._idle_s = self._slept_s = looked_s
        until_due_s = self._came_s + due_s - MARGIN_S - looked_s
        return min(max(until_due_s, POLL_S), self._spare_s)

    def is_overworked(self, now_s: float) -> bool:
        """Whether there was always something to do for too long."""
        return now_s - self._idle_s > OVERWORKED_S
