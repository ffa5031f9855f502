"""The maps that ship, each on a board with five stems: every binding moves what it says, every light is as charted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session import StillSession

from rtsep.board import Control
from rtsep.control.midi.known import known_maps, shipped_folder
from rtsep.control.midi.maps import Binding, Map, problems, read_map
from rtsep.control.midi.messages import TOP, Message, encoded
from rtsep.control.midi.surface import Surface, resolve
from rtsep.parameters import ROWS

STEMS = ("vocals", "drums", "bass", "piano", "other")
BUSES = ("cue", "aux")
ORIGIN = "midi"
SHIPPED = sorted(shipped_folder().glob("*.yaml"))
MAPS = {path.stem: read_map(path) for path in SHIPPED}
each_map = pytest.mark.parametrize("name", sorted(MAPS))


class Board:
    """A session with five stems, two buses beside the main one, a recorder, and a controller of a map."""

    def __init__(self, folder: Path | None, map_: Map) -> None:
        self.session, self.said = StillSession(folder, STEMS, BUSES), list[str]()
        self.board, self.asked = self.session.board, list[tuple[str, object]]()
        records = [False]
        record = Control(
            ROWS["/record"], lambda: records[0], lambda value: records.__setitem__(0, bool(value))
        )
        self.board.keep([record])
        free = map_.model_copy(update={"pickup": False})
        self.surface = Surface(self.session, free, ORIGIN, self.said.append)  # type: ignore[arg-type]
        self._set = self.board.set
        self.board.set = self._noted  # type: ignore[method-assign]

    def _noted(self, address: str, value: object, origin: str = "") -> None:
        if origin == ORIGIN:  # a scene sets what is in it
            self.asked.append((address, value))
        self._set(address, value, origin)

    def say(self, key: tuple[str, int | None, int], *values: int) -> None:
        for value in values:
            for data in encoded(Message(key[0], key[1] or 1, key[2], value)):  # type: ignore[arg-type]
                self.surface.hear(data)

    def close(self) -> None:
        if self.session.transport is not None:
            self.session.transport.close()


def test_the_maps_that_ship_are_there() -> None:
    assert set(MAPS) == {"nanokontrol2", "launch_control_xl", "apc_mini_mk2", "generic"}
    assert set(MAPS) <= set(known_maps().by_name)


@pytest.mark.parametrize(
    ("port", "name"),
    [
        ("nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0", "nanokontrol2"),
        ("nanoKONTROL2 1 SLIDER/KNOB", "nanokontrol2"),
        ("Launch Control XL:Launch Control XL MIDI 1 24:0", "launch_control_xl"),
        ("LaunchControl XL MK2", "launch_control_xl"),
        ("Launch Control XL MK3", None),
        ("LCXL3 1 MIDI In", None),
        ("APC mini mk2:APC mini mk2 Control 28:0", "apc_mini_mk2"),
        ("APC mini mk2:APC mini mk2 Notes 28:1", None),
        ("APC MINI", None),
        ("Midi Through:Midi Through Port-0 14:0", None),
    ],
)
def test_a_map_is_for_the_ports_of_its_controller(port: str, name: str | None) -> None:
    assert [found for found in sorted(MAPS) if MAPS[found].fits(port)] == ([] if name is None else [name])


@each_map
def test_nothing_in_a_map_is_in_the_way_of_anything_else(name: str) -> None:
    assert not list(problems(MAPS[name]))


@each_map
def test_every_binding_moves_its_address_and_nothing_else(name: str, tmp_path: Path) -> None:
    for binding in MAPS[name].each():
        for address, is_shifted in ((binding.to, False), (binding.shift, True)):
            if address is not None:
                _moves(binding, address, MAPS[name], tmp_path, is_shifted=is_shifted)


def _moves(binding: Binding, wanted: str, map_: Map, folder: Path, *, is_shifted: bool) -> None:
    bench = Board(folder, map_)
    address = resolve(bench.board, wanted)
    if address is None:  # more strips than stems, and only those
        assert wanted.split("/")[1] == "stem"
        assert int(wanted.split("/")[2]) > len(STEMS)
        bench.close()
        return
    parameter = bench.board.parameter(address)
    if parameter.kind == "held" and binding.value is not None:
        bench._set(address, not binding.value)
    elif address == "/scene/undo":
        bench._set("/scene/recall", "karaoke")
    before, moved = bench.board.values, set[str]()
    if is_shifted:
        assert map_.shift is not None
        bench.say(map_.shift.key, 127)
    for value in (0, TOP[binding.key[0]]):
        bench.say(binding.key, value)
        moved |= {name for name, now in bench.board.values.items() if now != before[name]}
    assert {name for name, _ in bench.asked} == {address}, binding
    if parameter.kind == "held":
        assert moved == {address}, binding
    elif address == "/scene/recall":
        assert "/scene/current" in moved or _is_missing_scene(bench, binding)
    else:
        assert [value for _, value in bench.asked] == [binding.value or parameter.default]
    bench.close()


def _is_missing_scene(bench: Board, binding: Binding) -> bool:
    """Whether it asks for the n-th scene, where there are fewer; that is said."""
    n_scenes = len(str(bench.board["/scene/names"]).split(", "))
    is_missing = binding.to == "/scene/recall" and int(str(binding.value)) > n_scenes
    return is_missing and len(set(bench.said)) == 1 and "no scene" in bench.said[0]


# --- lights, as the charts name them at the head of each map ---

VOCALS_MUTE, VOCALS_SOLO, VOCALS_CUE = (f"/stem/vocals/{what}" for what in ("mute", "solo", "cue"))

#: Map, the switch, the bytes while it is off, while it is on.
CHARTED = [
    ("nanokontrol2", VOCALS_SOLO, "b0 20 00", "b0 20 7f"),
    ("nanokontrol2", VOCALS_MUTE, "b0 30 7f", "b0 30 00"),
    ("nanokontrol2", VOCALS_CUE, "b0 40 00", "b0 40 7f"),
    ("nanokontrol2", "/stem/other/mute", "b0 34 7f", "b0 34 00"),
    ("nanokontrol2", "/transport/play", "b0 29 00", "b0 29 7f"),
    ("nanokontrol2", "/record", "b0 2d 00", "b0 2d 7f"),
    ("nanokontrol2", "/bypass", "b0 2e 00", "b0 2e 7f"),
    ("launch_control_xl", VOCALS_MUTE, "98 29 3c", "98 29 0c"),  # green full: 16 * 3 + 12
    ("launch_control_xl", "/stem/other/mute", "98 39 3c", "98 39 0c"),
    ("launch_control_xl", VOCALS_SOLO, "98 49 0c", "98 49 3f"),  # amber full: 16 * 3 + 3 + 12
    ("launch_control_xl", "/stem/other/solo", "98 59 0c", "98 59 3f"),
    ("launch_control_xl", "/transport/play", "98 3c 0c", "98 3c 3c"),
    ("launch_control_xl", "/record", "98 5c 0c", "98 5c 0f"),  # red full: 3 + 12
    ("launch_control_xl", "/bypass", "98 6a 00", "98 6a 7f"),
    ("apc_mini_mk2", VOCALS_MUTE, "90 64 01", "90 64 00"),  # a round button
    ("apc_mini_mk2", VOCALS_MUTE, "96 00 15", "96 00 00"),  # a pad: green on channel 7 is full
    ("apc_mini_mk2", VOCALS_SOLO, "96 08 00", "96 08 0d"),  # yellow
    ("apc_mini_mk2", VOCALS_CUE, "96 10 00", "96 10 2d"),  # blue
    ("apc_mini_mk2", "/transport/play", "96 38 00", "96 38 15"),
    ("apc_mini_mk2", "/record", "96 3f 00", "96 3f 05"),  # red
    ("generic", VOCALS_MUTE, "90 24 7f", "90 24 00"),
    ("generic", VOCALS_SOLO, "90 2c 00", "90 2c 7f"),
]


@pytest.mark.parametrize(("name", "address", "off", "on"), CHARTED)
def test_a_light_is_told_what_the_chart_says(
    name: str, address: str, off: str, on: str, tmp_path: Path
) -> None:
    bench = Board(tmp_path, MAPS[name])
    bench._set(address, False)
    assert bytes.fromhex(off) in bench.surface.show()
    bench._set(address, True)
    assert bytes.fromhex(on) in bench.surface.show()
    assert bench.surface.show() == []
    bench.close()


@each_map
def test_every_light_is_in_the_chart(name: str) -> None:
    """No light is told anything that `CHARTED` has no line for, of the first of its row."""
    lines = [line for line in MAPS[name].bindings if line.light is not None]
    firsts = [next(line.bindings()) for line in lines]
    bench = Board(None, MAPS[name])
    told = {(resolve(bench.board, b.to) or b.to, b.lamp()[2]) for b in firsts}  # type: ignore[index]
    charted = {(address, bytes.fromhex(off)[1]) for of, address, off, _ in CHARTED if of == name}
    assert told <= charted


@pytest.mark.parametrize(
    ("name", "bright", "dim"),
    [
        ("nanokontrol2", [], ["b0 30 00"]),
        ("launch_control_xl", [], ["98 29 0c"]),
        ("apc_mini_mk2", ["90 64 02", "9d 00 15"], ["90 64 02", "9d 00 15"]),  # they blink by themselves
        ("generic", [], ["90 24 00"]),
    ],
)
def test_while_the_mixture_is_heard_in_its_place_the_light_of_a_stem_blinks(
    name: str, bright: list[str], dim: list[str]
) -> None:
    for is_bright, wanted in ((True, bright), (False, dim)):
        bench = Board(None, MAPS[name])
        bench.surface.show()
        bench.session.current = replace(bench.session.current, is_late=True)
        shown = bench.surface.show(is_bright=is_bright)
        assert all(bytes.fromhex(data) in shown for data in wanted)
        assert len(shown) == len(wanted) * len(STEMS)


@each_map
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_random_bytes_on_the_wire_of_a_map_never_raise(name: str, data: st.DataObject) -> None:
    map_ = MAPS[name]
    bench = Board(None, map_)
    keys = st.sampled_from([binding.key for binding in map_.each()])
    messages = st.builds(
        lambda key, value: b"".join(encoded(Message(key[0], key[1] or 1, key[2], value))),
        keys,
        st.integers(0, 127),
    )
    for piece in data.draw(st.lists(st.one_of(messages, st.binary(max_size=20)), max_size=30)):
        bench.surface.hear(piece)
        bench.surface.show()
    assert all("scene" in text for text in bench.said)  # the n-th of fewer, or nothing to undo
