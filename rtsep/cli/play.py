"""A live session with its screen and its keys: what `live` and `demo` have in common."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rtsep.cli.console import aside, is_one_terminal, say
from rtsep.cli.interrupts import interruptible
from rtsep.cli.pictures import Pictures
from rtsep.cli.surfaces import surfaces
from rtsep.control.terminal.fingers import Fingers
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keyboard import Keyboard
from rtsep.control.terminal.screen import Screen
from rtsep.errors import AudioFileError, RtsepError
from rtsep.whole import replacing
from rtsep.wishes import Wishes

if TYPE_CHECKING:
    from rtsep.host import Host
    from rtsep.resume import Standing
    from rtsep.settings import LiveSettings

PICTURES_PER_S = 15
KEEP_S = 3.0  # for the last note, when all else is done
KEEP_EVERY_S = 5.0  # of a mix, and of a song, that a crash could lose

Turn = Callable[[Hands], None]
Account = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Note = Callable[["Standing"], None]


class Written(Protocol):
    """Settings that a person writes while they are played by."""

    def read(self) -> LiveSettings:
        """As they are now."""

    def accept(self) -> None:
        """It plays by what was read last."""


def play(
    host: Host,
    *,
    keys: bool,
    turn: Turn = lambda hands: None,
    stats_json: Path | None = None,
    written: Written | None = None,
    account: Account = dict,
    note: Note | None = None,
) -> None:
    """Run a session until its input ends, or until q, Ctrl-C or SIGTERM; all are a good end.

    However it ends, also by a card that is gone, it leaves its account.

    Parameters
    ----------
    host
        The session, not yet started.
    keys
        Whether the keyboard moves the mix.
    turn
        Called before every picture; ends the session by ``hands.quit = True``.
    stats_json
        A file for the account, besides the lines on the screen.
    written
        Settings that a key has read anew; None: no such key.
    account
        Makes what is written there of what the session counted.
    note
        Keeps where it stands for the next session; None: that is forgotten.

    What broke while the music went on is left for the caller to ask for, with ``host.check()``.
    """
    hands = Hands(can_reload=written is not None)
    if host.notice is not None:
        say(host.notice)
    keeper = Keeper(host, note)
    ended = partial(setattr, hands, "quit", True)
    with interruptible(ended), aside() as (teller, out), started(host, hands) as let_go:
        try:
            say(f"{host.model_name}: {', '.join(host.stems)}. Latency {host.latency}.")
            with (
                Keyboard(keys) as keyboard,
                Pictures(teller, Screen(out, host, hands), holds_words=is_one_terminal()) as pictures,
                Fingers(keyboard, hands, host) as fingers,
            ):
                hands.can_press = keyboard.works
                if not keyboard.works:
                    say("Ctrl-C ends it.")
                follow(host, hands, written, keyboard, fingers, pictures, turn, keeper)
        finally:
            let_go()
            keeper.look()
            host.stop()
            keeper.finish()
            for line in host.summary():
                say(line)
            if stats_json is not None:
                write_stats(stats_json, account(host.stats()))


@contextmanager
def started(host: Host, hands: Hands) -> Iterator[Callable[[], None]]:
    """A session with its surfaces; what is wrong with one of these is said before there is any sound.

    Yields
    ------
    callable
        Closes the surfaces: nobody moves a session that stops.
    """
    try:
        with ExitStack() as opened:
            hands.invitation = opened.enter_context(surfaces(host))
            host.start()
            yield opened.close
    finally:  # whatever it was
        host.stop()


class Keeper:
    """Has it noted from time to time where a session stands, beside the keys and the screen: a disk may be slow.

    Parameters
    ----------
    host
        The session.
    note
        Does it; None: nobody wants to know.
    """

    def __init__(self, host: Host, note: Note | None) -> None:
        self._host, self._note, self._next_s = host, note, 0.0
        self._wishes = Wishes()
        self._last: Standing | None = None
        self._is_kept = threading.Event()
        self._is_kept.set()

    def turn(self) -> None:
        """Do it, if it is time."""
        if self._note is not None and time.monotonic() >= self._next_s:
            self.look()

    def look(self) -> None:
        """Have it done of where the session stands now. What has ended begins anew the next time."""
        if self._note is None:
            return
        self._next_s = time.monotonic() + KEEP_EVERY_S
        try:
            now = self._host.now()
        except Exception as error:
            self._give_up(error)
            return
        self._last = now.model_copy(update={"place": None}) if self._host.done else now
        self._is_kept.clear()
        self._wishes.ask("note", "", partial(self._keep, self._last))

    def finish(self) -> None:
        """Wait until it is done, but for no disk that hangs: the session has ended."""
        self._wishes.seal()
        if not self._is_kept.wait(KEEP_S):
            say(
                f"warning: where the session stood was not kept for the next time: the disk took over {KEEP_S:g} s"
            )

    def _keep(self, standing: Standing) -> str:
        """Do it; that it cannot be done is said once."""
        try:
            if self._note is not None:
                self._note(standing)
        except Exception as error:
            self._give_up(error)
        if standing is self._last:
            self._is_kept.set()
        return ""

    def _give_up(self, error: Exception) -> None:
        """Whatever it is, the music goes on."""
        reason = error if isinstance(error, (OSError, RtsepError)) else repr(error)
        say(f"warning: where the session stands cannot be kept for the next time: {reason}")
        self._note = None


def follow(
    host: Host,
    hands: Hands,
    written: Written | None,
    keyboard: Keyboard,
    fingers: Fingers,
    pictures: Pictures,
    turn: Turn,
    keeper: Keeper,
) -> None:
    """Picture after picture, until it is over; one at once after a key."""
    shown, known = host.message, None
    while not hands.quit and not host.wait(0.0 if keyboard.works else 1 / PICTURES_PER_S):
        turn(hands)
        if hands.reload and written is not None:
            hands.reload = False
            reload(host, written)
        if (message := host.message) is not shown:
            hands.message = shown = message
        if (error := host.error) is not known:
            known = error
            if error is not None:  # another model has taken the place of what broke
                say(f"warning: {error} The music goes on.")
        for line in host.news():
            say(line)
        keeper.turn()
        if keyboard.was_away:
            keyboard.was_away = False
            pictures.begin_anew()
        pictures.show()
        if keyboard.works:
            fingers.wait(1 / PICTURES_PER_S)


def reload(host: Host, written: Written) -> None:
    """Have it play by the settings as they are written now."""

    def accepted() -> str:
        written.accept()
        return "The settings are read anew; "

    host.ask("settings", "reading the settings anew ...", written.read, accepted)


def write_stats(path: Path, stats: Mapping[str, Any]) -> None:
    """Write the account of a session as JSON; the file is replaced whole or not at all.

    Raises
    ------
    AudioFileError
        The file cannot be written.
    """
    text = json.dumps(_finite(stats), indent=2, allow_nan=False)
    try:
        with replacing(path) as file:
            file.write(f"{text}\n".encode())
    except OSError as error:
        raise AudioFileError(f"{path} cannot be written: {error.strerror or error}") from error


def _finite(value: Any) -> Any:
    """Plain values for JSON, which has no infinity: that becomes text, as people write it in YAML."""
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, Path) else value
