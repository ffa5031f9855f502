"""Where a performer stands: the board of a session, its scenes, and what takes time when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from rtsep.board import Board, Control
from rtsep.deck import Deck
from rtsep.errors import DeviceError
from rtsep.io.cards import Card, lasting_name, list_cards
from rtsep.io.feedback import WARNING, may_howl
from rtsep.knobs import mix_controls, scene_controls, transport_controls
from rtsep.mixer import Mixer
from rtsep.parameters import ROWS
from rtsep.scales import Text, Value
from rtsep.scenes import Scenes, SceneStore
from rtsep.settings import LiveSettings
from rtsep.stream import Latency
from rtsep.transport import Transport
from rtsep.wishes import Wish, Wishes
from rtsep.zoo import list_models

REFRESH_S = 1 / 30
WRITE_S = 30.0  # for a disk to wake up, or a card of memory to be done with its own affairs


class Session(Protocol):
    """What is played on: a `rtsep.host.Host`."""

    @property
    def settings(self) -> LiveSettings:
        """Those that it plays by."""

    @property
    def model_name(self) -> str:
        """The model that makes them."""

    @property
    def mix(self) -> Mixer:
        """The faders."""

    @property
    def transport(self) -> Transport | None:
        """The tape machine, if the input is a file."""

    @property
    def cards(self) -> tuple[Card | None, Card | None]:
        """At the input and the output."""

    @property
    def latency(self) -> Latency:
        """From input to output."""

    @property
    def is_recording(self) -> bool:
        """Whether a take is written now."""

    def record(self, on: bool, /) -> None:
        """Begin or end a take."""

    def change(self, settings: LiveSettings, /) -> int:
        """Play by other settings; by how many samples the latency has grown."""


class Podium:
    """The board of a session, and all that stands behind it.

    Parameters
    ----------
    session
        What is played on.
    stems
        Gives those that play now.
    scenes
        Where scenes are kept.

    Attributes
    ----------
    board : Board
        Everything that can be moved, by its address.
    scenes : Scenes
        What recalls them.
    message : str
        What became of the last change that took time; at first `notice`.
    notice : str
        What a person should know of the file of the scenes before it starts; empty: nothing.
    """

    def __init__(self, session: Session, stems: Callable[[], tuple[str, ...]], scenes: SceneStore) -> None:
        self._session, self._stems = session, stems
        self.board = Board(together=session.mix.together)
        self.message = self.notice = scenes.complaint
        self._is_over = threading.Event()
        # A take need not wait for a model that is being loaded, nor a jump for a scene that is being written.
        # What plays can be changed as soon as it does.
        self._changes, self._takes, self._jumps = (Wishes(self._say, is_held=True) for _ in range(3))
        self._held = (self._changes, self._takes, self._jumps)
        self._writes = Wishes(self._say)
        self._deck = Deck(lambda: session.transport, self._jumps.ask)
        self._store = scenes
        fade_s = session.settings.control.scene_fade_s
        self.scenes = Scenes(self.board, session.mix, scenes, stems, self._writes.ask, fade_s)
        self.put_controls()

    def _say(self, message: str) -> None:
        self.message = message

    def open(self) -> None:
        """It plays: do what was asked for, and find what changes by itself, as an ended take, until it is closed."""
        for wishes in self._held:
            wishes.begin()
        threading.Thread(target=self._watch, name="rtsep-board", daemon=True).start()

    def _watch(self) -> None:
        while not self._is_over.wait(REFRESH_S):
            try:
                self.board.refresh()
            except (
                Exception
            ) as error:  # it must not end unseen with its thread: the next look may be in order
                self._say(f"an error in rtsep, which should be reported: {error!r}")

    def close(self) -> None:
        """Begin nothing more, but for scenes that are still to be written."""
        self._is_over.set()
        self.board.close()
        for wishes in self._held:
            wishes.close()
        self.scenes.keep_rest()
        self._writes.seal()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for what was asked for and is under way; longer for scenes, which must not be lost."""
        for wishes in self._held:
            wishes.join(timeout_s)
        self._writes.join(WRITE_S)

    @property
    def unwritten(self) -> str:
        """What a person should know at the end of the scenes that could not be kept; empty if all were."""
        names = ", ".join(self._store.unwritten)
        return f"Scenes that could not be written to {self._store.path}: {names}." if names else ""

    def put_controls(self) -> None:
        """Have on the board all that can be moved with what plays now."""
        self.board.replace(self._controls())

    def ask(
        self, what: str, doing: str, settings: Callable[[], LiveSettings], done: Callable[[], str] = str
    ) -> None:
        """See `Host.ask`."""

        def change() -> str:
            said = self._change(settings())
            return done() + said

        self._have_done(self._changes, what, doing, change)

    def _have_done(self, wishes: Wishes, what: str, doing: str, wish: Wish) -> None:
        """Have it done beside, and everybody told then where that stands."""

        def do() -> str:
            try:
                return wish()
            finally:  # also whoever asked, and did not get it
                self.board.remind(what)

        wishes.ask(what, doing, do)

    def _change(self, settings: LiveSettings) -> str:
        session, cards = self._session, self._session.cards
        n_samples = session.change(settings)
        latency = session.latency
        ms, total_ms = latency.ms(abs(n_samples)), latency.ms(latency.total_samples)
        moved = f" {ms:.0f} ms were {'repeated' if n_samples > 0 else 'left out'}." if n_samples else ""
        is_new = session.cards != cards and not session.settings.input.endpoint.is_desktop
        howls = f" {WARNING}" if is_new and may_howl(*session.cards) else ""
        return f"{session.model_name} plays; latency {total_ms:.0f} ms.{moved}{howls}"

    def _controls(self) -> Iterator[Control]:
        session = self._session
        yield from mix_controls(session.mix, self._stems())
        yield from transport_controls(self._deck)
        yield from scene_controls(self.scenes)
        yield Control(ROWS["/record"], lambda: session.is_recording, self._record)
        yield self._wish("/input/source", lambda: session.settings.input.source, self._inputs())
        models = [entry.name for entry in list_models()]
        yield self._wish("/model/name", lambda: session.settings.model.name or session.model_name, models)
        yield self._wish("/model/latency", lambda: str(session.settings.model.latency))
        yield Control(ROWS["/message"], lambda: self.message, lambda value: None)

    def _record(self, value: Value) -> None:
        def record() -> str:
            self._session.record(bool(value))
            return "recording" if value else "the take is written"

        doing = "opening the files ..." if value else "finishing the files ..."
        self._have_done(self._takes, "/record", doing, record)

    def _wish(self, address: str, get: Callable[[], str], options: Sequence[str] | None = None) -> Control:
        """A setting that takes time.

        Of what is a path as well, only options can be chosen: a surface on a net must not open any file there is.
        """
        group, key = address.strip("/").split("/")
        row = ROWS[address]
        if options is not None:
            row = replace(row, scale=Text(tuple(dict.fromkeys((get(), *options))), 1024))

        def set_(value: Value) -> None:
            tree = {group: {key: value}}
            self.ask(
                address, f"{key} {value} ...", lambda: self._session.settings.with_overrides(tree, address)
            )

        return Control(row, get, set_)

    def _inputs(self) -> list[str]:
        """The inputs that can be chosen while it plays: the cards, if there are any in it."""
        if not any(self._session.cards):
            return []
        with suppress(DeviceError):
            cards = [card for card in list_cards() if card.n_inputs]
            return [f"device:{lasting_name(card, 'input')}" for card in cards]
        return []
