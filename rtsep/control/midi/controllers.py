"""All controllers of a session: plugged in and out while it plays, heard, lit, and taught.

Their ports are held by a process of their own (`rtsep.control.midi.porter`). Two threads, which sleep: one hears what
comes from there, the other waits until the board has changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import SequenceMatcher
from types import TracebackType
from typing import Any

from rtsep.board import NOBODY, Control
from rtsep.control.crew import Crew, Guard
from rtsep.control.midi.known import AUTO, Chosen, known_maps
from rtsep.control.midi.learn import OFF, Learner, Wish, keep, read_wish, teach
from rtsep.control.midi.maps import Map
from rtsep.control.midi.ports import steady
from rtsep.control.midi.surface import Surface
from rtsep.control.player import Player
from rtsep.control.process import FAILED, Kept, Process
from rtsep.control.wire import line
from rtsep.errors import RtsepError
from rtsep.parameters import ROWS

BLINK_S = 0.25
PORTS_S = 5.0  # that the ports which are there may take to open, before the session begins without them
MODULE = "rtsep.control.midi.porter"


@dataclass
class Plugged:
    """A controller that is there."""

    name: str
    surface: Surface
    has_lights: bool


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
        self._asked: set[str] = set()
        self._settled = threading.Event()
        self._guard, self._waiting = Guard("MIDI", say), set(wanted)
        self._crew = Crew(self._guard)
        self._n_refused = 0  # of controllers that are gone

    def __enter__(self) -> Controllers:
        self._maps = known_maps()
        for text in self._wanted:
            self._maps.chosen(text, "")
        self._maps.tell_broken(lambda text: self._say(f"MIDI: {text}"))
        with ExitStack() as opened:
            self._feed = self._player.board.feed(NOBODY)
            opened.callback(self._feed.close)
            self._porter = Kept(self._start, self._hear, self._lose, self._begin, self._say, "MIDI's process")
            opened.callback(self._porter.close)
            opened.callback(self._lose)
            opened.callback(self._crew.end, self._feed.changed.set, self._porter.end)
            self._begin()
            self._player.board.keep(self._controls())
            self._crew.start({"rtsep-midi": self._porter.listen, "rtsep-midi-lights": self._show})
            self._settled.wait(PORTS_S)
            for text in self._waiting - {AUTO}:
                self._say(f"MIDI: {text!r} is not plugged in; it is waited for")
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @property
    def n_broken(self) -> int:
        """How often something failed in here that should not have."""
        return self._guard.n_failed

    @property
    def counts(self) -> dict[str, int]:
        """What went wrong: what controllers asked for in vain, also those that are gone, and what failed in here."""
        here = sum(plugged.surface.n_refused for plugged in list(self._plugged.values()))
        return {"n_refused": self._n_refused + here, "n_failed": self.n_broken}

    @property
    def names(self) -> list[str]:
        """The controllers that are there."""
        return list(self._plugged)

    @property
    def porter_pid(self) -> int:
        """The number of the process that holds the ports."""
        return self._porter.process.pid

    def _controls(self) -> Iterator[Control]:
        yield Control(ROWS["/midi/learn"], lambda: "", lambda value: self._arm(str(value)))
        yield Control(ROWS["/midi/learned"], lambda: self._learned, lambda value: None)

    # --- the porter ---

    def _start(self, over: threading.Event) -> Process:
        return Process(MODULE, self._virtual, over)

    def _begin(self) -> None:
        """Ask a porter, which has just begun, for the ports that are wanted."""
        if self._virtual is not None and (map_ := self._map_of(self._virtual)) is not None:
            self._put(self._virtual, map_, has_lights=True)
        self._plug(*self._porter.process.answer)
        self._note_settled()

    def _lose(self) -> None:
        """The porter has ended, and with it all ports."""
        for name in list(self._plugged):
            self._unplug(name)
        self._asked.clear()

    def _hear(self, kind: str, content: Any) -> None:
        with self._guard:
            if kind == "heard":
                self._take(*content)
            elif kind == "there":
                self._plug(*content)
            elif kind == "opened":
                name, has_lights = content
                self._asked.discard(name)
                if (map_ := self._map_of(name)) is not None:
                    self._put(name, map_, has_lights=has_lights)
            elif kind == "refused":  # it will be told of again
                self._asked.discard(content)
            elif kind == FAILED:
                self._say(f"MIDI: {content}")
            self._note_settled()

    def _note_settled(self) -> None:
        if not self._asked:  # all ports that are there are open, or refuse
            self._settled.set()

    def _take(self, name: str, messages: Sequence[str]) -> None:
        """What a controller says."""
        plugged = self._plugged.get(name)
        if plugged is None:
            return
        for data in map(bytes.fromhex, messages):
            with self._guard:  # the next one may be in order
                if self._learner.is_armed:
                    self._learner.hear(name, plugged.surface.hear(data, acts=False))
                else:
                    plugged.surface.hear(data)

    # --- plugging ---

    def _plug(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Ask for what has come, and forget what has gone."""
        for name in [name for name in self._plugged if name not in inputs and name != self._virtual]:
            self._unplug(name)
            self._say(f"MIDI: {name} is gone; it is waited for")
        for name in inputs:
            if name not in self._plugged and name not in self._asked and self._map_of(name) is not None:
                self._asked.add(name)
                self._porter.send(line("listen", [name, self._lights_of(name, outputs)]))

    def _unplug(self, name: str) -> None:
        """Forget a controller: what it held down is let go."""
        surface = self._plugged.pop(name).surface
        self._n_refused += surface.n_refused
        with self._guard:
            surface.let_go()

    def _put(self, name: str, map_: Map, *, has_lights: bool) -> None:
        self._plugged[name] = Plugged(name, self._surface(name, map_), has_lights)
        self._tell_dark(name)
        self._say(f"MIDI: {name} ({map_.name})")
        self._feed.changed.set()

    def _surface(self, name: str, map_: Map) -> Surface:
        return Surface(self._player, map_, f"midi:{name}", lambda text: self._say(f"MIDI: {text}"))

    def _lights_of(self, name: str, outputs: Sequence[str]) -> list[str]:
        """The ports of its lights: of those that the same map is for, those that are called most alike first."""
        map_ = self._map_of(name)
        alike = [o for o in outputs if steady(o) == steady(name) or self._map_of(o) == map_]
        return sorted(alike, key=lambda o: -SequenceMatcher(None, o, name).ratio())

    def _map_of(self, port: str) -> Map | None:
        """The map by which a port is wanted; None: it is not."""
        found = self._chosen(port)
        return None if found is None else found.map

    def _chosen(self, port: str) -> Chosen | None:
        for text in self._wanted:
            if (found := self._maps.chosen(text, port)) is not None:
                self._waiting.discard(text)
                return found
        return self._maps.of(port) if port == self._virtual else None

    # --- showing ---

    def _show(self) -> None:
        """Light what has changed, until the end."""
        while not self._crew.over.is_set():
            self._feed.changed.wait(BLINK_S)
            self._feed.take()
            is_bright = int(time.monotonic() / BLINK_S) % 2 == 0
            with self._guard:
                self._show_all(is_bright=is_bright)
            with self._guard:
                self._learner.settle()
            if not self._crew.over.is_set():
                time.sleep(0.01)  # a hand on a fader makes many changes, and a light needs one

    def _show_all(self, *, is_bright: bool) -> None:
        for plugged in list(self._plugged.values()):
            if plugged.has_lights and (lights := plugged.surface.show(is_bright=is_bright)):
                self._porter.send(line("send", [plugged.name, [light.hex() for light in lights]]))

    def _tell_dark(self, name: str) -> None:
        """What puts out the lights of a controller, for the porter to do when they are not wanted any more."""
        self._porter.send(line("dark", [name, [light.hex() for light in self._plugged[name].surface.dark()]]))

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
        plugged, chosen = self._plugged.get(port), self._chosen(port)
        if plugged is None or chosen is None:
            return
        learnt = teach(chosen, wish, port, found)
        self._maps = self._maps.with_map(learnt.name, learnt.map)
        plugged.surface = plugged.surface.with_map(learnt.map)
        self._tell_dark(port)
        try:
            self._tell_learned(f"{learnt.text}. {keep(learnt)}")
        except RtsepError as error:
            self._tell_learned(f"{learnt.text}, until this session ends: {error}")
