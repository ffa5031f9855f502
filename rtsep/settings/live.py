"""All settings of a live session, in the order in which sound meets them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rtsep.config import Strict, parse
from rtsep.settings.control import ControlSettings
from rtsep.settings.ends import InputSettings, OutputSettings
from rtsep.settings.layers import overlay
from rtsep.settings.mixer import MixerSettings
from rtsep.settings.model import ModelSettings


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

    def on_channels(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> LiveSettings:
        """The same settings, with these channels of the cards where they name none."""
        taken, played = self.input.channels or inputs, self.output.channels or outputs
        input_ = self.input.model_copy(update={"channels": taken})
        return self.model_copy(
            update={"input": input_, "output": self.output.model_copy(update={"channels": played})}
        )

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
