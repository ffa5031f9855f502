"""One controller at work: its messages move the board, and the board lights its buttons and moves its faders."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from rtsep.board import Board
from rtsep.control.midi.hold import NEAR, Hold
from rtsep.control.midi.maps import Binding, Key, Map, bound, is_fader
from rtsep.control.midi.messages import (
    CONTROL,
    NOTE_ON,
    PRESSED,
    Assembler,
    Message,
    Parser,
    encoded,
)
from rtsep.control.player import Player
from rtsep.errors import UsageError
from rtsep.parameters import Parameter
from rtsep.scales import Gain, Scale, Switch, Text, Value, as_names, is_above

AGAIN_S = 5.0  # after which a reason is told again
RECALL, NAMES = "/scene/recall", "/scene/names"


class Surface:
    """A controller and its map.

    Parameters
    ----------
    player
        The session.
    map_
        Its bindings.
    origin
        Its name on the board.
    say
        Is told what was asked for in vain; a reason that goes on is told every `AGAIN_S`.

    Attributes
    ----------
    n_refused : int
        How often that was.
    """

    def __init__(self, player: Player, map_: Map, origin: str, say: Callable[[str], None]) -> None:
        self.map, self._player, self._origin, self._say = map_, player, origin, say
        self._parser, self._assembler = Parser(), Assembler()
        self._bindings = map_.by_key()
        self._lit = [binding for binding in map_.each() if binding.line.light or binding.line.motor]
        self._holds: dict[tuple[Key, str], Hold] = {}  # by `_control`
        self._shown: dict[tuple[Key, str], list[bytes]] = {}
        self._found: dict[str, str | None] = {}
        self._generation = -1
        self._is_shifted = False
        self.n_refused = 0
        self._refused_s: dict[str, float] = {}  # reason to when it was told, of late

    def with_map(self, map_: Map) -> Surface:
        """The same controller with another map: what it has begun to say goes on, and what it held is let go."""
        self.let_go()
        other = Surface(self._player, map_, self._origin, self._say)
        other._parser, other._assembler = self._parser, self._assembler
        other.n_refused = self.n_refused
        other._is_shifted = self._is_shifted and map_.shift == self.map.shift
        return other

    def let_go(self) -> None:
        """Nobody's hand is on it any more: release the buttons that are down."""
        for control in list(self._holds):
            self._let_go(control)

    @property
    def _board(self) -> Board:
        return self._player.board

    def hear(self, data: Iterable[int], *, acts: bool = True) -> list[Message]:
        """Do what the controller says, or with `acts` false only let go what it moves; what it said."""
        heard = []
        for message in self._parser.feed(data):
            for whole in self._assembler.assemble(message):
                heard.append(whole)
                self._do(whole, self._act if acts else self._miss)
        return heard

    def _do(self, message: Message, act: Callable[[Binding, Message], None]) -> None:
        shift = self.map.shift
        if shift is not None and shift.is_meant(message):
            self._is_shifted = _is_pressed(message)
            return
        for binding in bound(self._bindings, message):
            try:
                act(binding, message)
            except UsageError as error:
                self._refuse(str(error))

    def _refuse(self, reason: str) -> None:
        now_s = time.monotonic()
        self.n_refused += 1
        self._refused_s = {told: at_s for told, at_s in self._refused_s.items() if now_s - at_s < AGAIN_S}
        if reason not in self._refused_s:
            self._refused_s[reason] = now_s
            self._say(reason)

    def _miss(self, binding: Binding, message: Message) -> None:
        self._let_go(_control(binding))

    def _act(self, binding: Binding, message: Message) -> None:
        held = self._holds.get(_control(binding))
        if held is not None and held.is_down and not _is_pressed(message):
            self._let_go(_control(binding))  # whatever shift says by now
            return
        address = self._address(binding)
        if address is None:  # a strip without a stem
            return
        parameter, hold = self._board.parameter(address), self._hold(binding, address)
        if binding.is_relative:
            self._step(binding, parameter, address, _steps(binding, message.value))
        elif binding.is_pressed(parameter):
            self._press(binding, parameter, address, hold, message)
        else:
            self._turn(binding, parameter, address, hold, message)

    def _turn(
        self, binding: Binding, parameter: Parameter, address: str, hold: Hold, message: Message
    ) -> None:
        """A fader or a knob with two ends."""
        scale, now = parameter.scale, self._board.position(address)
        position = binding.meant(message.value, scale)
        picks_up = binding.line.pickup if binding.line.pickup is not None else self.map.pickup
        ends = binding.position(0.0, scale), binding.position(1.0, scale)
        follows = not (picks_up and is_fader(parameter)) or hold.takes(position, now, ends)
        hold.last = position
        if not follows:
            hold.sent = None  # it has gone from where it left the parameter
            return
        if not (binding.line.motor and parameter.kind == "held" and _is_echo(binding, message, scale, now)):
            self._board.move(address, position, self._origin)
        hold.sent = self._board.position(address)

    def _step(self, binding: Binding, parameter: Parameter, address: str, steps: int) -> None:
        """A knob without ends."""
        scale, now, value = parameter.scale, self._board.position(address), self._board[address]
        way = steps * _per_step(binding, scale)
        if isinstance(scale, Gain) and is_above(scale, value) and way < 0:
            self._board.set(address, scale.turned(value, way), self._origin)
            return
        ends = sorted((binding.position(0.0, scale), binding.position(1.0, scale)))
        position = min(
            max(ends[1], now), max(min(ends[0], now), now + way)
        )  # what stands outside is not pulled in
        if position != now:
            self._board.move(address, position, self._origin)

    def _press(
        self, binding: Binding, parameter: Parameter, address: str, hold: Hold, message: Message
    ) -> None:
        """A button goes down."""
        press = binding.line.press
        if press != "each":
            if not _is_pressed(message) or (message.kind == "cc" and hold.is_down):
                return
            hold.is_down = True
        if press == "momentary":
            self._board.move(address, binding.position(1.0, parameter.scale), self._origin)
            hold.rest = binding.position(0.0, parameter.scale)
        elif press == "toggle" or (press != "set" and _toggles(binding, parameter)):
            self._board.set(address, not self._board[address], self._origin)
        else:
            self._board.set(address, self._wanted(binding, parameter), self._origin)

    def _hold(self, binding: Binding, address: str) -> Hold:
        """That of a control for an address: what it was used for before, it lets go."""
        hold = self._holds.get(_control(binding))
        if hold is None or hold.address != address:
            self._let_go(_control(binding))
            hold = self._holds[_control(binding)] = Hold(address)
        return hold

    def _let_go(self, control: tuple[Key, str]) -> None:
        """A hand leaves a control, or what the control was used for."""
        hold = self._holds.pop(control, None)
        if hold is not None and hold.rest is not None and hold.address in self._board:
            self._board.move(hold.address, hold.rest, self._origin)

    def _wanted(self, binding: Binding, parameter: Parameter) -> Value:
        """What a button sets: of scenes also the n-th."""
        value = binding.value if binding.value is not None else parameter.default
        if parameter.address == RECALL and isinstance(value, str) and value.isdecimal():
            names = as_names(self._board.get(NAMES, ()))
            if value not in names and 0 < int(value) <= len(names):
                return names[int(value) - 1]
        return value

    # --- lights and motors ---

    def show(self, *, is_bright: bool = True) -> list[bytes]:
        """The messages that make the controller show how everything stands, of those that it does not show yet.

        Parameters
        ----------
        is_bright
            Whether lights that blink are on now.
        """
        messages: list[bytes] = []
        for binding in self._lit:
            for name, wanted, is_there in self._pictures(binding, is_bright=is_bright):
                if self._shown.get((binding.key, name)) != wanted:
                    self._shown[binding.key, name] = wanted
                    messages += [] if is_there else wanted
        return messages

    def dark(self) -> list[bytes]:
        """The messages that put out each of its lights."""
        lights = ((binding, binding.line.light) for binding in self._lit)
        return [_lamp_message(binding, light.dark) for binding, light in lights if light is not None]

    def _pictures(self, binding: Binding, *, is_bright: bool) -> Iterator[tuple[str, list[bytes], bool]]:
        """What of it is shown, by which bytes, and whether the controller is known to be there already."""
        if binding.line.light is not None:
            yield "light", [self._light(binding, is_bright=is_bright)], False
        if not binding.line.motor or (address := self._address(binding)) is None:
            return
        position, scale = self._board.position(address), self._board.parameter(address).scale
        kind, channel, number = binding.key
        value = binding.shown(position, scale)
        hold = self._holds.get(_control(binding))
        is_own = hold is not None and hold.address == address and hold.is_at(position)
        yield "motor", encoded(Message(kind, channel or 1, number, value)), is_own

    def _light(self, binding: Binding, *, is_bright: bool) -> bytes:
        light = binding.line.light
        assert light is not None
        is_on = self._is_on(binding)
        if is_on and binding.shows_stem and self._player.is_late:
            if light.blink is not None:
                return _lamp_message(binding, light.blink, light.blink_channel)
            is_on = is_bright
        return _lamp_message(binding, light.lit if is_on else light.dark)

    def _is_on(self, binding: Binding) -> bool:
        address = self._resolve(binding.shows)
        if address is None:
            return False
        return (
            self._player.plays(address.split("/")[2])
            if binding.shows_stem
            else bool(self._board.get(address))
        )

    # --- addresses ---

    def _address(self, binding: Binding) -> str | None:
        """What a control moves now, with shift or without."""
        return self._resolve((binding.shift if self._is_shifted else None) or binding.to)

    def _resolve(self, address: str) -> str | None:
        """The address on the board: ``/stem/2/mute`` is that of the second stem; None if there are not so many."""
        if self._generation != self._board.generation:
            self._generation, self._found = self._board.generation, {}
            self._shown.clear()
        if address not in self._found:
            self._found[address] = resolve(self._board, address)
        return self._found[address]


