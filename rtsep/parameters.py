"""All that a performer can move, declared once: every surface, and its help, is read off this table.

Addresses are paths, as OSC has them. A name in braces stands for each stem, bus, group or direct input that there is.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rtsep.errors import UsageError
from rtsep.scales import Gain, Names, Range, Route, Scale, Switch, Text, Value

MOST_FADE_S = 60.0
MOST_LENGTH_S = 100 * 3600.0

#: What a recalled scene does with what it does not name: to its default; left alone; a scene never has it.
InScenes = Literal["reset", "left", "never"]

#: ``held``: it keeps its value. ``momentary``: setting it does something, once. ``told``: only the session sets it.
Kind = Literal["held", "momentary", "told"]


@dataclass(frozen=True)
class Parameter:
    """One thing that can be moved.

    Attributes
    ----------
    address
        Its name everywhere, such as ``/stem/vocals/gain_db``; in the table with braces.
    scale
        Its values.
    default
        Where it stands when nobody has touched it; of a momentary one, what a button sends.
    what
        What it does, for help and screen readers.
    kind, in_scenes
        See there.
    needs
        What a session must have for it to be there, where that can be left out.
    """

    address: str
    scale: Scale
    default: Value
    what: str
    kind: Kind = "held"
    in_scenes: InScenes = "never"
    needs: str = ""


FADER, BALANCE, SWITCH = Gain(), Range(-1.0, 1.0), Switch()
CUE_BUS = "a bus called cue, as `mixer: {buses: {cue: {channels: [3, 4]}}}` in the settings makes one"

TABLE: tuple[Parameter, ...] = (
    Parameter("/stem/{stem}/gain_db", FADER, 0.0, "the fader of a stem", in_scenes="reset"),
    Parameter("/stem/{stem}/mute", SWITCH, False, "silences a stem", in_scenes="reset"),
    Parameter("/stem/{stem}/solo", SWITCH, False, "silences all stems without solo", in_scenes="reset"),
    Parameter("/stem/{stem}/pan", BALANCE, 0.0, "balance: -1 left, 1 right", in_scenes="reset"),
    Parameter("/stem/{stem}/invert", SWITCH, False, "opposite polarity", in_scenes="reset"),
    Parameter(
        "/stem/{stem}/cue", SWITCH, False, "listens to a stem on the bus cue, before its fader", needs=CUE_BUS
    ),
    Parameter("/stem/{stem}/route", Route(), "main", "outputs of a stem: main, or its own", in_scenes="left"),
    Parameter("/stem/{stem}/send/{bus}", FADER, -math.inf, "sends a stem to a bus too", in_scenes="reset"),
    Parameter("/direct/{direct}/gain_db", FADER, 0.0, "the fader of a direct input", in_scenes="left"),
    Parameter("/direct/{direct}/mute", SWITCH, False, "silences a direct input", in_scenes="left"),
    Parameter("/direct/{direct}/pan", BALANCE, 0.0, "balance: -1 left, 1 right", in_scenes="left"),
    Parameter("/direct/{direct}/invert", SWITCH, False, "opposite polarity", in_scenes="left"),
    Parameter(
        "/direct/{direct}/cue", SWITCH, False, "listens to it on the bus cue, before its fader", needs=CUE_BUS
    ),
    Parameter("/direct/{direct}/send/{bus}", FADER, -math.inf, "sends it to a bus too", in_scenes="left"),
    Parameter("/group/{group}/gain_db", FADER, 0.0, "moves the faders of all its stems", in_scenes="reset"),
    Parameter("/group/{group}/mute", SWITCH, False, "silences all its stems", in_scenes="reset"),
    Parameter("/group/{group}/solo", SWITCH, False, "silences all stems but its own", in_scenes="reset"),
    Parameter("/bus/{bus}/gain_db", FADER, 0.0, "the fader of a bus; of main, the master", in_scenes="left"),
    Parameter(
        "/crossfade",
        BALANCE,
        0.0,
        "from one group (-1: vocals) to another (1: instrumental)",
        in_scenes="reset",
    ),
    Parameter(
        "/separation", Range(0.0, 1.0), 1.0, "from the mixture as it is (0) to the mix (1)", in_scenes="reset"
    ),
    Parameter("/bypass", SWITCH, False, "plays the mixture as it is"),
    Parameter("/scene/recall", Text(), "", "goes to a scene, in the time of /scene/fade_s", "momentary"),
    Parameter("/scene/save", Text(), "", "keeps the mix as a scene", "momentary"),
    Parameter("/scene/delete", Text(), "", "forgets a scene", "momentary"),
    Parameter(
        "/scene/undo", SWITCH, True, "goes back to before the last scene; once more, to it", "momentary"
    ),
    Parameter("/scene/fade_s", Range(0.0, MOST_FADE_S, "s"), 0.0, "how long the way to a scene takes"),
    Parameter("/scene/current", Text(), "", "the scene that was recalled last", "told"),
    Parameter("/scene/names", Names(), (), "all scenes", "told"),
    Parameter("/transport/play", SWITCH, True, "plays, or stands still"),
    Parameter(
        "/transport/position_s",
        Range(0.0, MOST_LENGTH_S, "s"),
        0.0,
        "goes to a place in the file, up to its end, where it stands still",
        "momentary",
    ),
    Parameter(
        "/transport/seek_s",
        Range(-MOST_LENGTH_S, MOST_LENGTH_S, "s"),
        5.0,
        "jumps by so much, at most to the end, where it stands still",
        "momentary",
    ),
    Parameter("/transport/loop_start", SWITCH, True, "a loop begins here", "momentary"),
    Parameter("/transport/loop_end", SWITCH, True, "the loop ends here and is played", "momentary"),
    Parameter("/transport/loop_off", SWITCH, True, "ends the loop", "momentary"),
    Parameter(
        "/transport/loop_start_s",
        Range(0.0, MOST_LENGTH_S, "s"),
        0.0,
        "where the loop begins, or will",
        "told",
    ),
    Parameter(
        "/transport/loop_end_s",
        Range(0.0, MOST_LENGTH_S, "s"),
        0.0,
        "where the loop ends; 0: there is none",
        "told",
    ),
    Parameter("/record", SWITCH, False, "records the mixture, the stems and the mix"),
    Parameter("/input/source", Text(longest=1024), "default", "what is taken apart: a file, a card, desktop"),
    Parameter("/model/name", Text(longest=1024), "", "the model that takes it apart"),
    Parameter(
        "/model/latency",
        Text(("low", "balanced", "quality", "auto")),
        "auto",
        "what latency is spent on; a change is heard after some seconds",
    ),
    Parameter(
        "/midi/learn",
        Text(longest=256),
        "off",
        "the next control that is touched moves this ADDRESS, or sets ADDRESS=VALUE; off: none does",
        "momentary",
    ),
    Parameter("/midi/learned", Text(longest=4096), "", "what MIDI waits for, and what it has learnt", "told"),
    Parameter("/message", Text(longest=4096), "", "what a person should know", "told"),
)

#: Row of the table by its address.
ROWS = {row.address: row for row in TABLE}

_NAME = re.compile(r"\{(\w+)\}")
_PATTERNS = [(row, re.compile(_NAME.sub("[^/]+", row.address))) for row in TABLE]


def expand(names: Mapping[str, Sequence[str]]) -> Iterator[tuple[Parameter, dict[str, str]]]:
    """The table with names in place of braces.

    Parameters
    ----------
    names
        For every word in braces what it stands for; what is not named has no parameters.

    Yields
    ------
    tuple
        A parameter, and the names in its address.
    """
    for row in TABLE:
        for chosen in _choices(_NAME.findall(row.address), names):
            address = row.address.format(**chosen)
            yield replace(row, address=address), chosen


def row_of(address: str) -> Parameter:
    """The row of the table that an address belongs to, whether there is such a stem or bus now or not.

    Raises
    ------
    UsageError
        None; the message has the nearest.
    """
    found = next((row for row, pattern in _PATTERNS if pattern.fullmatch(address)), None)
    if found is None:
        near = difflib.get_close_matches(address, [row.address for row in TABLE], n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"there is no parameter like {address!r}{hint}")
    return found


def lacking(address: str, there: Iterable[str]) -> str:
    """What a session needs to have a parameter, if there is none of its row; else nothing, as for what is misspelt."""
    for row, pattern in _PATTERNS:
        if row.needs and pattern.fullmatch(address):
            return "" if any(map(pattern.fullmatch, there)) else row.needs
    return ""


def _choices(words: Sequence[str], names: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    if not words:
        yield {}
        return
    first, *rest = words
    for name in names.get(first, ()):
        for others in _choices(rest, names):
            yield {first: name, **others}
