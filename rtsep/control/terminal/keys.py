"""The mixer under ten fingers: one table says which key does what, and the help is printed from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rtsep.board import Board
from rtsep.control.player import Player
from rtsep.control.terminal.hands import Hands, selected
from rtsep.control.terminal.prompts import Prompt
from rtsep.control.terminal.rows import rows
from rtsep.control.terminal.steps import stepped
from rtsep.errors import UsageError
from rtsep.scales import Value

SEEK_STEP_S = 5.0
ORIGIN = "keys"
LEARN = "/midi/learn"

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
        player.board.set(LEARN, address, ORIGIN)
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
    player.board.set("/scene/recall", name, ORIGIN)
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
    hands.message = "loop starts here; b ends it"


def _loop_end(hands: Hands, player: Player, key: str) -> None:
    board = player.board
    board.set("/transport/loop_end", True, ORIGIN)
    length_s = float(board["/transport/loop_end_s"]) - float(board["/transport/loop_start_s"])
    hands.message = f"loop of {length_s:.1f} s; c ends it"


def _loop_off(hands: Hands, player: Player, key: str) -> None:
    player.board.set("/transport/loop_off", True, ORIGIN)


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
    """Go on with a line; Enter has it done, Escape does not."""
    if key not in ("KEY_ENTER", "KEY_ESCAPE"):
        prompt.write(key)
        return
    hands.prompt, hands.message = None, ""
    if key == "KEY_ENTER" and prompt.text:
        prompt.done(prompt.text)


def scene_names(board: Board) -> list[str]:
    """All scenes."""
    return [name for name in str(board["/scene/names"]).split(", ") if name]
