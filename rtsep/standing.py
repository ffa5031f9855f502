"""Where a session stands now, in the words of its settings: mix, cards, and the place in the file."""

from __future__ import annotations

from typing import Any

from rtsep.ends import channels_of
from rtsep.io.cards import Card, Direction, lasting_name
from rtsep.mix import MAIN, Bus, Group, Strip
from rtsep.mixer import Mixer
from rtsep.resume import Place, Standing
from rtsep.rig import Rig
from rtsep.scenes import Scenes
from rtsep.settings import (
    BusSettings,
    DirectSettings,
    Endpoint,
    GroupSettings,
    LiveSettings,
    MixerSettings,
    StripSettings,
)
from rtsep.transport import Transport


def stand(rig: Rig, written: LiveSettings, scenes: Scenes) -> Standing:
    """Where it stands; `written` are its settings as a person has written them."""
    place = place_at(rig.transport, rig.heard) if rig.transport is not None else None
    settings = settings_now(rig, written).recorded_into(rig.recording.folder)
    settings = settings.fading_scenes_in(scenes.fade_s)
    bypass = rig.mixer.mix.bypass
    return Standing(settings=settings, written=written, place=place, bypass=bypass, scene=scenes.current)


def place_at(transport: Transport, position: int) -> Place:
    """Where a tape machine stands when a position of its tape is heard."""
    return Place(position_s=transport.place_s(position), paused=transport.paused, loop_s=transport.loop_s)


def settings_now(rig: Rig, settings: LiveSettings) -> LiveSettings:
    """The settings with the mix as it stands, and with cards by names that last."""
    source, sink = settings.input, settings.output
    key = "card" if source.endpoint.is_file else "source"
    mixer = settings.mixer.model_copy(update=mix_now(rig.mixer, rig.separator.stems, settings.mixer))
    main = _from_one(rig.mixer.buses[MAIN].outputs)
    is_unnamed = sink.channels is None and main == channels_of(rig.ends.outputs, "output")
    names = {
        "input": {key: _name(getattr(source, key), rig.ends.inputs, "input")},
        "output": {
            "sink": _name(sink.sink, rig.ends.outputs, "output"),
            "channels": None if is_unnamed else main,
        },
    }
    return settings.model_copy(update={"mixer": mixer}).with_overrides(names)


def mix_now(mixer: Mixer, stems: tuple[str, ...], settings: MixerSettings) -> dict[str, Any]:
    """What of the mixer's settings a person can move, as it stands; people count channels from 1."""
    strips, buses = mixer.state, mixer.buses
    directs = {name: (found.channels, _strip(strips[name])) for name, found in settings.direct.items()}
    return {
        "gain_db": buses[MAIN].gain_db,
        "stems": {name: StripSettings(**_strip(strips[name])) for name in stems},
        "direct": {
            name: DirectSettings(channels=inputs, **strip) for name, (inputs, strip) in directs.items()
        },
        "buses": {name: BusSettings(**_bus(bus)) for name, bus in buses.items() if name != MAIN},
        "groups": {name: _group(group) for name, group in mixer.mix.groups.items()},
        "crossfade": mixer.mix.crossfade,
        "separation": mixer.mix.separation,
    }


def _strip(strip: Strip) -> dict[str, Any]:
    route = None if strip.route is None else _from_one(strip.route)
    return {**vars(strip), "route": route, "sends": dict(strip.sends)}


def _group(group: Group) -> GroupSettings:
    members = {"all_but" if group.is_all_but else "stems": tuple(sorted(group.stems))}
    return GroupSettings(**members, gain_db=group.gain_db, mute=group.mute, solo=group.solo)


def _bus(bus: Bus) -> dict[str, Any]:
    return {"channels": _from_one(bus.outputs), "gain_db": bus.gain_db}


def _from_one(channels: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(channel + 1 for channel in channels)


def _name(name: str, card: Card | None, direction: Direction) -> str:
    """A name as it was given, but for an index, which may mean another card tomorrow."""
    was_index = card is not None and Endpoint.read(name).name.isdigit()
    return f"device:{lasting_name(card, direction)}" if card is not None and was_index else name
