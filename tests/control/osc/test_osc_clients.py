"""Clients of the settings: found once, told of everything but their own moves, and missed when they cannot be told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from osc_client import Client, wait_for
from session import StillSession

from rtsep.control.osc import OscSurface
from rtsep.errors import DeviceError, RtsepError, UsageError


class Panel:
    """Listens at one port, and sends from another, as most do."""

    def __init__(self) -> None:
        self.shown = Client(9)
        self.at = ("127.0.0.1", self.shown.port)

    @contextmanager
    def hand(self, surface: OscSurface) -> Iterator[Client]:
        with closing(Client(surface.port)) as hand:
            yield hand


@pytest.fixture
def panels() -> Iterator[tuple[Panel, Panel]]:
    panels = Panel(), Panel()
    with closing(panels[0].shown), closing(panels[1].shown):
        yield panels


def moves(hand: Client, address: str) -> None:
    """Move something, and know that it was done."""
    hand.send(address, 1)
    hand.send("/crossfade")
    hand.wait("/crossfade")


def test_clients_of_the_settings_need_not_ask(player: StillSession, panels: tuple[Panel, Panel]) -> None:
    panel, _ = panels
    with OscSurface(player, "127.0.0.1", 0, [panel.at]):
        player.board["/stem/drums/mute"] = True
        assert panel.shown.wait("/stem/drums/mute") == [1]


def test_a_panel_is_not_told_of_its_own_moves_though_it_sends_from_another_port(
    player: StillSession, panels: tuple[Panel, Panel]
) -> None:
    panel, _ = panels
    with OscSurface(player, "127.0.0.1", 0, [panel.at]) as surface, panel.hand(surface) as hand:
        moves(hand, "/stem/vocals/mute")
        player.board["/bypass"] = True
        assert "/stem/vocals/mute" not in panel.shown.all_until("/bypass")


def test_a_sender_that_has_subscribed_is_somebody_else(
    player: StillSession, panels: tuple[Panel, Panel]
) -> None:
    panel, _ = panels
    with OscSurface(player, "127.0.0.1", 0, [panel.at]) as surface, panel.hand(surface) as other:
        other.send("/subscribe")
        other.all_until("/scene/names")
        moves(other, "/stem/vocals/mute")
        assert panel.shown.wait("/stem/vocals/mute") == [1]
        with panel.hand(surface) as hand:
            moves(hand, "/stem/bass/mute")
            assert other.wait("/stem/bass/mute") == [1]
            player.board["/bypass"] = True
            assert "/stem/bass/mute" not in panel.shown.all_until("/bypass")


def test_of_two_panels_of_one_machine_none_can_be_told_by_its_host(
    player: StillSession, panels: tuple[Panel, Panel]
) -> None:
    panel, other = panels
    with OscSurface(player, "127.0.0.1", 0, [panel.at, other.at]) as surface, panel.hand(surface) as hand:
        moves(hand, "/stem/vocals/mute")
        for one in panels:
            assert one.shown.wait("/stem/vocals/mute") == [1]  # rather twice than never
        panel.shown._to = ("127.0.0.1", surface.port)
        panel.shown.send("/stem/bass/mute", 1)  # from where it listens it is known
        assert other.shown.wait("/stem/bass/mute") == [1]
        player.board["/bypass"] = True
        assert "/stem/bass/mute" not in panel.shown.all_until("/bypass")


def test_a_name_is_looked_up_once(
    player: StillSession, panels: tuple[Panel, Panel], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, _ = panels
    with (
        OscSurface(player, "127.0.0.1", 0, [("localhost", panel.at[1]), panel.at]) as surface,
        panel.hand(surface) as hand,
    ):
        assert [to for to, _ in surface._clients.all()] == [panel.at]
        assert len(player.board._feeds) == 1
        moves(hand, "/stem/vocals/mute")
        player.board["/bypass"] = True
        assert "/stem/vocals/mute" not in panel.shown.all_until("/bypass")


@pytest.mark.parametrize(
    ("listen", "client", "error", "says"),
    [
        (
            "127.0.0.1",
            "no-such-host.invalid",
            DeviceError,
            "cannot find its client no-such-host.invalid:9001: ",
        ),
        ("127.0.0.1", "a..b", DeviceError, r"cannot find its client a\.\.b:9001: "),
        ("127.0.0.1", "::1", DeviceError, "Give its IPv4 address"),
        (
            "127.0.0.1",
            "192.0.2.20",
            UsageError,
            r"from where nothing gets to 192\.0\.2\.20:9001.*--osc 0\.0\.0\.0:",
        ),
        ("localhost", "192.0.2.20", UsageError, "OSC listens at 127.0.0.1:"),
    ],
)
def test_a_client_that_cannot_be_told_is_refused_at_the_start(
    player: StillSession, listen: str, client: str, error: type[RtsepError], says: str
) -> None:
    surface = OscSurface(player, listen, 0, [("127.0.0.1", 9), (client, 9001)])
    with pytest.raises(error, match=says), surface:
        pass
    assert surface._socket.fileno() == -1
    assert not player.board._feeds


def test_the_loopback_of_ipv6_is_one_too(player: StillSession) -> None:
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    with pytest.raises(UsageError, match="from where nothing gets to 2001:db8::1"):
        OscSurface(player, "::1", 0, [("2001:db8::1", 9001)]).__enter__()


def test_what_cannot_be_sent_is_told_once_for_each_client_and_counted(
    player: StillSession, panels: tuple[Panel, Panel]
) -> None:
    said: list[str] = []
    panel, _ = panels
    nobody = ("255.255.255.255", 9)  # which the kernel refuses to whoever has not asked to speak to all
    with OscSurface(player, "0.0.0.0", 0, [nobody, panel.at], said.append) as surface:
        player.board["/bypass"] = True
        assert panel.shown.wait("/bypass") == [1]
        wait_for(lambda: surface.n_unsent > 20)
        assert len(said) == 1
        assert said[0].startswith("OSC: nothing can be sent to 255.255.255.255:9: ")
        assert surface.n_failed == 1
