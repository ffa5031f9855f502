"""A session as it was left: what is kept of it while it plays, and where the next one begins."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.cli.console import say
from rtsep.cli.reading import read_settings
from rtsep.control.terminal.bars import clock
from rtsep.errors import ConfigError, UsageError
from rtsep.resume import Session, Standing, into_another_file
from rtsep.settings import Endpoint, LiveSettings, overlay

if TYPE_CHECKING:
    from rtsep.remembered import Remembered


def begun(config: Path | None, options: Mapping[str, Any], *, fresh: bool) -> Session:
    """A session of a settings file, with the mix and the choices as they were left the last time; or of none."""
    asked = read_settings(config, options)
    if config is None:
        return Session.begin(asked, None, options)
    from rtsep.remembered import memory_of

    memory = memory_of(config)
    if fresh:
        memory.forget()
    standing = memory.recall(asked, say)
    if left := ", ".join(choices(standing, asked)):
        say(f"As you left it: {left}. --fresh begins with what is written.")
    return Session.begin(asked, config, options, standing)


def choices(standing: Standing, asked: LiveSettings) -> Iterator[str]:
    """What a session begins with that its file and options do not ask for, in words."""
    from rtsep.remembered import CHOICES

    if standing.settings.mixer != asked.mixer:
        yield "the mix"
    for group, key in CHOICES:
        left = getattr(getattr(standing.written, group), key)
        if left != getattr(getattr(asked, group), key):
            yield f"{group} {left}" if key != "latency" else f"latency {left}"
    if (fade_s := standing.settings.control.scene_fade_s) != asked.control.scene_fade_s:
        yield f"scenes in {fade_s:g} s"


def last_session(options: Mapping[str, Any]) -> Session:
    """The last session of all, from where it stood, with other options over those that it had.

    Raises
    ------
    UsageError
        There is none, or it cannot go on.
    """
    from rtsep.remembered import last_memory

    memory = last_memory()
    if not memory.path.exists():
        raise UsageError(
            "--resume: no session was played yet that could go on. Begin one: `rtsep live song.mp3`"
        )
    try:
        known = memory.read()
        options = from_here(options)
        os.chdir(known.folder)  # its paths count from there
        options = overlay(known.options, options)
        asked = read_settings(known.config, options)
    except (ConfigError, OSError) as error:
        raise UsageError(
            f"--resume: the last session cannot go on: {error} Begin another: `rtsep live song.mp3`"
        ) from None
    standing = _where_it_stood(known, asked)
    say(where_it_goes_on(standing))
    return Session.begin(asked, known.config, options, standing)


def from_here(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same options, as another folder must be told of them: with whole paths."""

    def end(text: str) -> str:
        endpoint = Endpoint.read(text)
        return f"file:{endpoint.path.absolute()}" if endpoint.is_file else text

    def found(text: str) -> str:
        return str(Path(text).absolute()) if Path(text).exists() else text

    def whole(text: str) -> str:
        return str(Path(text).absolute())

    tree = {group: dict(values) for group, values in options.items()}
    readings = {
        ("input", "source"): end,
        ("output", "sink"): end,
        ("output", "record"): whole,
        ("model", "name"): found,
        ("control", "stats_json"): whole,
    }
    for (group, key), read in readings.items():
        if key in tree.get(group, {}):
            tree[group][key] = read(tree[group][key])
    if (midi := tree.get("control", {}).get("midi")) is not None:
        tree["control"]["midi"] = {**midi, "use": [found(text) for text in midi["use"]]}
    return tree


def _where_it_stood(known: Remembered, asked: LiveSettings) -> Standing:
    standing = known.over(asked)
    source, sink = standing.written.input.endpoint, standing.written.output.endpoint
    if source.is_file and not source.path.is_file():
        raise UsageError(
            f"--resume: the last session played {source.name!r}, which is not there any more. Put it back, or begin "
            f"another: `rtsep live song.mp3`"
        )
    if standing.written.input.source == known.standing.written.input.source:
        standing = standing.model_copy(update={"place": known.standing.place})
    is_written = sink.is_file and os.path.lexists(sink.path)
    return into_another_file(standing, {str(sink.path)} if is_written else set())


def where_it_goes_on(standing: Standing) -> str:
    """In words."""
    settings, place = standing.settings, standing.place
    source = settings.input.endpoint
    name = source.path.name if source.is_file else settings.input.source
    at = f" at {clock(place.position_s)}" if place is not None else ""
    still = ", where it stands still" if place is not None and place.paused else ""
    into = f" The mix goes into {settings.output.endpoint.name}." if settings.output.endpoint.is_file else ""
    return f"The last session goes on: {name}{at}{still}.{into}"


class Notebook:
    """Notes where a session stands, for the next one.

    Parameters
    ----------
    session
        How it began.
    """

    def __init__(self, session: Session) -> None:
        from rtsep.remembered import last_memory, memory_of

        self._session, self._asked, self._folder = session, session.asked, Path.cwd()
        self._read = session.asked
        self._last = last_memory()
        self._own = memory_of(session.config) if session.config is not None else None

    def read(self) -> LiveSettings:
        """The settings as file and options have them now."""
        self._read = read_settings(self._session.config, self._session.options)
        return self._read

    def accept(self) -> None:
        """It plays by what was read last: what hands choose from now on is compared with that."""
        self._asked = self._read

    def note(self, standing: Standing) -> None:
        """Keep where it stands.

        Raises
        ------
        OSError
            That cannot be written.
        """
        from rtsep.remembered import Remembered

        session = self._session
        now = Remembered(
            asked=self._asked,
            standing=standing,
            folder=self._folder,
            config=session.config,
            options=session.options,
        )
        self._last.keep(now)
        if self._own is not None:  # which begins a song anew
            still = standing.model_copy(update={"place": None, "bypass": False})
            self._own.keep(now.model_copy(update={"standing": still}))
