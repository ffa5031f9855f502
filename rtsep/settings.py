"""The settings of a live session, in the order in which sound meets them.

A YAML file is read into a `LiveSettings`; the command line's options are merged over it by
`LiveSettings.with_overrides`, so that both are checked by the same rules and refused in the same words.
People write dB and count channels from 1; nothing else in rtsep does.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rtsep.config import Strict, parse
from rtsep.errors import UsageError
from rtsep.stream import AsOnCard, Device, Extension, Mask, Precision

#: Names that can be part of an address, as OSC has it.
_NAME = re.compile(r"[\w.+-]{1,32}")

#: Endings by which a path that does not exist yet is known to be a file and not a device.
AUDIO_SUFFIXES = frozenset(
    {".aac", ".aif", ".aiff", ".caf", ".flac", ".m4a", ".m4v", ".mkv", ".mov", ".mp3", ".mp4"}
    | {".oga", ".ogg", ".opus", ".w64", ".wav", ".webm", ".wma"}
)


def _check_gain_db(value: float) -> float:
    if math.isnan(value):
        raise ValueError("a gain must be a number of dB, or -inf for silence")
    return value


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number of dB; to silence a stem write `mute: true`")
    return value


def _index_to_text(value: object) -> object:
    return str(value) if type(value) is int else value


def _check_distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError("a channel must not be named twice")
    return value


GainDb = Annotated[float, BeforeValidator(_refuse_bool), AfterValidator(_check_gain_db), Field(le=24.0)]
Channel = Annotated[int, Field(ge=1, le=256)]
#: One or two channels of a card, counted from 1.
Channels = Annotated[tuple[Channel, ...], Field(min_length=1, max_length=2), AfterValidator(_check_distinct)]

#: Channels of a card's input, counted from 1; of more than two the odd ones go left, the even right.
InputChannels = Annotated[
    tuple[Channel, ...], Field(min_length=1, max_length=32), AfterValidator(_check_distinct)
]

#: A file or a device; a device's bare index is taken for its name.
Source = Annotated[str, BeforeValidator(_index_to_text), Field(min_length=1)]

UpdateHops = Annotated[int, Field(ge=1, le=64)]
Auto = Literal["auto"]
Clock = Literal["device", "real", "free"]
RecordFormat = Literal["wav", "flac"]


#: The input that is whatever other applications play.
DESKTOP = "desktop"


@dataclass(frozen=True)
class Endpoint:
    """Where sound comes from or goes to: a file's path, the name or index of a device, or the desktop."""

    kind: Literal["file", "device", "desktop"]
    name: str

    @property
    def is_file(self) -> bool:
        """Whether this is a file."""
        return self.kind == "file"

    @property
    def is_desktop(self) -> bool:
        """Whether this is what other applications play."""
        return self.kind == "desktop"

    @property
    def path(self) -> Path:
        """The name as a path."""
        return Path(self.name)

    @classmethod
    def read(cls, text: str) -> Endpoint:
        """Tell a file, a device and the desktop apart.

        ``file:`` and ``device:`` decide; ``desktop`` is the desktop; an existing path and a name with the ending
        of an audio file are files; everything else is a device.
        """
        kind, colon, name = text.partition(":")
        if colon and kind in ("file", "device"):
            return cls("file" if kind == "file" else "device", name)
        if text == DESKTOP:
            return cls("desktop", text)
        path = Path(text)
        is_file = path.is_file() or path.suffix.lower() in AUDIO_SUFFIXES
        return cls("file" if is_file else "device", text)


class InputSettings(Strict):
    """What is taken apart.

    `source` is a file, a device or ``desktop`` (see `Endpoint.read`); of a card, one channel is doubled, and of more
    than two the mean of the first, third, ... is left, that of the others right. Without `sample_rate_hz` the session
    runs at the file's rate, else at the model's, where the card can. If the source is a file, `card` has the direct
    inputs. `own_clock` says whether the card's clock is another one than the output's (none: if it is another device).
    """

    source: Source = "default"
    channels: InputChannels = (1, 2)
    card: Source = "default"
    own_clock: bool | None = None
    sample_rate_hz: int | None = Field(default=None, ge=8000, le=384000)

    @property
    def endpoint(self) -> Endpoint:
        """The source, told apart into file and device."""
        return Endpoint.read(self.source)


class Reach(NamedTuple):
    """What latency is spent on besides the work itself."""

    synthesis_hops: int
    lookahead_frames: int


