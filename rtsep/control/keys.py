"""The mixer under ten fingers: one table says which key does what, and the help is printed from it."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType, TracebackType

import blessed

from rtsep.control.player import Player, Transport
from rtsep.errors import UsageError

GAIN_STEP_DB = 1.0
LOWEST_GAIN_DB = -60.0  # one step below is silence
HIGHEST_GAIN_DB = 24.0
SEEK_STEP_S = 5.0

#: What comes after Ctrl-Z and `fg`; Windows has neither.
CONTINUED: signal.Signals | None = getattr(signal, "SIGCONT", None)


@dataclass
class Hands:
    """What the keys remember between two presses.

    `selected` counts stems from 0; the loop marks are in seconds of the file; `message` answers the last
    key; `quit` asks for the end, `reload` for the settings to be read anew; `can_press` says whether any key can
    come, `can_reload` whether there are settings to be read.
    """

    selected: int = 0
    loop_start_s: float | None = None
    loop_end_s: float | None = None
    message: str = ""
    quit: bool = False
    reload: bool = False
    can_reload: bool = False
    can_press: bool = True


Action = Callable[[Hands, Player, str], None]


@dataclass(frozen=True)
class Binding:
    """Keys, how they are printed, what they do in words, and what they do."""

    keys: tuple[str, ...]
    label: str
    what: str
    action: Action
    needs_file: bool = False
    needs_settings: bool = False


def _selected(hands: Hands, player: Player) -> str:
    """The stem that is selected; a model that came while it played may make fewer than there were."""
    stems = player.stems
    return stems[min(hands.selected, len(stems) - 1)]


def _select(hands: Hands, player: Player, key: str) -> None:
    hands.selected = (hands.selected + (1 if key == "KEY_DOWN" else -1)) % len(player.stems)


def _pick(hands: Hands, player: Player, key: str) -> None:
    if int(key) <= len(player.stems):
        hands.selected = int(key) - 1


def _gain(hands: Hands, player: Player, key: str) -> None:
    step_db = GAIN_STEP_DB if key in ("KEY_RIGHT", "+", "=") else -GAIN_STEP_DB
    stem = _selected(hands, player)
    gain_db = stepped_gain_db(player.mix.state[stem].gain_db, step_db)
    player.mix.set_gain_db(stem, gain_db)
    hands.message = f"{stem} {format_db(gain_db)}"


def _mute(hands: Hands, player: Player, key: str) -> None:
    stem = _selected(hands, player)
    player.mix.set_mute(stem, not player.mix.state[stem].mute)


def _solo(hands: Hands, player: Player, key: str) -> None:
    stem = _selected(hands, player)
    player.mix.set_solo(stem, not player.mix.state[stem].solo)


def _reset(hands: Hands, player: Player, key: str) -> None:
    player.mix.set_gain_db(_selected(hands, player), 0.0)


def _reload(hands: Hands, player: Player, key: str) -> None:
    hands.reload = True


def _quit(hands: Hands, player: Player, key: str) -> None:
    hands.quit = True


def _pause(hands: Hands, player: Player, key: str) -> None:
    transport = _transport(player)
    transport.pause(not transport.paused)


def _seek(hands: Hands, player: Player, key: str) -> None:
    _transport(player).seek(SEEK_STEP_S if key in ("]", ".") else -SEEK_STEP_S)


def _loop_start(hands: Hands, player: Player, key: str) -> None:
    hands.loop_start_s, hands.loop_end_s = _transport(player).position_s, None
    _transport(player).loop(None, None)
    hands.message = "loop starts here; b ends it"


def _loop_end(hands: Hands, player: Player, key: str) -> None:
    transport = _transport(player)
    start_s, end_s = hands.loop_start_s or 0.0, transport.position_s
    transport.loop(start_s, end_s)
    hands.loop_start_s, hands.loop_end_s = start_s, end_s
    hands.message = f"loop of {end_s - start_s:.1f} s; c ends it"


def _loop_clear(hands: Hands, player: Player, key: str) -> None:
    hands.loop_start_s = hands.loop_end_s = None
    _transport(player).loop(None, None)


def _transport(player: Player) -> Transport:
    """The tape machine of a player that `press` has found to have one."""
    assert player.transport is not None
    return player.transport


BINDINGS: tuple[Binding, ...] = (
    Binding(("KEY_UP", "KEY_DOWN"), "up/down", "stem", _select),
    Binding(tuple("123456789"), "1-9", "stem", _pick),
    Binding(("KEY_LEFT", "KEY_RIGHT", "-", "+", "="), "left/right", "gain", _gain),
    Binding(("m",), "m", "mute", _mute),
    Binding(("s",), "s", "solo", _solo),
    Binding(("0",), "0", "gain to 0 dB", _reset),
    Binding((" ",), "space", "pause", _pause, needs_file=True),
    Binding(("[", "]", ",", "."), "[ ]", "back/on 5 s", _seek, needs_file=True),
    Binding(("a",), "a", "loop from here", _loop_start, needs_file=True),
    Binding(("b",), "b", "loop to here", _loop_end, needs_file=True),
    Binding(("c",), "c", "no loop", _loop_clear, needs_file=True),
    Binding(("r",), "r", "read settings anew", _reload, needs_settings=True),
    Binding(("q",), "q", "quit", _quit),
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
    binding = _BY_KEY.get(key if len(key) > 1 else key.lower())
    if binding is None:
        return
    hands.message = ""
    if binding.needs_file and player.transport is None:
        hands.message = f"{binding.label} is for files: a card cannot be paused or wound"
        return
    if binding.needs_settings and not hands.can_reload:
        hands.message = "there is no settings file to read anew: `rtsep live SETTINGS.yaml`"
        return
    try:
        binding.action(hands, player, key if len(key) > 1 else key.lower())
    except UsageError as error:  # a loop of no length, say: the music goes on
        hands.message = str(error)


def stepped_gain_db(gain_db: float, step_db: float) -> float:
    """A fader one step further: below the lowest mark lies silence, above the highest nothing."""
    if gain_db == -math.inf:
        return LOWEST_GAIN_DB if step_db > 0 else gain_db
    stepped = gain_db + step_db
    return -math.inf if stepped < LOWEST_GAIN_DB else min(stepped, HIGHEST_GAIN_DB)


def format_db(gain_db: float) -> str:
    """A gain as people write it, eight characters wide at most."""
    return "-inf dB" if gain_db == -math.inf else f"{gain_db:+.1f} dB"


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
