"""From one rig to another while a session plays: another card, file, bus, or anything that a rig is made for.

The new one is prepared beside the one that plays, by the builder of the start. Then the old one ramps to silence, lets
go of its cards, and the new one starts; the file goes on at the sample at which it fell silent, where the takes join::

    old   ──────────────╲ stop
    new    (preparation)  start ─ latency ─╱──────────────

Whatever fails up to there, the old one plays on; if it was stopped already, its cards are opened again. The time
without sound is what every start takes: that of the cards, and the latency.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from rtsep.changing import check_over, wait_until
from rtsep.errors import CardBusyError, CardLostError, DeviceError, UsageError
from rtsep.rig import Preparation
from rtsep.running import Run
from rtsep.settings import LiveSettings
from rtsep.standing import place_at

MOST_RISE_S = (
    2.0  # beyond the latency: an engine that has no stems by then is late, and its mixture is played
)

IsOver = Callable[[], bool]


def check_clock(before: Run, after: LiveSettings) -> None:
    """Refuse what has no time in which it could happen.

    Raises
    ------
    UsageError
        There is no clock, or would be none.
    """
    if before.is_free or after.output.clock == "free":
        raise UsageError(
            "without a clock only mix and recording can change; give --clock real, or end the session and start it anew"
        )


def hand_over(run: Run, preparation: Preparation, is_over: IsOver) -> Run:
    """Stop one rig and start another, which plays silence still; see `raise_mix`.

    Parameters
    ----------
    run
        What plays; its files are still to be closed.
    preparation
        Of what is to play.
    is_over
        Whether the session has ended, so that nothing is to be started any more.

    Raises
    ------
    RtsepError
        The new one cannot be had. The old one plays.
    CardLostError
        And the old one cannot be had any more either.
    """
    following = _plug_in_if_free(preparation)
    try:
        end = run.fall()
        wait_until(lambda: run.has_fallen(end), math.inf, lambda: is_over() or run.fatal is not None)
        run.halt()
        check_over(is_over, preparation.separation.separator.name)
        following = following or Run(preparation)
        _place(run, following, end)
        following.start()
    except BaseException as error:
        if following is not None:
            following.halt()
            following.rig.recording.abort()
        _go_on(run, error, is_over)
        raise
    return following


def _plug_in_if_free(preparation: Preparation) -> Run | None:
    """It with its files and cards open, beside what plays; None if that has what it needs."""
    try:
        return Run(preparation)
    except CardBusyError:
        return None


def _place(run: Run, following: Run, end: int) -> None:
    """Have the same file go on at the sample at which it ended; another one begins."""
    old, new = run.rig.transport, following.rig.transport
    if old is not None and new is not None and is_same_input(run, following):
        place = place_at(old, end)
        new.begin_at(place.position_s, paused=place.paused, loop_s=place.loop_s, fades_in=False)


def is_same_input(run: Run, following: Run) -> bool:
    """Whether both play the same file, or hear the same card."""
    return run.rig.settings.input.endpoint == following.rig.settings.input.endpoint


def _go_on(run: Run, error: BaseException, is_over: IsOver) -> None:
    """Play on with what was stopped."""
    if is_over() or run.fatal is not None:
        return
    try:
        run.go_on()
    except DeviceError as again:
        raise CardLostError(
            f"{error} And the card that played before does not come back: {again}", time.monotonic()
        ) from again


def raise_mix(following: Run, *, is_begun: bool, is_over: IsOver) -> None:
    """Let a rig be heard that was handed over to.

    In the middle of something not before its stems are there: the mixture would have in it what is muted. A song that
    begins is heard from its first sample on.
    """
    rig = following.rig
    until_s = time.monotonic() + MOST_RISE_S + rig.latency.total_samples / rig.ends.sample_rate_hz
    if is_begun:
        wait_until(lambda: rig.separation.is_ahead_of(rig.desk.position), until_s, is_over)
    following.rise()