#: By measurement (README): a short synthesis window costs 0.1 dB, the first two frames of lookahead are worth 0.5 dB,
#: and what is left of both to be had takes eight.
REACHES = {"quality": Reach(4, 8), "balanced": Reach(2, 2), "low": Reach(2, 0)}


class ModelSettings(Strict):
    """What takes it apart, and how often.

    `name` is an installed model or a folder; without it the default model runs. `context_frames` are the
    frames that the network sees (none: all there ever were), `update_hops` the hops from one run of it to the next,
    `precision` that of the networks (``tf32`` and ``float16`` on a GPU only). ``card`` means: as the model's card says;
    ``auto``: as `rtsep.tuning` measures. `latency` chooses a `Reach` by name or by milliseconds from input to output
    (auto: quality for a file, else balanced); `lookahead_frames`, the future frames that the network waits for, and
    `synthesis_hops`, the length of the synthesis window, go before it.
    """

    name: str | None = Field(default=None, min_length=1)
    device: Device = "auto"
    mask: Mask | AsOnCard = "card"
    extension: Extension | AsOnCard = "top_band"
    context_frames: int | None = Field(default=None, ge=64, le=4096)
    update_hops: UpdateHops | Auto = "auto"
    precision: Precision | Auto = "auto"
    latency: Annotated[float, Field(gt=0, le=20000)] | Literal["quality", "balanced", "low"] | Auto = "auto"
    lookahead_frames: int | None = Field(default=None, ge=0, le=256)
    synthesis_hops: int | None = Field(default=None, ge=2, le=4)

    def reach(self, fallback: Reach) -> Reach:
        """What is named, else the preset's, else what the caller found for ``auto`` and for milliseconds."""
        preset = REACHES.get(str(self.latency), fallback)
        return Reach(
            preset.synthesis_hops if self.synthesis_hops is None else self.synthesis_hops,
            preset.lookahead_frames if self.lookahead_frames is None else self.lookahead_frames,
        )


class StripSettings(Strict):
    """Where the fader, buttons and cables of a stem stand.

    `pan` goes from -1 (left) to 1 (right); `invert` is the opposite polarity. `route` names card outputs; one output
    takes the mean of left and right. Without it the stem goes to the main bus, with it not there. `sends` are other
    buses that get it as well, after the fader, at a gain; `cue` sends it to the bus of that name, before the fader.
    """

    gain_db: GainDb = 0.0
    mute: bool = False
    solo: bool = False
    pan: float = Field(default=0.0, ge=-1.0, le=1.0)
    invert: bool = False
    cue: bool = False
    route: Channels | None = None
    sends: dict[str, GainDb] = Field(default_factory=dict)


class DirectSettings(StripSettings):
    """A direct input: one or two `channels` of the card, neither separated nor delayed."""

    channels: Channels


class BusSettings(Strict):
    """One or two card outputs, and what all that goes there is turned up or down by."""

    channels: Channels
    gain_db: GainDb = 0.0


class GroupSettings(Strict):
    """Stems that move together: those called `stems`, or all but some (`all_but`); with a fader and buttons."""

    stems: tuple[str, ...] = ()
    all_but: tuple[str, ...] = ()
    gain_db: GainDb = 0.0
    mute: bool = False
    solo: bool = False

    @model_validator(mode="after")
    def _check_members(self) -> GroupSettings:
        if bool(self.stems) == bool(self.all_but):
            raise ValueError("a group has either `stems: [...]` or `all_but: [...]`")
        return self


class LimiterSettings(Strict):
    """Keeps the main bus below `ceiling_dbfs`.

    With `lookahead_ms` it turns down before a peak and not at it, which is smoother and delays all outputs by that.
    """

    ceiling_dbfs: float = Field(default=0.0, ge=-40.0, le=0.0)
    lookahead_ms: float = Field(default=0.0, ge=0.0, le=10.0)
    release_ms: float = Field(default=100.0, ge=1.0, le=5000.0)


#: Groups that are always there, unless they are defined otherwise.
GROUPS = {
    "vocals": GroupSettings(stems=("vocals",)),
    "instrumental": GroupSettings(all_but=("vocals",)),
}


