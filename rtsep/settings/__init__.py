"""The settings of a live session, in the order in which sound meets them.

A YAML file is read into a `LiveSettings`; the command line's options are merged over it by
`LiveSettings.with_overrides`, so that both are checked by the same rules and refused in the same words.
People write dB and count channels from 1; nothing else in rtsep does.

- `values`: what is written everywhere: dB, channels, a file or a device
- `ends`: the input and the output
- `model`: what takes the mixture apart
- `mixer`: stems, direct inputs, buses and groups
- `control`: the surfaces
- `live`: all of it
- `layers`: what the command line lays over it
"""

from __future__ import annotations

from rtsep.settings.control import (
    ControlSettings,
    MidiSettings,
    NetPlace,
    OscSettings,
    WebSettings,
    read_place,
)
from rtsep.settings.ends import Clock, InputSettings, OutputSettings, RecordFormat
from rtsep.settings.layers import PRESETS, overlay, stem_overrides
from rtsep.settings.live import LiveSettings
from rtsep.settings.mixer import (
    GROUPS,
    BusSettings,
    DirectSettings,
    GroupSettings,
    LimiterSettings,
    MixerSettings,
    StripSettings,
)
from rtsep.settings.model import REACHES, Auto, ModelSettings, Reach, UpdateHops
from rtsep.settings.values import (
    AUDIO_SUFFIXES,
    DESKTOP,
    FIRST_CHANNELS,
    Channel,
    Channels,
    Endpoint,
    GainDb,
    InputChannels,
    Source,
)

__all__ = [
    "AUDIO_SUFFIXES",
    "DESKTOP",
    "FIRST_CHANNELS",
    "GROUPS",
    "PRESETS",
    "REACHES",
    "Auto",
    "BusSettings",
    "Channel",
    "Channels",
    "Clock",
    "ControlSettings",
    "DirectSettings",
    "Endpoint",
    "GainDb",
    "GroupSettings",
    "InputChannels",
    "InputSettings",
    "LimiterSettings",
    "LiveSettings",
    "MidiSettings",
    "MixerSettings",
    "ModelSettings",
    "NetPlace",
    "OscSettings",
    "OutputSettings",
    "Reach",
    "RecordFormat",
    "Source",
    "StripSettings",
    "UpdateHops",
    "WebSettings",
    "overlay",
    "read_place",
    "stem_overrides",
]
