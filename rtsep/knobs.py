"""The controls of a board: for every parameter of a mix, a tape machine and scenes, where it lives.

Addresses and fields of the mix have the same names, so that one rule finds most of them:
``/stem/vocals/mute`` is ``mix.strips["vocals"].mute``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from rtsep.board import Control
from rtsep.deck import Deck
from rtsep.mix import CUE, MAIN, Mix
from rtsep.mixer import Mixer
from rtsep.parameters import ROWS, Parameter, expand
from rtsep.scales import Range, Route, Value, as_number
from rtsep.scenes import Scenes

PARTS = {"stem": "strips", "direct": "directs", "group": "groups", "bus": "buses"}
OF_MIX = {"crossfade", "separation", "bypass"}
TO_MAIN = "main"


def mix_controls(mixer: Mixer, stems: tuple[str, ...]) -> Iterator[Control]:
    """The controls of a mixer with these stems, in the order of the table."""
    mix = mixer.mix
    has_sides = mix.sides is not None and all(_has_any(mix, side, stems) for side in mix.sides)
    names = {
        "stem": stems,
        "direct": tuple(mix.directs),
        "group": tuple(name for name in mix.groups if _has_any(mix, name, stems)),
        "bus": tuple(mix.buses),
    }
    for parameter, chosen in expand(names):
        kind, *rest = parameter.address.strip("/").split("/")
        if kind in OF_MIX and (kind != "crossfade" or has_sides):
            yield _mix_control(mixer, parameter, kind)
        elif kind not in PARTS or (rest[-1] == CUE and CUE not in mix.buses):
            continue
        elif rest[1] == "send":
            if chosen["bus"] != MAIN:
                yield _send_control(mixer, parameter, PARTS[kind], rest[0], chosen["bus"])
        elif rest[1] == "route":
            yield _route_control(mixer, parameter, rest[0])
        else:
            yield _part_control(mixer, parameter, PARTS[kind], *rest)


def _has_any(mix: Mix, group: str, stems: tuple[str, ...]) -> bool:
    return any(stem in mix.groups[group] for stem in stems)


def _mix_control(mixer: Mixer, parameter: Parameter, field: str) -> Control:
    return Control(parameter, lambda: getattr(mixer.mix, field), lambda value: mixer.turn(**{field: value}))


def _part_control(mixer: Mixer, parameter: Parameter, part: str, name: str, field: str) -> Control:
    def get() -> Value:  # a change of the session may have left it out already
        found = getattr(mixer.mix, part).get(name)
        value: Value = parameter.default if found is None else getattr(found, field)
        return value

    return Control(parameter, get, lambda value: mixer.edit(part, name, **{field: value}))


def _send_control(mixer: Mixer, parameter: Parameter, part: str, name: str, bus: str) -> Control:
    def sends() -> dict[str, float]:
        found = getattr(mixer.mix, part).get(name)
        return {} if found is None else dict(found.sends)

    def get() -> Value:
        return sends().get(bus, parameter.default)

    def set_(value: Value) -> None:
        mixer.edit(part, name, sends={**sends(), bus: as_number(value)})

    return Control(parameter, get, set_)


def _route_control(mixer: Mixer, parameter: Parameter, stem: str) -> Control:
    def get() -> Value:
        strip = mixer.mix.strips.get(stem)
        return TO_MAIN if strip is None else route_text(strip.route)

    def set_(value: Value) -> None:
        mixer.edit("strips", stem, route=route_of(str(value)))

    options = dict.fromkeys((*routes(mixer.n_outputs), str(get())))
    return Control(replace(parameter, scale=Route(tuple(options))), get, set_)


def routes(n_outputs: int) -> Iterator[str]:
    """Where a stem can go: the main bus, neighbouring pairs of outputs, single ones; people count from 1."""
    yield TO_MAIN
    yield from (f"{left}-{left + 1}" for left in range(1, n_outputs, 2))
    yield from (str(output) for output in range(1, n_outputs + 1))


def route_text(route: tuple[int, ...] | None) -> str:
    """A route as people write it: ``main``, ``3-4``, ``5``."""
    return TO_MAIN if route is None else "-".join(str(output + 1) for output in route)


def route_of(text: str) -> tuple[int, ...] | None:
    """The inverse of `route_text`."""
    return None if text == TO_MAIN else tuple(int(output) - 1 for output in text.split("-"))


def transport_controls(deck: Deck) -> Iterable[Control]:
    """The controls of a tape machine, if there is one; of a session that is connected otherwise it may be another."""
    if not deck.has_tape:
        return []
    doing: dict[str, Callable[[Value], None]] = {
        "/transport/seek_s": lambda value: deck.seek(as_number(value)),
        "/transport/loop_start": lambda value: deck.begin_loop() if value else None,
        "/transport/loop_end": lambda value: deck.end_loop() if value else None,
        "/transport/loop_off": lambda value: deck.leave_loop() if value else None,
    }
    play = Control(ROWS["/transport/play"], lambda: deck.plays, lambda value: deck.play(bool(value)))
    telling: dict[str, Callable[[], Value]] = {
        "/transport/loop_start_s": lambda: deck.loop_start_s,
        "/transport/loop_end_s": lambda: deck.loop_end_s,
    }
    return [
        play,
        Control(_place(deck), lambda: deck.position_s, lambda value: deck.seek_to(as_number(value))),
        *(Control(ROWS[address], lambda: 0.0, do) for address, do in doing.items()),
        *(Control(ROWS[address], get, lambda value: None) for address, get in telling.items()),
    ]


def _place(deck: Deck) -> Parameter:
    """The place in the file: a fader goes all its length, which is rounded up to what people see."""
    row, length_s = ROWS["/transport/position_s"], math.ceil(100 * deck.duration_s) / 100
    return replace(row, scale=Range(0.0, length_s, "s")) if length_s else row


def scene_controls(scenes: Scenes) -> Iterable[Control]:
    """The controls of scenes."""

    def set_fade_s(value: Value) -> None:
        scenes.fade_s = as_number(value)

    def tell(address: str, get: Callable[[], Value]) -> Control:
        return Control(ROWS[address], get, lambda value: None)

    def do(address: str, act: Callable[[str], None]) -> Control:
        return Control(ROWS[address], lambda: "", lambda value: act(str(value)))

    return [
        do("/scene/recall", scenes.recall),
        do("/scene/save", scenes.save),
        do("/scene/delete", scenes.delete),
        Control(ROWS["/scene/undo"], lambda: False, lambda value: scenes.undo() if value else None),
        Control(ROWS["/scene/fade_s"], lambda: scenes.fade_s, set_fade_s),
        tell("/scene/current", lambda: scenes.current),
        tell("/scene/names", lambda: scenes.names),
    ]