def resolve(board: Board, address: str) -> str | None:
    """The address that is meant on a board, by name or by number; None for one that it does not have."""
    if address in board:
        return address
    _, kind, *rest = address.split("/")
    if len(rest) < 2 or not rest[0].isdecimal():
        return None
    names = dict.fromkeys(found.split("/")[2] for found in board.parameters if found.startswith(f"/{kind}/"))
    place = int(rest[0]) - 1
    if not 0 <= place < len(names):
        return None
    meant = "/".join(("", kind, list(names)[place], *rest[1:]))
    return meant if meant in board else None


def _lamp_message(binding: Binding, value: int, channel: int | None = None) -> bytes:
    """What gives its light a value, on its channel or another one."""
    lamp = binding.lamp()
    assert lamp is not None
    kind, own, number = lamp
    return bytes(((NOTE_ON if kind == "note" else CONTROL) | ((channel or own) - 1), number, value))


def _control(binding: Binding) -> tuple[Key, str]:
    """Which control it is, and what for: one may be bound twice."""
    return binding.key, binding.to


def _is_pressed(message: Message) -> bool:
    return message.value > 0 if message.kind in ("note", "program") else message.value >= PRESSED


def _toggles(binding: Binding, parameter: Parameter) -> bool:
    """Whether a press turns a switch over, if nothing else is said."""
    return isinstance(parameter.scale, Switch) and parameter.kind == "held" and binding.value is None


def _is_echo(binding: Binding, message: Message, scale: Scale, now: float) -> bool:
    """Whether a motor fader says where it was driven to, in its own coarse steps: that is no hand."""
    is_near = abs(binding.meant(message.value, scale) - now) <= NEAR
    return is_near and message.value == binding.shown(now, scale)


def _steps(binding: Binding, value: int) -> int:
    """By how many steps a knob without ends was turned."""
    match binding.line.encoder:
        case "twos_complement":
            steps = value if value < 64 else value - 128
        case "signed_bit":
            steps = value if value < 64 else 64 - value
        case "binary_offset":
            steps = value - 64
        case _:
            steps = value
    return -steps if binding.line.invert else steps


def _per_step(binding: Binding, scale: Scale) -> float:
    """How far one step goes; where there are only a few values, to the next."""
    if isinstance(scale, Switch):
        return 1.0
    if isinstance(scale, Text):
        return 1.0 / max(1, len(scale.options) - 1)
    return binding.line.per_step