class MixerSettings(Strict):
    """The mix as it stands when the session starts.

    `gain_db` is the master, `ramp_ms` the time that a change of gain takes, `solo` whether one ends the others
    (exclusive), `limiter` that of the main bus (null: none). `buses` are further pairs of outputs; the one called
    ``cue`` is for listening beforehand. `direct` are inputs that go to the outputs as they are. `groups` of stems have
    a fader of their own; `crossfade` goes from -1 (the first of the `crossfade_groups` alone) to 1 (the second alone),
    `separation` from 0 (the mixture as it is) to 1 (the mix).
    """

    gain_db: GainDb = 0.0
    solo: Literal["in_place", "exclusive"] = "in_place"
    stems: dict[str, StripSettings] = Field(default_factory=dict)
    direct: dict[str, DirectSettings] = Field(default_factory=dict)
    buses: dict[str, BusSettings] = Field(default_factory=dict)
    limiter: LimiterSettings | None = LimiterSettings()
    groups: dict[str, GroupSettings] = Field(default_factory=dict)
    crossfade_groups: tuple[str, str] = ("vocals", "instrumental")
    crossfade: float = Field(default=0.0, ge=-1.0, le=1.0)
    separation: float = Field(default=1.0, ge=0.0, le=1.0)
    ramp_ms: float = Field(default=10.0, ge=1.0, le=1000.0)

    @model_validator(mode="after")
    def _check_buses(self) -> MixerSettings:
        if "main" in self.buses:
            raise ValueError("the bus 'main' is there already: output.channels and mixer.gain_db are its own")
        for name, strip in {**self.stems, **self.direct}.items():
            for bus in strip.sends:
                if bus not in self.buses:
                    more = " (it goes to main unless it has a route)" if bus == "main" else ""
                    raise ValueError(
                        f"{name} is sent to the bus {bus!r}{more}; buses are {', '.join(self.buses) or 'none'}"
                    )
            if strip.cue and "cue" not in self.buses:
                raise ValueError(f"{name} has cue: true, but there is no bus called cue")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> MixerSettings:
        for kind in ("direct", "buses", "groups"):
            for name in getattr(self, kind):
                if not _NAME.fullmatch(name):
                    raise ValueError(
                        f"{kind}: {name!r} cannot be a name: letters, digits, hyphens and dots can"
                    )
        return self

    @model_validator(mode="after")
    def _check_groups(self) -> MixerSettings:
        for name in self.crossfade_groups:
            if name not in self.all_groups:
                raise ValueError(
                    f"crossfade_groups: no group is called {name!r}; {', '.join(self.all_groups)} are"
                )
        return self

    @property
    def all_groups(self) -> dict[str, GroupSettings]:
        """The groups, with those that are always there."""
        return {**GROUPS, **self.groups}

    def check_stems(self, model_name: str, stems: Sequence[str]) -> None:
        """Refuse a stem that the model does not make.

        Raises
        ------
        UsageError
            A stem of the settings is none of `stems`, or a direct input is called as one of them.
        """
        for name in self.direct:
            if name in stems:
                raise UsageError(
                    f"the direct input {name!r} is called as a stem of {model_name}; choose another name"
                )
        for name in self.stems:
            if name not in stems:
                near = difflib.get_close_matches(name, stems, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else "Choose another model with -m."
                raise UsageError(
                    f"the model {model_name} makes no stem {name!r}; it makes {', '.join(stems)}. {hint}"
                )


class OutputSettings(Strict):
    """Where the mix goes, and what drives the session.

    `channels` are the card outputs of the main bus. `record` is a folder for every stem, the mixture and
    the main bus, as files of `record_format`. The `clock` is the card's (device), the wall's (real) or none
    (free: as fast as the engine can); without one it is the card's where there is a card. `block_samples` is
    the card's turn (0: the card decides), `max_block_samples` the largest turn that the latency allows for,
    `compute_ms` the time that it allows for an update (none: what the model needs). With `resume` a
    session whose card is lost waits for it and goes on.
    """

    sink: Source = "default"
    channels: Channels = (1, 2)
    record: Path | None = None
    record_format: RecordFormat = "wav"
    clock: Clock | None = None
    block_samples: int = Field(default=0, ge=0, le=65536)
    max_block_samples: int = Field(default=1024, ge=16, le=65536)
    compute_ms: float | None = Field(default=None, ge=0.0, le=5000.0)
    resume: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """The sink, told apart into file and device."""
        return Endpoint.read(self.sink)


def _check_place(text: str) -> str:
    read_place(text)
    return text


def read_place(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; an IPv6 address stands in brackets.

    Raises
    ------
    ValueError
        It is none.
    """
    host, _, port = text.rpartition(":")
    if not host.strip("[]") or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no HOST:PORT, such as 192.168.1.20:9000")
    return host.strip("[]"), int(port)


#: ``HOST:PORT``.
NetPlace = Annotated[str, AfterValidator(_check_place)]


class OscSettings(Strict):
    """Where OSC is listened for, over UDP; and `clients` that are told of every change without asking for it.

    Whoever reaches the port moves the mix: OSC knows no password.
    """

    listen: NetPlace = "127.0.0.1:9000"
    clients: tuple[NetPlace, ...] = ()


class WebSettings(Strict):
    """Where the web mixer listens. Pages of other machines need a token, which the start shows."""

    listen: NetPlace = "127.0.0.1:8737"


class MidiSettings(Strict):
    """MIDI controllers: each a map (a name, or a file), a port (a part of its name, or a regular expression), or
    ``auto``: all that a map is made for. `virtual` is a port of that name for other programs to connect to.
    """

    use: tuple[str, ...] = ("auto",)
    virtual: str | None = Field(default=None, min_length=1)


class ControlSettings(Strict):
    """Who may turn the knobs, and where the account of the session is left.

    `web` is the mixer in a browser (none: there is none).
    `scenes` is the file of the scenes (none: that of this user), `scene_fade_s` the time that the way to one takes.
    """

    keys: bool = True
    web: WebSettings | None = None
    scenes: Path | None = None
    scene_fade_s: float = Field(default=0.0, ge=0.0, le=60.0)
    osc: OscSettings | None = None
    midi: MidiSettings | None = None
    stats_json: Path | None = None


class LiveSettings(Strict):
    """A whole live session.

    Examples
    --------
    >>> settings = LiveSettings().with_overrides({"mixer": {"stems": {"vocals": {"gain_db": -12}}}})
    >>> settings.mixer.stems["vocals"].gain_db
    -12.0
    """

    input: InputSettings = InputSettings()
    model: ModelSettings = ModelSettings()
    mixer: MixerSettings = MixerSettings()
    output: OutputSettings = OutputSettings()
    control: ControlSettings = ControlSettings()

    @property
    def cards(self) -> dict[Literal["input", "output"], str]:
        """The cards that it needs if a card gives the time, as they are called; those of a desktop have no names."""
        source, sink = self.input.endpoint, self.output.endpoint
        if source.is_desktop:
            return {}
        wanted: dict[Literal["input", "output"], str] = {}
        if self.mixer.direct or not source.is_file:
            wanted["input"] = self.input.card if source.is_file else source.name
        if not sink.is_file:
            wanted["output"] = sink.name
        return wanted

    def recorded_into(self, folder: Path | None) -> LiveSettings:
        """The same settings, with takes in a folder or none."""
        return self.model_copy(update={"output": self.output.model_copy(update={"record": folder})})

    def fading_scenes_in(self, fade_s: float) -> LiveSettings:
        """The same settings, with another time for the way to a scene."""
        return self.model_copy(update={"control": self.control.model_copy(update={"scene_fade_s": fade_s})})

    def with_overrides(self, overrides: Mapping[str, Any], where: str = "command line") -> LiveSettings:
        """The same settings with a tree of plain values laid over them.

        Parameters
        ----------
        overrides
            Nested mappings with the keys of the YAML file.
        where
            Their origin, for errors.

        Raises
        ------
        ConfigError
            A key is unknown or a value out of range.
        """
        return parse(overlay(self.model_dump(exclude_unset=True), overrides), LiveSettings, where)


def overlay(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`under` with the values of `over` in their place, mapping by mapping."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = overlay(below, value)
        else:
            merged[key] = value
    return merged


#: A preset is a stem and what becomes of it.
PRESETS: dict[str, dict[str, dict[str, bool]]] = {
    "karaoke": {"vocals": {"mute": True}},
    "acapella": {"vocals": {"solo": True}},
    "drumless": {"drums": {"mute": True}},
}


def stem_overrides(
    *,
    preset: str | None = None,
    gains_db: Mapping[str, float] | None = None,
    mutes: Iterable[str] = (),
    solos: Iterable[str] = (),
    routes: Mapping[str, tuple[int, ...]] | None = None,
) -> dict[str, Any]:
    """The tree for `LiveSettings.with_overrides` that changes stems and nothing else."""
    stems: dict[str, Any] = {}
    parts: list[Mapping[str, Mapping[str, Any]]] = [
        PRESETS[preset] if preset else {},
        {name: {"gain_db": gain_db} for name, gain_db in (gains_db or {}).items()},
        {name: {"mute": True} for name in mutes},
        {name: {"solo": True} for name in solos},
        {name: {"route": route} for name, route in (routes or {}).items()},
    ]
    for part in parts:
        stems = overlay(stems, part)
    return {"mixer": {"stems": stems}} if stems else {}
