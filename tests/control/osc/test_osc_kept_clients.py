"""The clients of the settings are told until the end, whoever subscribes and unsubscribes at their ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from osc_client import Client
from session import StillSession

from rtsep.control.osc import OscSurface


@pytest.fixture
def shown() -> Iterator[Client]:
    with closing(Client(9)) as shown:
        yield shown


@pytest.fixture
def kept(player: StillSession, shown: Client) -> Iterator[OscSurface]:
    with OscSurface(player, "127.0.0.1", 0, [("127.0.0.1", shown.port)]) as surface:
        shown._to = ("127.0.0.1", surface.port)
        yield surface


def ask(client: Client, *messages: tuple[object, ...]) -> None:
    """Say it, and know that it was done."""
    for address, *values in (*messages, ("/crossfade",)):
        client.send(str(address), *values)
    client.wait("/crossfade")


def told_on(client: Client, address: str) -> None:
    """Wait until it is told that a switch is on; how it stood when somebody subscribed may come before."""
    while client.wait(address) != [1]:
        pass


@pytest.mark.parametrize("n_others", [0, 1])
def test_a_client_of_the_settings_stays_when_somebody_leaves_its_port(
    player: StillSession, kept: OscSurface, shown: Client, n_others: int
) -> None:
    with ExitStack() as opened:
        for _ in range(n_others):
            other = opened.enter_context(closing(Client(kept.port)))
            ask(other, ("/subscribe", shown.port))
            ask(other, ("/unsubscribe",))
        ask(shown, ("/unsubscribe",))
    assert len(kept._clients) == len(player.board._feeds) == 1
    player.board["/bypass"] = True
    told_on(shown, "/bypass")
    assert len(player.board._feeds) == 1


def test_whoever_leaves_the_port_of_a_client_is_somebody_else_again(
    player: StillSession, kept: OscSurface, shown: Client
) -> None:
    with closing(Client(kept.port)) as other, closing(Client(kept.port)) as panel:
        ask(panel, ("/subscribe", shown.port))
        ask(panel, ("/unsubscribe",))
        ask(other, ("/subscribe", other.port))
        ask(other, ("/stem/vocals/mute", 1))
        told_on(shown, "/stem/vocals/mute")
    assert kept.n_refused == 0
