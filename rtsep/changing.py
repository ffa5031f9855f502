"""Changes while a session runs: the mix at once, the model and its latency through a second chain that fades in.

What a session is connected to (files, cards, their channels, the clock) stays. Faders and buttons stay where a person
has put them, but for those that the new settings name otherwise than the old ones did.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rtsep.errors import UsageError
from rtsep.mixer import Mixer, Strip
from rtsep.rig import Rig, make_mixer
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


def change_mix(mixer: Mixer, before: LiveSettings, after: LiveSettings) -> None:
    """Move what two settings name differently, and nothing else.

    Raises
    ------
    UsageError
        There are other buses, or outputs that were not opened.
    """
    old, new = make_mixer(before), make_mixer(after)
    if new.n_outputs > mixer.n_outputs or set(new.buses) != set(old.buses):
        raise UsageError("buses and outputs that were not opened at the start need a new session")
    mixer.add(new.state)
    for name, strip in new.state.items():
        if strip != old.state.get(name, Strip()):
            mixer.set_strip(name, strip)
    for name in set(old.state) - set(new.state):  # not named any more
        mixer.set_strip(name, Strip())
    for name, bus in new.buses.items():
        if bus != old.buses[name]:
            mixer.set_bus(name, bus)
    mixer.solo_is_exclusive = new.solo_is_exclusive


def change_separation(rig: Rig, settings: LiveSettings, is_over: Callable[[], bool]) -> Separation:
    """Prepare another separation beside the one that plays, and have it fade in.

    Parameters
    ----------
    rig
        The session; its `separation` is the new one afterwards.
    settings
        Its new settings.
    is_over
        Whether there is nothing to wait for any more.

    Returns
    -------
    Separation
        The one before, which is not played any more; for the caller to close.

    Raises
    ------
    RtsepError
        The model is not to be had, or not ready in time. What plays goes on.
    """
    separator = open_separator(settings.model, Way())
    settings.mixer.check_stems(separator.name, separator.stems)
    after = Separation(settings, separator, rig.ends, rig.mixer, rig.desk.input_tape)
    after.start()
    until_s = time.monotonic() + MOST_WAIT_S + after.latency.total_samples / rig.ends.sample_rate_hz
    if not _wait(lambda: after.is_ahead_of(rig.desk.position), until_s, is_over):
        after.close()
        raise UsageError(f"{separator.name} was not ready in time, so nothing was changed")
    rig.recording.end_take()
    rig.desk.fade_to(after.chain)
    _wait(rig.desk.has_switched, float("inf"), is_over)
    before, rig.separation = rig.separation, after
    rig.recording.begin_take(settings, separator.stems)
    return before


def _wait(ready: Callable[[], bool], until_s: float, is_over: Callable[[], bool]) -> bool:
    """Until it is ready, or it is too late; whether it is."""
    while not (is_ready := ready()) and time.monotonic() < until_s and not is_over():
        time.sleep(POLL_S)
    return is_ready
