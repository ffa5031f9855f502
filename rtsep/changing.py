"""Changes while a session runs: the mix at once, the model and its latency through a second chain that fades in.

What a session is connected to (files, cards, their channels, the clock) stays. Faders and buttons stay where a person
has put them, but for those that the new settings name otherwise than the old ones did.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack

from rtsep.errors import UsageError
from rtsep.mix import Strip
from rtsep.mixer import Mixer
from rtsep.rig import Rig, make_mix, make_mixer
from rtsep.separation import Separation
from rtsep.settings import LiveSettings
from rtsep.tuning import Way, open_separator

POLL_S = 0.01
MOST_WAIT_S = 20.0  # beyond the new latency; a chain that is not ready by then never will be


def check_change(before: LiveSettings, after: LiveSettings) -> None:
    """Refuse what needs another session.

    Raises
    ------
    UsageError
        Naming the settings that may not change while it runs.
    """
    groups = {
        "input": (before.input, after.input),
        "output": (before.output, after.output),
        "mixer.direct": (before.mixer.direct, after.mixer.direct),
        "mixer.limiter": (before.mixer.limiter, after.mixer.limiter),
        "mixer.ramp_ms": (before.mixer.ramp_ms, after.mixer.ramp_ms),
    }
    fixed = [name for name, (old, new) in groups.items() if old != new]
    if fixed:
        raise UsageError(
            f"{', '.join(fixed)} cannot change while it plays; end the session and start it anew"
        )


def check_mix(mixer: Mixer, before: LiveSettings, after: LiveSettings) -> None:
    """Refuse a mix that needs another session.

    Raises
    ------
    UsageError
        There are other buses, or outputs that were not opened.
    """
    old, new = make_mixer(before), make_mixer(after)
    if new.n_outputs > mixer.n_outputs or set(new.buses) != set(old.buses):
        raise UsageError("buses and outputs that were not opened at the start need a new session")
    if set(new.mix.groups) != set(old.mix.groups):
        raise UsageError("groups that were not there at the start need a new session")


def change_mix(mixer: Mixer, before: LiveSettings, after: LiveSettings) -> None:
    """Move what two settings name differently, and nothing else."""
    old, new = make_mix(before), make_mix(after)
    mixer.add(new.strips)
    for part, untouched in (("strips", Strip()), ("directs", Strip()), ("groups", None), ("buses", None)):
        found, wanted = getattr(old, part), getattr(new, part)
        for name in {**found, **wanted}:
            if (there := wanted.get(name, untouched)) != found.get(name, untouched):
                mixer.edit(part, name, **vars(there))
    of_mix = ("sides", "crossfade", "separation")
    mixer.turn(**{name: getattr(new, name) for name in of_mix if getattr(new, name) != getattr(old, name)})
    mixer.solo_is_exclusive = after.mixer.solo == "exclusive"


def change_separation(
    rig: Rig, before: LiveSettings, after: LiveSettings, is_over: Callable[[], bool]
) -> None:
    """Prepare another separation beside the one that plays, and have it fade in with its mix.

    Parameters
    ----------
    rig
        The session; its `separation` is the new one afterwards, and the old one is closed.
    before, after
        The settings, old and new.
    is_over
        Whether nothing plays any more, so that there is nothing to wait for.

    Raises
    ------
    RtsepError
        The model is not to be had, or not ready in time. What plays goes on.
    """
    separator = open_separator(after.model, Way())
    after.mixer.check_stems(separator.name, separator.stems)
    following = Separation(after, separator, rig.ends, rig.mixer, rig.desk.input_tape)
    with ExitStack() as unused:
        unused.callback(following.close)
        following.start()
        until_s = time.monotonic() + MOST_WAIT_S + following.latency.total_samples / rig.ends.sample_rate_hz
        if not _wait(lambda: following.is_ahead_of(rig.desk.position), until_s, is_over):
            raise UsageError(f"{separator.name} was not ready in time, so nothing was changed")
        rig.recording.end_take()
        change_mix(rig.mixer, before, after)
        rig.desk.fade_to(following.chain)
        if not _wait(rig.desk.has_switched, math.inf, is_over):
            raise UsageError(f"the session ended before {separator.name} was heard")
        unused.pop_all()
    played = rig.replace_separation(following)
    rig.recording.next_take(after, separator.stems)
    played.close()


def _wait(ready: Callable[[], bool], until_s: float, is_over: Callable[[], bool]) -> bool:
    """Until it is ready, or it is too late; whether it is."""
    while not (is_ready := ready()) and time.monotonic() < until_s and not is_over():
        time.sleep(POLL_S)
    return is_ready
