"""The board: all parameters of a session with their values, for any thread to set and for every surface to follow.

::

    MIDI ─┐                          ┌─▶ mixer, transport, scenes ...  (a control's `set`)
    OSC  ─┼─ set(address, value) ────┤
    web  ─┤                          └─▶ feeds: what has changed, to every surface but the one that did it
    keys ─┘

Everybody waits for its lock, so nothing that may take a disk happens under it: a control that needs one has it done
beside (`rtsep.wishes`). The board holds no values of its own: a control reads them where they live. So what changes by
itself (the solo that another one ends, a scene, the settings read anew) is found by looking, after every `set` and at
every `refresh`.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from rtsep.errors import UsageError
from rtsep.parameters import Parameter, lacking
from rtsep.scales import Value, moved

Get = Callable[[], Value]
Set = Callable[[Value], None]

PYTHON = "python"  #: Who moves it unless somebody else is named: a program that has the session in its hands.
NOBODY = ""  #: What follows by itself, as the faders of a scene. A feed of nobody's hears everything.


@dataclass(frozen=True)
class Control:
    """A parameter, and how its value is read and set where it lives, both at once."""

    parameter: Parameter
    get: Get
    set: Set


class Feed:
    """What has changed and one surface does not know yet: the last value of every address, however slow it is.

    Made by `Board.feed`.

    Attributes
    ----------
    changed : threading.Event
        Set while there is something to take.
    """

    def __init__(self, origin: str, wake: Callable[[], None] | None, close: Callable[[Feed], None]) -> None:
        self.origin, self._wake, self._close = origin, wake, close
        self._lock = threading.Lock()
        self._values: dict[str, Value] = {}
        self.changed = threading.Event()

    def take(self) -> dict[str, Value]:
        """Address to value, of all that has changed since the last call."""
        with self._lock:
            values, self._values = self._values, {}
            self.changed.clear()
        return values

    def close(self) -> None:
        """Follow no more. Again it does nothing."""
        self._close(self)

    def put(self, values: Mapping[str, Value], known: Iterable[str] = ()) -> None:
        """For the board: this has changed; and of some addresses the surface itself has just said where they stand."""
        with self._lock:
            for address in known:
                self._values.pop(address, None)
            self._values |= values
            if not self._values:
                self.changed.clear()
                return
            self.changed.set()
        if values and self._wake is not None:
            self._wake()


class Board:
    """All parameters.

    Parameters
    ----------
    controls
        One for each.
    together
        Makes a block in which all that is set is heard at one instant.
    """

    def __init__(
        self,
        controls: Iterable[Control] = (),
        together: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._together = together
        self._lock = threading.RLock()
        self._feeds: list[Feed] = []
        self._controls: dict[str, Control] = {}
        self._kept: dict[str, Control] = {}
        self._told: dict[str, Value] = {}
        self._is_over = False
        self.generation = 0  # counts changes of the addresses themselves
        self.replace(controls)

    def replace(self, controls: Iterable[Control]) -> None:
        """Have other parameters, as after a change of the model."""
        made = {
            control.parameter.address: control for control in controls
        }  # which may take a look at the disk
        with self._lock:
            self._controls = made | self._kept
            self._told = {
                address: value for address, value in self._told.items() if address in self._controls
            }
            self.generation += 1
            self._tell(NOBODY, {})

    def keep(self, controls: Iterable[Control]) -> None:
        """Have these parameters too, also after `replace`."""
        kept = {control.parameter.address: control for control in controls}
        with self._lock:
            self._kept |= kept
            self._controls = self._controls | kept
            self.generation += 1
            self._tell(NOBODY, {})

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is set in this block, by this thread, is heard at one instant; nobody else sets meanwhile."""
        with self._lock, self._together():  # in the order in which `set` takes both
            yield

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Address to parameter, in the order of the table."""
        return {address: control.parameter for address, control in self._controls.items()}

    @property
    def values(self) -> dict[str, Value]:
        """Address to value, of all that hold one."""
        return {
            address: control.get()
            for address, control in list(self._controls.items())
            if control.parameter.kind != "momentary"
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._controls)

    def __len__(self) -> int:
        return len(self._controls)

    def __contains__(self, address: object) -> bool:
        return address in self._controls

    def __getitem__(self, address: str) -> Value:
        return self._find(address).get()

    def get(self, address: str, default: Value = False) -> Value:
        """The value of a parameter, or another one if there is no such parameter here."""
        control = self._controls.get(address)
        return default if control is None else control.get()

    def __setitem__(self, address: str, value: object) -> None:
        self.set(address, value)

    def parameter(self, address: str) -> Parameter:
        """What an address stands for.

        Raises
        ------
        UsageError
            For nothing; the message has the nearest that does.
        """
        return self._find(address).parameter

    def set(self, address: str, value: object, origin: str = PYTHON) -> None:
        """Move a parameter.

        Parameters
        ----------
        address
            Which.
        value
            In its unit.
        origin
            Who did it, and so need not be told; ``board[address] = value`` does it as `PYTHON`.

        Raises
        ------
        UsageError
            There is no such parameter, the value is none of its own, or the session is over. Nothing has changed then.
        """
        control = self._find(address)
        if control.parameter.kind == "told":
            raise UsageError(f"{address} tells something; it cannot be set")
        try:
            checked = control.parameter.scale.check(value)
        except UsageError as error:
            raise UsageError(f"{address}: {error}") from None
        with self._lock:
            if self._is_over:
                raise UsageError(f"the session is over, so {address} cannot be set any more")
            control.set(checked)
            self._tell(origin, {address: checked})

    def move(self, address: str, position: float, origin: str = PYTHON) -> None:
        """Move a parameter to a position of its fader, 0 to 1; one that shows it there already stays where it is."""
        control = self._find(address)
        scale = control.parameter.scale
        with self._lock:
            is_held = control.parameter.kind == "held"
            value = moved(scale, control.get(), position) if is_held else scale.value_at(position)
            self.set(address, value, origin)

    def position(self, address: str) -> float:
        """Where the fader of a parameter stands, 0 to 1."""
        control = self._find(address)
        return control.parameter.scale.position(control.get())

    def close(self) -> None:
        """The session is over: nothing can be set any more, and all can still be read."""
        with self._lock:
            self._is_over = True

    def refresh(self) -> None:
        """Find what has changed by itself, and tell it."""
        with self._lock:
            self._tell(NOBODY, {})

    def remind(self, address: str) -> None:
        """Tell everybody where a parameter stands, also whoever asked for something else and did not get it."""
        with self._lock:
            if (control := self._controls.get(address)) is not None:
                value = control.get()
                for feed in self._feeds:
                    feed.put({address: value})

    def feed(
        self, origin: str = PYTHON, wake: Callable[[], None] | None = None, *, snapshot: bool = False
    ) -> Feed:
        """Follow all changes from now on, but for those that come from `origin` itself.

        Parameters
        ----------
        origin
            As it will be given to `set`; `NOBODY`, ``""``: all changes are followed, whoever makes them.
        wake
            Called when there is something to take, on the thread that changed it, so it must be quick.
        snapshot
            Whether the first to take is everything, as it stands now.
        """
        with self._lock:
            feed = Feed(origin, wake, self._forget)
            self._feeds = [*self._feeds, feed]
            if snapshot:
                feed.put(self.values)
        return feed

    def _forget(self, feed: Feed) -> None:
        with self._lock:
            self._feeds = [other for other in self._feeds if other is not feed]

    def _find(self, address: str) -> Control:
        control = self._controls.get(address)
        if control is None:
            raise UsageError(f"there is no parameter {address!r}; {self._hint(address)}")
        return control

    def _hint(self, address: str) -> str:
        if needs := lacking(address, self._controls):
            return f"it needs {needs}"
        near = difflib.get_close_matches(address, self._controls, n=1)
        return f"did you mean {near[0]}?" if near else "`rtsep parameters` lists all"

    def _tell(self, origin: str, asked: Mapping[str, Value]) -> None:
        """Everybody is told what is new, but whoever asked for exactly that."""
        values = self.values
        changed = {a: value for a, value in values.items() if a not in self._told or self._told[a] != value}
        self._told = values
        for feed in self._feeds:
            is_own = origin != NOBODY and feed.origin == origin
            known = [a for a, value in asked.items() if is_own and values.get(a) == value]
            news = {a: value for a, value in changed.items() if a not in known}
            if news or known:
                feed.put(news, known)
