"""Changes while a session runs: the mix at once, the model and its latency through a second chain that fades in.

What a session is connected to (files, cards, their channels) changes with the whole rig: see `rtsep.handover`. Faders
and buttons stay where a person has put them, but for those that the new settings name otherwise than the old ones did;
so does the recording. All settings here name the channels that they mean (`Ends.with_channels`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import fields, replace
from typing import Any, TypeVar

from rtsep.errors import UsageError
from rtsep.mix import CUE, Bus, Group, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.recording import Recording
from rtsep.rig import Rig, make_mixer
from rtsep.separation import Separation, load_model, tune_model
from rtsep.session_files import check_take
from rtsep.settings import LiveSettings

POLL_S = 0.01
MOST_WAIT_S = 20.0  # beyond the new latency; a chain that is not ready by then never will be

_T = TypeVar("_T", Strip, Bus, Group, Mix)


def needs_rig(mixer: Mixer, before: LiveSettings, after: LiveSettings) -> bool:
    """Whether it is to be connected otherwise, so that mix and separation alone cannot change."""
    is_wider = make_mixer(after).n_outputs > mixer.n_outputs
    return is_wider or _connections(before) != _connections(after)


def _connections(settings: LiveSettings) -> tuple[Any, ...]:
    """All that a rig is made for and keeps."""
    mixer = settings.mixer
    output = settings.output.model_copy(update={"resume": True, "record": None, "record_format": "wav"})
    directs = {name: direct.channels for name, direct in mixer.direct.items()}
    return settings.input, output, mixer.limiter, mixer.ramp_ms, directs, set(mixer.buses)


def moves_takes(before: LiveSettings, after: LiveSettings) -> bool:
    """Whether takes go elsewhere, or are of other files."""
    outputs = before.output, after.output
    first, then = ((output.record, output.record_format) for output in outputs)
    return first != then


def with_own_takes(recording: Recording, before: LiveSettings, after: LiveSettings) -> LiveSettings:
    """The new settings, with takes as a hand has left them where they say what the old ones did."""
    is_same = after.output.record == before.output.record
    return after.recorded_into(recording.folder) if is_same else after


def mixed(mixer: Mixer, before: LiveSettings, after: LiveSettings, n_outputs: int | None = None) -> Mixer:
    """The mix of the new settings, but as a hand has left it where they say what the old ones did.

    Parameters
    ----------
    mixer
        As it stands.
    before, after
        The settings, old and new.
    n_outputs
        Those that are open; None: as many as the new settings name.
    """
    old, new = make_mixer(before), make_mixer(after)
    n_outputs = n_outputs or new.n_outputs
    mix = _mixed(old.mix, new.mix, mixer.mix, n_outputs)
    return Mixer(mix, n_outputs, solo_is_exclusive=new.solo_is_exclusive)


def _mixed(old: Mix, new: Mix, now: Mix, n_outputs: int) -> Mix:
    buses = {
        name: _moved(old.buses.get(name, bus), bus, now.buses.get(name, bus))
        for name, bus in new.buses.items()
    }
    buses = {name: bus if max(bus.outputs) < n_outputs else new.buses[name] for name, bus in buses.items()}
    strips = {}
    for name in {**now.all_strips, **new.all_strips}:
        first, then, there = (one.all_strips.get(name, Strip()) for one in (old, new, now))
        strip = _moved(first, then, there)
        strip = replace(strip, cue=strip.cue and CUE in buses)
        strips[name] = strip if _fits(strip, buses, n_outputs) else then
    directs = {name: strips.pop(name) for name in new.directs}
    groups = {
        name: _moved(old.groups.get(name, group), group, now.groups.get(name, group))
        for name, group in new.groups.items()
    }
    return replace(_moved(old, new, now), strips=strips, directs=directs, groups=groups, buses=buses)


def _moved(old: _T, new: _T, now: _T) -> _T:
    """As it is now, but for what differs between old and new."""
    names = [field.name for field in fields(now)]
    changes = {name: getattr(new, name) for name in names if getattr(new, name) != getattr(old, name)}
    return replace(now, **changes)


def _fits(strip: Strip, buses: dict[str, Bus], n_outputs: int) -> bool:
    """Whether all that it goes to is there."""
    return set(strip.sends) <= set(buses) and max(strip.route or (0,)) < n_outputs


def change_mix(mixer: Mixer, before: LiveSettings, after: LiveSettings) -> None:
    """Move what two settings name differently, and nothing else."""
    mixer.become(lambda now: mixed(now, before, after, now.n_outputs))


def change_separation(
    rig: Rig,
    before: LiveSettings,
    after: LiveSettings,
    is_over: Callable[[], bool],
    alone: AbstractContextManager[object],
) -> int:
    """Prepare another separation beside the one that plays, and have it fade in with its mix.

    Parameters
    ----------
    rig
        The session; its `separation` is the new one afterwards, and the old one is closed.
    before, after
        The settings, old and new.
    is_over
        Whether nothing plays any more, so that there is nothing to wait for.
    alone
        Held while what plays is touched.

    Returns
    -------
    int
        By how many samples the latency has grown.

    Raises
    ------
    RtsepError
        The model is not to be had, or not ready in time, or takes cannot go where they shall. What plays goes on.
    """
    model = tune_model(after, load_model(after))
    check_over(is_over, model.separator.name)
    following = Separation(after, model, rig.ends, rig.mixer, rig.desk.input_tape)
    with ExitStack() as unused:
        unused.callback(following.close)
        if moves_takes(before, after):
            check_take(after, following.separator.stems)
        _get_ahead(rig, following, is_over)
        with alone:
            check_over(is_over, following.separator.name)
            own = with_own_takes(rig.recording, before, after)
            with rig.recording.between_takes(own, following.separator.stems):
                _fade(rig, following, lambda: change_mix(rig.mixer, before, after), is_over)
                unused.pop_all()
                played = rig.replace_separation(following)
    played.close()
    return following.latency.total_samples - played.latency.total_samples


def _get_ahead(rig: Rig, following: Separation, is_over: Callable[[], bool]) -> None:
    """Have it separate until there is enough to play."""
    name = following.separator.name
    following.start()
    until_s = time.monotonic() + MOST_WAIT_S + following.latency.total_samples / rig.ends.sample_rate_hz
    if not wait_until(lambda: following.is_ahead_of(rig.desk.position), until_s, is_over):
        check_over(is_over, name)
        raise UsageError(f"{name} was not ready in time, so nothing was changed")


def _fade(rig: Rig, following: Separation, mix: Callable[[], None], is_over: Callable[[], bool]) -> None:
    mix()
    rig.desk.fade_to(following.chain)
    if not wait_until(rig.desk.has_switched, math.inf, is_over):
        check_over(is_over, following.separator.name)


def wait_until(ready: Callable[[], bool], until_s: float, is_over: Callable[[], bool]) -> bool:
    """Until it is ready, or it is too late; whether it is."""
    while not (is_ready := ready()) and time.monotonic() < until_s and not is_over():
        time.sleep(POLL_S)
    return is_ready


def check_over(is_over: Callable[[], bool], name: str) -> None:
    """Give a change up when there is nothing left to change.

    Raises
    ------
    UsageError
        The session has ended.
    """
    if is_over():
        raise UsageError(f"the session ended before {name} was heard")
