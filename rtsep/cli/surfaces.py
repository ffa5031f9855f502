"""The surfaces of a live session beside its screen: opened with it, closed with it, and none of them can end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rtsep.cli.console import say
from rtsep.config import user_folder
from rtsep.settings import read_place

if TYPE_CHECKING:
    from rtsep.control.web.link import WebSurface
    from rtsep.host import Host
    from rtsep.settings import WebSettings


@contextmanager
def surfaces(host: Host) -> Iterator[tuple[str, ...]]:
    """Have everything that its settings ask for follow the board, and set it.

    Yields
    ------
    tuple of str
        Lines that say how to come to the web mixer; they are said already.

    Raises
    ------
    RtsepError
        One cannot be had as it was asked for; none is left open then.
    """
    control, found = host.settings.control, host.surfaces
    with ExitStack() as opened:
        if control.osc is not None:
            from rtsep.control.osc import OscSurface

            where, clients = read_place(control.osc.listen), map(read_place, control.osc.clients)
            found["OSC"] = opened.enter_context(OscSurface(host, *where, list(clients), say))
            say(f"OSC: {control.osc.listen} (UDP)")
        if control.midi is not None:
            from rtsep.control.midi.controllers import Controllers

            midi = control.midi
            found["MIDI"] = opened.enter_context(Controllers(host, midi.use, say, midi.virtual))
        invitation = []
        if control.web is not None:
            found["web"] = web = _open_web(host, control.web, opened)
            invitation = web.invitation()
        for line in invitation:
            say(line)
        yield tuple(invitation)


def _open_web(host: Host, web: WebSettings, opened: ExitStack) -> WebSurface:
    from rtsep.control.web.invitation import is_loopback, keep_token
    from rtsep.control.web.link import WebSurface

    where, port = read_place(web.listen)
    token = "" if is_loopback(where) else keep_token(user_folder())
    return opened.enter_context(WebSurface(host, where, port, token, say))
