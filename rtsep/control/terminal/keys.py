"""The mixer under ten fingers: one table says which key does what, and the help is printed from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rtsep.board import Board
from rtsep.control.player import Player
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.prompts import Prompt, address_lines, split, typed, words
from rtsep.control.terminal.rows import MIXER, SESSION, rows
from rtsep.control.terminal.steps import stepped
from rtsep.errors import UsageError
from rtsep.parameters import Parameter
from rtsep.scales import Switch, Text, Value, as_names, as_number

SEEK_STEP_S = 5.0
ORIGIN = "keys"
LEARN = "/midi/learn"
RECALL = "/scene/recall"
SEEK = "/transport/seek_s"

Action = Callable[[Hands, Player, str], None]


@dataclass(frozen=True)
class Binding:
    """Keys, how they are printed, what they do in words, and what they do.

    `needs` is an address without which there is nothing for them to do, `has` what the hands must have for it, and
    `lacks` says why there is nothing; `is_basic` keys are always on the screen.
    """

    keys: tuple[str, ...]
    label: str
    what: str
    action: Action
    needs: str = ""
    has: Callable[[Hands], object] = lambda hands: True
    lacks: str = ""
    is_basic: bool = False

    def works(self, player: Player, hands: Hands) -> bool:
        """Whether there is something for them to do."""
        return (not self.needs or self.needs in player.board) and bool(self.has(hands))


def _select(hands: Hands, player: Player, key: str) -> None:
    view = hands.look(player.board)
    step = 1 if key == "KEY_DOWN" else -1
    hands.choose(view.page, view.rows, (view.place + step) % len(view.rows))


def _pick(hands: Hands, player: Player, key: str) -> None:
    """Select a stem; if the page of another strip is open, the same row of its own."""
    view, mixer = hands.look(player.board), rows(player.board)
    numbers = [row.number for row in mixer]
    if int(key) not in numbers:
        return
    place = numbers.index(int(key))
    hands.choose(MIXER, mixer, place)
    if view.page not in (MIXER, SESSION):
        own = rows(player.board, mixer[place].page)
        labels = [row.label for row in own]
        hands.choose(mixer[place].page, own, labels.index(view.row.label) if view.row.label in labels else 0)


def _turn_page(hands: Hands, player: Player, key: str) -> None:
    view = hands.look(player.board)
    hands.leaf, hands.page = None, view.row.page if view.page == MIXER else MIXER


def _back(hands: Hands, player: Player, key: str) -> None:
    """What was begun is left; if nothing was, the page."""
    if hands.learns or hands.leaf is not None:
        hands.learns, hands.leaf = False, None
    else:
        hands.page = MIXER


def _learnt(hands: Hands, player: Player, address: str, name: str = "") -> bool:
    """Whether a key only says what a controller shall move, or by which name it shall set it."""
    if not hands.learns:
        return False
    player.board.set(LEARN, f"{address}={name}" if name else address, ORIGIN)
    hands.learns = False
    hands.message = f"{address}: move the knob, or press the button, that shall have it"
    return True


def _set(hands: Hands, player: Player, address: str, value: Value) -> None:
    """Move a parameter, or say that it is what a controller shall move."""
    if not _learnt(hands, player, address):
        player.board.set(address, value, ORIGIN)
        hands.message = f"{address} {player.board.parameter(address).scale.tell(value)}"


def _selected(hands: Hands, player: Player) -> Parameter:
    """What left and right move.

    Raises
    ------
    UsageError
        The row only opens a page, or tells something.
    """
    row = hands.look(player.board).row
    if not row.address:
        raise UsageError(f"{row.label} has no fader; Tab opens what is in it")
    parameter = player.board.parameter(row.address)
    if parameter.kind == "told":
        raise UsageError(f"{row.address} tells something; it cannot be set")
    return parameter


def _fader(hands: Hands, player: Player, key: str) -> None:
    parameter, step = _selected(hands, player), 1 if key in ("KEY_RIGHT", "+", "=") else -1
    address, scale = parameter.address, parameter.scale
    if parameter.kind == "held" and isinstance(scale, Text):
        _leaf(hands, player, parameter, step)
    elif parameter.kind == "held":
        _set(hands, player, address, stepped(scale, player.board[address], step))
    elif not _learnt(hands, player, address):
        hands.message = f"{address} does not stand anywhere; Enter does it"


def _leaf(hands: Hands, player: Player, parameter: Parameter, step: int) -> None:
    """Look at another choice. Taken at once, those on the way to it would be heard: another card, another model."""
    address, now = parameter.address, player.board[parameter.address]
    if _learnt(hands, player, address):
        return
    value = stepped(parameter.scale, hands.leafed(address, now), step)
    hands.leaf = None if value == now else (address, value)
    alone = "" if len(words(parameter.scale)) > 1 else ", and there is no other"
    hands.message = f"{address}: Enter takes {value}" if hands.leaf else f"{address} is {value}{alone}"


def _enter(hands: Hands, player: Player, key: str) -> None:
    """Open a row of the mixer; press, take or write what a row of a page holds."""
    if hands.look(player.board).page == MIXER:
        _turn_page(hands, player, key)
        return
    parameter = _selected(hands, player)
    address, is_held = parameter.address, parameter.kind == "held"
    if hands.leaf is not None and hands.leaf[0] == address:
        _, value = hands.leaf
        hands.leaf = None
        _set(hands, player, address, value)
    elif isinstance(parameter.scale, Switch):
        _set(hands, player, address, not player.board[address] if is_held else parameter.default)
    else:
        _ask_value(hands, player, key)


def _reset(hands: Hands, player: Player, key: str) -> None:
    parameter = _selected(hands, player)
    if parameter.kind != "held":
        raise UsageError(f"{parameter.address} does not stand anywhere; Enter does it")
    _set(hands, player, parameter.address, parameter.default)


def _button(field: str) -> Action:
    """A key that presses a button of the strip that is selected."""

    def press_button(hands: Hands, player: Player, key: str) -> None:
        address = _beside(hands, player, field)
        _set(hands, player, address, not player.board[address])

    return press_button


def _pan(hands: Hands, player: Player, key: str) -> None:
    board, address, step = player.board, _beside(hands, player, "pan"), 1 if key == ">" else -1
    _set(hands, player, address, stepped(board.parameter(address).scale, board[address], step))


def _beside(hands: Hands, player: Player, field: str) -> str:
    """The address of something that the strip may have."""
    strip = hands.look(player.board).strip(player.board)
    if (address := strip.beside(field)) not in player.board:
        raise UsageError(f"{strip.label} has no {field}")
    return address


def _toggle(address: str) -> Action:
    """A key that turns something of the session on and off."""
    return lambda hands, player, key: _set(hands, player, address, not player.board[address])


def _do(address: str) -> Action:
    """A key that presses a button of the session."""

    def press_button(hands: Hands, player: Player, key: str) -> None:
        if not _learnt(hands, player, address):
            player.board.set(address, True, ORIGIN)

    return press_button


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
    if not _learnt(hands, player, RECALL, name):
        player.board.set(RECALL, name, ORIGIN)
        hands.message = f"scene {name}; u takes it back"


def _ask_scene(hands: Hands, player: Player, key: str) -> None:
    hands.prompt = Prompt(
        "go to the scene (name or number): ",
        lambda name: _go_to_scene(hands, player, name),
        lambda text: scene_names(player.board),
    )


def _ask_name(hands: Hands, player: Player, key: str) -> None:
    def save(name: str) -> None:
        player.board.set("/scene/save", name, ORIGIN)
        hands.message = f"the mix is kept as scene {name}"

    def ask_again(name: str) -> None:
        if name in scene_names(player.board):
            hands.prompt = Prompt(
                f"there is a scene {name}; replace it? (yes) ",
                lambda answer: save(name) if "yes".startswith(answer.strip().lower()) else None,
            )
        else:
            save(name)

    hands.prompt = Prompt("keep the mix as scene: ", ask_again, lambda text: scene_names(player.board))


def _ask_value(hands: Hands, player: Player, key: str) -> None:
    parameter = _selected(hands, player)
    address, scale = parameter.address, parameter.scale
    hands.prompt = Prompt(
        f"{address} ({scale.allowed}): ",
        lambda text: _set(hands, player, address, typed(scale, text)),
        lambda text: words(scale),
    )


def _ask_address(hands: Hands, player: Player, key: str) -> None:
    def put(line: str) -> None:
        address, value = split(player.board, line.strip())
        parameter = player.board.parameter(address)
        _set(hands, player, address, parameter.default if value is None else typed(parameter.scale, value))

    label = "address and value, Tab completes: "
    hands.prompt = Prompt(label, put, lambda text: address_lines(player.board, text))


def _learn(hands: Hands, player: Player, key: str) -> None:
    hands.learns = True
    hands.message = "learn: press the key of what a controller shall move (left/right: the fader, m: mute ..)"


def _reload(hands: Hands, player: Player, key: str) -> None:
    hands.reload = True


def _help(hands: Hands, player: Player, key: str) -> None:
    hands.n_helps += 1


def _quit(hands: Hands, player: Player, key: str) -> None:
    hands.quit = True


def _invite(hands: Hands, player: Player, key: str) -> None:
    hands.notice = () if hands.notice else hands.invitation


def _seek(hands: Hands, player: Player, key: str) -> None:
    if not _learnt(hands, player, SEEK):
        player.board.set(SEEK, SEEK_STEP_S if key in ("]", ".") else -SEEK_STEP_S, ORIGIN)


def _loop_start(hands: Hands, player: Player, key: str) -> None:
    _do("/transport/loop_start")(hands, player, key)
    hands.message = hands.message or "loop starts here; b ends it"


def _loop_end(hands: Hands, player: Player, key: str) -> None:
    start_s = as_number(player.board["/transport/loop_start_s"])
    end_s = player.transport.position_s if player.transport is not None else start_s
    _do("/transport/loop_end")(hands, player, key)
    hands.message = hands.message or f"loop of {end_s - start_s:.1f} s; c ends it"


_NO_FILE = "is for files: a card cannot be paused or wound"
_NO_SETTINGS = "reads a settings file anew, and there is none: `rtsep live SETTINGS.yaml`"
_NO_WEB = "shows the link to the mixer in the browser, which needs `rtsep live --web`"
_FILE: dict[str, Any] = {"needs": "/transport/play", "lacks": _NO_FILE}

BINDINGS: tuple[Binding, ...] = (
    Binding(("KEY_UP", "KEY_DOWN"), "up/down", "row", _select, is_basic=True),
    Binding(tuple("123456789"), "1-9", "stem", _pick),
    Binding(("KEY_LEFT", "KEY_RIGHT", "-", "+", "="), "left/right", "fader", _fader, is_basic=True),
    Binding(("KEY_TAB",), "Tab", "details", _turn_page, is_basic=True),
    Binding(("KEY_ENTER",), "Enter", "open or do", _enter, is_basic=True),
    Binding(("KEY_ESCAPE",), "Esc", "back", _back),
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
    Binding(("u",), "u", "undo the scene", _do("/scene/undo")),
    Binding(("w",), "w", "write a scene", _ask_name),
    Binding(("t",), "t", "record a take", _toggle("/record"), needs="/record", lacks="cannot record here"),
    Binding(("l",), "l", "learn", _learn, needs=LEARN, lacks="needs MIDI: `rtsep live --midi`"),
    Binding((" ",), "space", "pause", _toggle("/transport/play"), is_basic=True, **_FILE),
    Binding(("[", "]", ",", "."), "[ ]", "back/on 5 s", _seek, **_FILE),
    Binding(("a",), "a", "loop from here", _loop_start, **_FILE),
    Binding(("b",), "b", "loop to here", _loop_end, **_FILE),
    Binding(("c",), "c", "no loop", _do("/transport/loop_off"), **_FILE),
    Binding(
        ("r",), "r", "read settings anew", _reload, has=lambda hands: hands.can_reload, lacks=_NO_SETTINGS
    ),
    Binding(("j",), "j", "join by browser", _invite, has=lambda hands: hands.invitation, lacks=_NO_WEB),
    Binding(("?",), "?", "all keys", _help, is_basic=True),
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
    before = hands.notice
    try:
        if hands.prompt is not None:
            _write(key, hands, hands.prompt)
        else:
            _act(key if len(key) > 1 else key.lower(), hands, player)
    except UsageError as error:  # a loop of no length, say: the music goes on
        hands.message = str(error)
    if hands.notice is before:
        hands.notice = ()


def _act(key: str, hands: Hands, player: Player) -> None:
    if (binding := _BY_KEY.get(key)) is None:
        return
    hands.message = ""
    if binding.works(player, hands):
        binding.action(hands, player, key)
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


def scene_names(board: Board) -> tuple[str, ...]:
    """All scenes."""
    return as_names(board["/scene/names"])
