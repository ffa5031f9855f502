"""The settings of the mixer: where all faders, buttons and cables stand when a session starts."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from rtsep.config import Strict
from rtsep.errors import UsageError
from rtsep.settings.values import NAME, Channels, GainDb


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
                if not NAME.fullmatch(name):
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
