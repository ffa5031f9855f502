"""The mixer under ten fingers: one table says which key does what, and the help is printed from it."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import blessed
import numpy as np

from rtsep.board import Board
from rtsep.control.player import Player
from rtsep.control.rows import Row, rows
from rtsep.errors import UsageError
from rtsep.scales import Gain, Range, Text, Value

GAIN_STEP_DB = 1.0
LOWEST_GAIN_DB = -60.0  # one step below is silence
STEP = 0.05  # of what is no gain
SEEK_STEP_S = 5.0
ORIGIN = "keys"
LEARN = "/midi/learn"

#: What comes after Ctrl-Z and `fg`; Windows has neither.
CONTINUED: signal.Signals | None = getattr(signal, "SIGCONT", None)


@dataclass
class Prompt:
    """A line that is being written.

    Attributes
    ----------
    label
        What for.
    done
        Gets it, when Enter is pressed.
    text
        As far as it is written.
    """

    label: str
    done: Callable[[str], None]
    text: str = ""


@dataclass
class Hands:
    """What the keys remember between two presses.

    `selected` counts rows from 0; the loop marks are in seconds of the file; `message` answers the last key; `prompt`
    is a line that is being written; `learns`: the next key says what a controller shall move; `shows_keys`: the screen
    has all keys, not only the most important; `quit` asks for the end, `reload` for the settings to be read anew;
    `can_press` says whether any key can come, `can_reload` whether there are settings to be read.
    """

    selected: int = 0
    loop_start_s: float | None = None
    loop_end_s: float | None = None
    message: str = ""
    prompt: Prompt | None = None
    learns: bool = False
    shows_keys: bool = False
    quit: bool = False
    reload: bool = False
    can_reload: bool = False
    can_press: bool = True


Action = Callable[[Hands, Player, str], None]


@dataclass(frozen=True)
class Binding:
    """Keys, how they are printed, what they do in words, and what they do.

    `needs` is an address without which there is nothing for them to do, and `lacks` says why; `is_basic` keys are
    always on the screen.
    """

    keys: tuple[str, ...]
    label: str
    what: str
    action: Action
    needs: str = ""
    lacks: str = ""
    needs_settings: bool = False
    is_basic: bool = False

    def works(self, player: Player, hands: Hands) -> bool:
        """Whether there is something for them to do."""
        return (not self.needs or self.needs in player.board) and (
            hands.can_reload or not self.needs_settings
        )


def selected(hands: Hands, player: Player) -> Row:
    """The row that is selected; a model that came while it played may make fewer than there were."""
    found = rows(player.board)
    return found[min(hands.selected, len(found) - 1)]


def _select(hands: Hands, player: Player, key: str) -> None:
    step = 1 if key == "KEY_DOWN" else -1
    found = rows(player.board)
    hands.selected = (min(hands.selected, len(found) - 1) + step) % len(found)


def _pick(hands: Hands, player: Player, key: str) -> None:
    numbers = [row.number for row in rows(player.board)]
    if int(key) in numbers:
        hands.selected = numbers.index(int(key))


def _set(hands: Hands, player: Player, address: str, value: Value) -> None:
    """Move a parameter, or say that it is what a controller shall move."""
    if hands.learns:
        is_name = isinstance(player.board.parameter(address).scale, Text)
        player.board.set(LEARN, f"{address}={value}" if is_name else address, ORIGIN)
        hands.learns, hands.message = (
            False,
            f"{address}: move the knob, or press the button, that shall have it",
        )
        return
    player.board.set(address, value, ORIGIN)
    hands.message = f"{address} {player.board.parameter(address).scale.tell(value)}"


def _fader(hands: Hands, player: Player, key: str) -> None:
    row, is_up = selected(hands, player), key in ("KEY_RIGHT", "+", "=")
    value = stepped(player.board, row.fader, 1 if is_up else -1)
    _set(hands, player, row.fader, value)


def _reset(hands: Hands, player: Player, key: str) -> None:
    address = selected(hands, player).fader
    _set(hands, player, address, player.board.parameter(address).default)


def _button(field: str) -> Action:
    """A key that presses a button of the row that is selected."""

    def press_button(hands: Hands, player: Player, key: str) -> None:
        row = selected(hands, player)
        address = row.address(field)
        if address not in player.board:
            hands.message = f"{row.label} has no {field}"
        else:
            _set(hands, player, address, not player.board[address])

    return press_button


def _pan(hands: Hands, player: Player, key: str) -> None:
    row = selected(hands, player)
    address = row.address("pan")
    if address not in player.board:
        hands.message = f"{row.label} has no pan"
    else:
        _set(hands, player, address, stepped(player.board, address, 1 if key == ">" else -1))


def _toggle(address: str) -> Action:
    """A key that turns something of the session on and off."""
    return lambda hands, player, key: _set(hands, player, address, not player.board[address])


def _do(address: str, value: Value) -> Action:
    """A key that does something."""
    return lambda hands, player, key: player.board.set(address, value, ORIGIN)


def _recall(hands: Hands, player: Player, key: str) -> None:
    names, number = scene_names(player.board), int(key.removeprefix("KEY_F"))
    if number > len(names):
        hands.message = f"there is no scene {number}; there are {len(names)}"
    else:
        _go_to_scene(hands, player, names[number - 1])


def _go_to_scene(hands: Hands, player: Player, name: str) -> None:
    names = scene_names(player.board)
    if name.isdecimal() and 0 < int(name) <= len(names):
        name = names[int(name) - 1]
    is_learnt = hands.learns
    _set(hands, player, "/scene/recall", name)
    if not is_learnt:
        hands.message = f"scene {name}; u takes it back"


def _ask_scene(hands: Hands, player: Player, key: str) -> None:
    hands.prompt = Prompt(
        "go to the scene (name or number): ", lambda name: _go_to_scene(hands, player, name)
    )


def _ask_name(hands: Hands, player: Player, key: str) -> None:
    def save(name: str) -> None:
        player.board.set("/scene/save", name, ORIGIN)
        hands.message = f"the mix is kept as scene {name}"

    hands.prompt = Prompt("keep the mix as scene: ", save)


def _ask_value(hands: Hands, player: Player, key: str) -> None:
    address = selected(hands, player).fader
    scale = player.board.parameter(address).scale

    def put(text: str) -> None:
        _set(hands, player, address, scale.check(text))

    hands.prompt = Prompt(f"{address} ({scale.allowed}): ", put)


def _ask_address(hands: Hands, player: Player, key: str) -> None:
    def put(text: str) -> None:
        address, _, value = text.strip().partition(" ")
        parameter = player.board.parameter(address)
        _set(hands, player, address, parameter.scale.check(_read(value)) if value else parameter.default)

    hands.prompt = Prompt("address and value (/stem/vocals/send/cue -6): ", put)


def _read(text: str) -> object:
    """A value as it is typed."""
    return {"true": True, "on": True, "false": False, "off": False}.get(text.strip().lower(), text.strip())


def _learn(hands: Hands, player: Player, key: str) -> None:
    hands.learns = True
    hands.message = "learn: press the key of what a controller shall move (left/right: the fader, m: mute ..)"


def _reload(hands: Hands, player: Player, key: str) -> None:
    hands.reload = True


def _show_keys(hands: Hands, player: Player, key: str) -> None:
    hands.shows_keys = not hands.shows_keys


def _quit(hands: Hands, player: Player, key: str) -> None:
    hands.quit = True


def _seek(hands: Hands, player: Player, key: str) -> None:
    player.board.set("/transport/seek_s", SEEK_STEP_S if key in ("]", ".") else -SEEK_STEP_S, ORIGIN)


def _loop_start(hands: Hands, player: Player, key: str) -> None:
    player.board.set("/transport/loop_start", True, ORIGIN)
    hands.loop_start_s, hands.loop_end_s = _position_s(player), None
    hands.message = "loop starts here; b ends it"


def _loop_end(hands: Hands, player: Player, key: str) -> None:
    end_s = _position_s(player)
    player.board.set("/transport/loop_end", True, ORIGIN)
    hands.loop_start_s, hands.loop_end_s = hands.loop_start_s or 0.0, end_s
    hands.message = f"loop of {end_s - hands.loop_start_s:.1f} s; c ends it"


def _loop_off(hands: Hands, player: Player, key: str) -> None:
    hands.loop_start_s = hands.loop_end_s = None
    player.board.set("/transport/loop_off", True, ORIGIN)


def _position_s(player: Player) -> float:
    return player.transport.position_s if player.transport is not None else 0.0


_NO_FILE = "is for files: a card cannot be paused or wound"
_FILE: dict[str, Any] = {"needs": "/transport/play", "lacks": _NO_FILE}

BINDINGS: tuple[Binding, ...] = (
    Binding(("KEY_UP", "KEY_DOWN"), "up/down", "row", _select, is_basic=True),
    Binding(tuple("123456789"), "1-9", "stem", _pick),
    Binding(("KEY_LEFT", "KEY_RIGHT", "-", "+", "="), "left/right", "fader", _fader, is_basic=True),
    Binding(("<", ">"), "< >", "pan", _pan),
    Binding(("m",), "m", "mute", _button("mute"), is_basic=True),
    Binding(("s",), "s", "solo", _button("solo"), is_basic=True),
    Binding(("i",), "i", "polarity", _button("invert")),
    Binding(("h",), "h", "cue", _button("cue"), needs="/bus/cue/gain_db", lacks="needs a bus called cue"),
    Binding(("0",), "0", "fader as it was", _reset),
    Binding(("e",), "e", "enter a value", _ask_value),
    Binding((":",), ":", "any address", _ask_address),
    Binding(("d",), "d", "dry: the mixture as it is", _toggle("/bypass")),
    Binding(tuple(f"KEY_F{n}" for n in range(1, 13)), "F1-F12", "scene", _recall, is_basic=True),
    Binding(("g",), "g", "go to a scene", _ask_scene),
    Binding(("u",), "u", "undo the scene", _do("/scene/undo", True)),
    Binding(("w",), "w", "write a scene", _ask_name),
    Binding(("t",), "t", "record a take", _toggle("/record"), needs="/record", lacks="cannot record here"),
    Binding(("l",), "l", "learn", _learn, needs=LEARN, lacks="needs MIDI: `rtsep live --midi`"),
    Binding((" ",), "space", "pause", _toggle("/transport/play"), is_basic=True, **_FILE),
    Binding(("[", "]", ",", "."), "[ ]", "back/on 5 s", _seek, **_FILE),
    Binding(("a",), "a", "loop from here", _loop_start, **_FILE),
    Binding(("b",), "b", "loop to here", _loop_end, **_FILE),
    Binding(("c",), "c", "no loop", _loop_off, **_FILE),
    Binding(("r",), "r", "read settings anew", _reload, needs_settings=True),
    Binding(("?",), "?", "all keys", _show_keys, is_basic=True),
    Binding(("q",), "q", "quit", _quit, is_basic=True),
)

_BY_KEY = {key: binding for binding in BINDINGS for key in binding.keys}


def press(key: str, hands: Hands, player: Player) -> None:
    """Do what a key means; a key that means nothing does nothing.

    Parameters
    ----------
    key
        A character, or a name such as ``KEY_UP``.
    hands
        What is selected and marked; changed in place.
    player
        The session that the key moves.
    """
    try:
        if hands.prompt is not None:
            _write(key, hands, hands.prompt)
        else:
            _act(key if len(key) > 1 else key.lower(), hands, player)
    except UsageError as error:  # a loop of no length, say: the music goes on
        hands.message = str(error)


def _act(key: str, hands: Hands, player: Player) -> None:
    binding = _BY_KEY.get(key)
    if binding is None:
        hands.learns = hands.learns and key != "KEY_ESCAPE"
        return
    hands.message = ""
    if binding.works(player, hands):
        binding.action(hands, player, key)
    elif binding.needs_settings:
        hands.message = "there is no settings file to read anew: `rtsep live SETTINGS.yaml`"
    else:
        hands.message = f"{binding.label} {binding.lacks}"


def _write(key: str, hands: Hands, prompt: Prompt) -> None:
    """Go on with a line."""
    if key == "KEY_ENTER":
        hands.prompt, hands.message = None, ""
        if prompt.text:
            prompt.done(prompt.text)
    elif key == "KEY_ESCAPE":
        hands.prompt, hands.message = None, ""
    elif key in ("KEY_BACKSPACE", "KEY_DELETE"):
        prompt.text = prompt.text[:-1]
    elif len(key) == 1 and key.isprintable():
        prompt.text += key


def scene_names(board: Board) -> list[str]:
    """All scenes."""
    return [name for name in str(board["/scene/names"]).split(", ") if name]


def stepped(board: Board, address: str, n_steps: int) -> Value:
    """The value of a fader some steps further; of gains in dB, else in twentieths."""
    scale, value = board.parameter(address).scale, float(board[address])
    if isinstance(scale, Gain):
        return stepped_gain_db(value, n_steps * GAIN_STEP_DB, scale.high_db)
    assert isinstance(scale, Range), "a fader has one of these scales"
    return float(np.clip(round(value + n_steps * STEP, 6), scale.low, scale.high))


def stepped_gain_db(gain_db: float, step_db: float, highest_db: float) -> float:
    """A fader one step further: below the lowest mark lies silence, above the highest nothing."""
    if gain_db == -math.inf:
        return LOWEST_GAIN_DB if step_db > 0 else gain_db
    moved = gain_db + step_db
    return -math.inf if moved < LOWEST_GAIN_DB else min(moved, highest_db)


class Keyboard:
    """Single keys from the terminal, without Enter; outside of a terminal there are none.

    One of the two outputs has to be that terminal too, or nobody could see what the keys do: the other may be
    redirected.

    Used as a context manager, which gives the terminal back as it was. A shell that stops us (Ctrl-Z) leaves the
    terminal in lines; it is asked for keys again when we go on.

    Parameters
    ----------
    wanted
        False for a keyboard that is left alone.
    """

    def __init__(self, wanted: bool = True) -> None:
        shown = next(
            (one for one in (sys.__stdout__, sys.__stderr__) if one is not None and one.isatty()), None
        )
        self._terminal: blessed.Terminal | None = None
        if wanted and sys.stdin.isatty() and shown is not None:
            # Without styling blessed does not ask the terminal what it can, and wait for its answer: seconds, on some.
            self._terminal = blessed.Terminal(stream=shown, force_styling=None)
        self._stack = ExitStack()

    def __enter__(self) -> Keyboard:
        if self._terminal is not None:
            self._stack.enter_context(self._terminal.cbreak())
            if CONTINUED is not None:
                self._stack.callback(signal.signal, CONTINUED, signal.getsignal(CONTINUED))
                signal.signal(CONTINUED, self._go_on)
        return self

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        assert self._terminal is not None
        self._stack.enter_context(self._terminal.cbreak())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def works(self) -> bool:
        """Whether keys can come from here."""
        return self._terminal is not None

    def read(self, timeout_s: float) -> str | None:
        """The next key: a character or a name; none when none comes in time."""
        if self._terminal is None:
            return None
        stroke = self._terminal.inkey(timeout=timeout_s)
        return (stroke.name if stroke.is_sequence else str(stroke)) or None
