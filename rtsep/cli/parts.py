"""A live session in its parts: one, or several when its card was lost in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from rtsep.cli.again import Loading, start_again, wait_for_cards
from rtsep.cli.console import aside, getting_ready, say
from rtsep.cli.left import Notebook
from rtsep.cli.play import play, write_stats
from rtsep.control.terminal.bars import clock
from rtsep.control.terminal.keyboard import Keyboard
from rtsep.errors import CardLostError, DeviceError, UsageError
from rtsep.io.cards import Card
from rtsep.io.feedback import WARNING, may_howl
from rtsep.resume import Session
from rtsep.settings import LiveSettings

if TYPE_CHECKING:
    from rtsep.host import Host
    from rtsep.separation import Model


def run(session: Session) -> None:
    """Play a session and leave its account; when its card is lost, go on in another process."""
    if (following := play_part(session)) is not None:
        start_again(following)


def go_on(session: Session) -> None:
    """The same in that process, which comes back also at a terminal that takes nothing: nobody may be there to see."""
    with aside():
        following = play_when_back(session)
    if following is not None:
        start_again(following)


def play_when_back(session: Session) -> Session | None:
    """Wait for the card, until nobody wants to any more, and load the model meanwhile; then play."""
    stats_json = session.settings.control.stats_json
    with Loading(session.settings) as loading:
        if is_back := wait_for_cards(session):
            say(where(session))
            model = loading.model()
    if is_back:
        return play_part(session, model)
    if stats_json is not None:
        write_stats(stats_json, session.last_account(time.monotonic()))
    return None


def play_part(session: Session, model: Model | None = None) -> Session | None:
    """Play until the end, or until the card is lost; what goes on then."""
    # The keyboard now already: what is typed while the model is loaded is not echoed.
    with Keyboard(session.settings.control.keys):
        return _play_part(session, model)


def _play_part(session: Session, model: Model | None) -> Session | None:
    control, is_free = session.settings.control, session.settings.output.clock == "free"
    notebook = Notebook(session)
    check_source(session.settings)
    try:
        host = open_host(session, model)
        play(
            host,
            keys=control.keys,
            stats_json=control.stats_json,
            written=notebook if session.config else None,
            account=lambda stats: session.account(stats, host.started_s),
            note=None if is_free else notebook.note,  # nobody plays on what runs as fast as it can
        )
    except CardLostError as error:
        if not session.settings.output.resume:
            raise
        return session.after_loss(error, host.now(), host.stats(), host.started_s)
    except (DeviceError, UsageError) as error:  # what could be had before is not there yet
        if not session.n_losses:
            raise
        say(f"The sound card cannot be used yet: {error}")
        return session.after_refusal()
    host.check()
    return None


def open_host(session: Session, model: Model | None) -> Host:
    """What plays the next part, from where the last one stood; of the first it is said what a person should know."""
    from rtsep.host import Host

    is_first = not session.n_losses
    if is_first and session.settings.model.name is None:
        from rtsep.zoo import default_model

        say(default_model()[1])
    with getting_ready() if is_first else nullcontext():  # the model of a later one is there
        host = Host(session.settings, model)
    host.take_over(session.standing)
    if is_first:
        for line in odd_wishes(session.settings, *host.cards):
            say(line)
    return host


def where(session: Session) -> str:
    """Where a session goes on after a loss, in words."""
    standing, place = session.standing, session.standing.place
    sink, first = standing.settings.output.endpoint, standing.written.output.endpoint
    at = f" The song goes on at {clock(place.position_s)}." if place is not None else ""
    into = f" The mix goes on in {sink.name}." if sink.is_file and sink != first else ""
    return f"The sound card is back.{at}{into}"


def odd_wishes(settings: LiveSettings, inputs: Card | None, outputs: Card | None) -> Iterator[str]:
    """What can be done but is hardly meant, each in a line."""
    output = settings.output
    is_kept = output.endpoint.is_file or output.record is not None
    if output.clock in ("real", "free") and not is_kept:
        yield f"--clock {output.clock} plays on no card: nothing is heard or kept without --output or --record."
    for name, stem in settings.mixer.stems.items():
        if stem.mute and stem.solo:
            yield f"{name} is muted and soloed: mute wins, so it is silent."
    if not settings.input.endpoint.is_desktop and may_howl(inputs, outputs):
        yield WARNING


def check_source(settings: LiveSettings) -> None:
    """Refuse a file that is missing.

    Raises
    ------
    UsageError
        The input file is; perhaps a device was meant.
    """
    source = settings.input.endpoint
    if source.is_file and not source.path.is_file():
        raise UsageError(f"there is no file {source.name!r}; `device:{source.name}` would mean a device")
