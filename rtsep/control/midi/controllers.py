"""All controllers of a session: plugged in and out while it plays, heard, lit, and taught.

Two threads: one takes what comes and looks for new ports, the other sleeps until the board has changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from types import TracebackType
from typing import Any

from rtsep.board import Control
from rtsep.control.midi.known import AUTO, GENERIC, chosen, known_maps
from rtsep.control.midi.learn import OFF, Learner, Wish, keep, read_wish, teach
from rtsep.control.midi.maps import Map
from rtsep.control.midi.ports import Input, Output, Ports, steady
from rtsep.control.midi.surface import Surface
from rtsep.control.player import Player
from rtsep.errors import DeviceError, RtsepError
from rtsep.parameters import ROWS

ACTIVE_S = 0.001  # between two looks while something is moved ...
IDLE_S = 0.003  # ... and while nothing was
ACTIVE_FOR_S = 3.0
PLUG_S = 1.0  # between two looks for ports
BLINK_S = 0.25


@dataclass
class Plugged:
    """A controller that is there."""

    name: str
    input: Input
    output: Output | None
    surface: Surface

    def close(self) -> None:
        """Let its ports go."""
        self.input.close()
        if self.output is not None:
            self.output.close()


class Controllers:
    """The controllers of a session, while it is entered.

    Parameters
    ----------
    player
        The session.
    wanted
        Each a map (name or path), a port (a part of its name or a regular expression), or ``auto``: all with a map.
    say
        Is told what comes and goes, and what is wrong.
    virtual
        A port of this name for other programs to connect to; None: none.

    Attributes
    ----------
    n_broken : int
        How often something failed in here that should not have.

    Raises
    ------
    RtsepError
        On entering: there is no MIDI, or a map is not usable.
    """

    def __init__(
        self, player: Player, wanted: Sequence[str], say: Callable[[str], None], virtual: str | None = None
    ) -> None:
        self._player, self._wanted, self._say, self._virtual = player, wanted, say, virtual
        self._learner, self._learned = Learner(self._learn, self._tell_learned), ""
        self._plugged: dict[str, Plugged] = {}
        self._learnt: dict[str, Map] = {}
        self._over, self._waiting = threading.Event(), set(wanted)
        self.n_broken = 0

    def __enter__(self) -> Controllers:
        self._maps = known_maps()
        for text in self._wanted:
            chosen(text, "", self._maps)
        self._ports = Ports()
        if self._virtual is not None:
            both = self._ports.open_virtual(self._virtual)
            self._put(self._virtual, *both, self._map_of(self._virtual) or self._maps[GENERIC])
        self._feed = self._player.board.feed()
        self._player.board.keep(self._controls())
        self._plug()
        for text in self._waiting - {AUTO}:
            self._say(f"MIDI: {text!r} is not plugged in; it is waited for")
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._listen, self._show)]
        for thread, name in zip(self._threads, ("rtsep-midi", "rtsep-midi-lights"), strict=True):
            thread.name = name
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._feed.changed.set()
        for thread in self._threads:
            thread.join()
        self._feed.close()
        for plugged in self._plugged.values():
            plugged.close()
        self._ports.close()

    @property
    def names(self) -> list[str]:
        """The controllers that are there."""
        return list(self._plugged)

    def _controls(self) -> Iterator[Control]:
        yield Control(ROWS["/midi/learn"], lambda: "", lambda value: self._arm(str(value)))
        yield Control(ROWS["/midi/learned"], lambda: self._learned, lambda value: None)

    # --- hearing ---

    def _listen(self) -> None:
        """Take what comes, and look for ports, until the end."""
        heard_s = plugged_s = time.monotonic()
        while not self._over.is_set():
            now_s = time.monotonic()
            if self._guarded(self._take_all):
                heard_s = now_s
            if now_s - plugged_s >= PLUG_S:
                plugged_s = now_s
                self._guarded(self._plug)
            time.sleep(ACTIVE_S if now_s - heard_s < ACTIVE_FOR_S else IDLE_S)

    def _take_all(self) -> bool:
        """Whether anything had come."""
        is_any = False
        for name, plugged in list(self._plugged.items()):
            while (data := plugged.input.take()) is not None:
                is_any = True
                if self._learner.is_armed:
                    self._learner.hear(name, plugged.surface.hear(data, acts=False))
                else:
                    plugged.surface.hear(data)
        return is_any

    def _guarded(self, act: Callable[[], Any]) -> Any:
        """What it returns; that it broke is told, once for every reason, and ends nothing."""
        try:
            return act()
        except Exception as error:  # a surface must not end unseen with its thread
            self.n_broken += 1
            if self.n_broken < 5:
                self._say(
                    f"MIDI: {error if isinstance(error, RtsepError) else f'an error in rtsep: {error!r}'}"
                )
            return None

    # --- plugging ---

    def _plug(self) -> None:
        """Open what has come, and close what has gone."""
        there = self._ports.inputs()
        for name in [name for name in self._plugged if name not in there and name != self._virtual]:
            self._plugged.pop(name).close()
            self._say(f"MIDI: {name} is gone; it is waited for")
        for name in there:
            if name not in self._plugged and (found := self._map_of(name)) is not None:
                with suppress(DeviceError):  # another look in a second
                    output = self._output_of(name)
                    self._put(name, self._ports.open_input(name), output, found)

    def _put(self, name: str, input_: Input, output: Output | None, map_: Map) -> None:
        surface = Surface(self._player, map_, f"midi:{name}", lambda text: self._say(f"MIDI: {text}"))
        self._plugged[name] = Plugged(name, input_, output, surface)
        self._say(f"MIDI: {name} ({map_.name})")
        if hasattr(self, "_feed"):
            self._feed.changed.set()

    def _output_of(self, name: str) -> Output | None:
        """The port of its lights: of those that the same map is for, the one that is called most alike."""
        map_ = self._map_of(name)
        alike = [o for o in self._ports.outputs() if steady(o) == steady(name) or self._map_of(o) == map_]
        for other in sorted(alike, key=lambda o: -SequenceMatcher(None, o, name).ratio()):
            with suppress(DeviceError):
                return self._ports.open_output(other)
        return None

    def _map_of(self, port: str) -> Map | None:
        """The map by which a port is wanted; None: it is not."""
        for text in self._wanted:
            if (found := chosen(text, port, self._maps)) is not None:
                self._waiting.discard(text)
                return self._learnt.get(steady(port), found)
        return None

    # --- showing ---

    def _show(self) -> None:
        """Light what has changed, until the end."""
        while not self._over.is_set():
            self._feed.changed.wait(BLINK_S)
            self._feed.take()
            is_bright = int(time.monotonic() / BLINK_S) % 2 == 0
            self._guarded(partial(self._show_all, is_bright=is_bright))
            self._guarded(self._learner.settle)
            if not self._over.is_set():
                time.sleep(0.01)  # a hand on a fader makes many changes, and a light needs one

    def _show_all(self, *, is_bright: bool) -> None:
        for plugged in list(self._plugged.values()):
            if plugged.output is not None:
                plugged.output.send(plugged.surface.show(is_bright=is_bright))

    # --- learning ---

    def _arm(self, text: str) -> None:
        wish = None if text == OFF else read_wish(text)
        if wish is not None:
            self._player.board.parameter(wish.address)
        self._learner.arm(wish)

    def _tell_learned(self, text: str) -> None:
        self._learned = text
        self._say(f"MIDI: {text}")

    def _learn(self, wish: Wish, port: str, found: dict[str, Any]) -> None:
        plugged = self._plugged.get(port)
        if plugged is None:
            return
        learnt = teach(self._maps, plugged.surface.map, wish, port, found)
        self._learnt[steady(port)] = self._maps[learnt.path.stem] = learnt.map
        plugged.surface = plugged.surface.with_map(learnt.map)
        try:
            self._tell_learned(f"{learnt.text}. {keep(learnt)}")
        except RtsepError as error:
            self._tell_learned(f"{learnt.text}, until this session ends: {error}")
