"""Who has subscribed is told of every change but their own, once, and for as long as they are there."""

from __future__ import annotations

from contextlib import closing

import pytest
from osc_client import Client, wait_for
from session import StillSession

from rtsep.control.osc import OscSurface, clients


def test_every_client_is_told_of_what_others_do_and_of_nothing_twice(
    player: StillSession, client: Client, other: Client
) -> None:
    for one in (client, other):
        one.send("/subscribe")
        assert one.all_until("/scene/names")["/stem/vocals/mute"] == [0]  # first everything, as it stands
    client.send("/stem/vocals/mute", 1)
    assert other.wait("/stem/vocals/mute") == [1]
    player.board["/bypass"] = True
    assert "/stem/vocals/mute" not in client.all_until("/bypass")
    other.send("/unsubscribe")
    client.send("/stem/bass/mute", 1)
    player.board["/bypass"] = False
    assert client.wait("/bypass") == [0]
    wait_for(lambda: (found := other.read(0.2)) is None or found.address == "/never")


def test_meters_come_by_themselves(client: Client) -> None:
    client.send("/subscribe")
    assert client.wait("/meter/vocals") == [-6.0, -6.0]
    assert client.wait("/meter/main") == [-3.25]
    assert client.wait("/status") == [pytest.approx(0.23), 0, 0]


def test_a_port_that_somebody_subscribed_is_told_what_others_do(
    player: StillSession, surface: OscSurface, client: Client, other: Client
) -> None:
    with closing(Client(surface.port)) as shown:
        client.send("/subscribe", shown.port)
        shown.all_until("/scene/names")
        client.send("/stem/vocals/mute", 1)
        client.send("/bypass")
        client.wait("/bypass")
        player.board["/bypass"] = True
        assert "/stem/vocals/mute" not in shown.all_until("/bypass")  # the sender knows
        other.send("/stem/drums/mute", 1)
        assert shown.wait("/stem/drums/mute") == [1]
        until_s = dict(surface._clients.all())["127.0.0.1", shown.port].until_s
        other.send("/bypass")
        other.wait("/bypass")
        assert dict(surface._clients.all())["127.0.0.1", shown.port].until_s == until_s
        client.send("/bypass")
        client.wait("/bypass")
        assert dict(surface._clients.all())["127.0.0.1", shown.port].until_s > until_s
        other.send("/unsubscribe")
        other.send("/bypass")
        other.wait("/bypass")
        assert surface._clients
        client.send("/unsubscribe")
        wait_for(lambda: not surface._clients and not surface._board._feeds)


def test_a_port_is_told_once_however_many_subscribe_it(
    surface: OscSurface, client: Client, other: Client
) -> None:
    client.send("/subscribe", 9)
    wait_for(lambda: len(surface._clients) == 1)
    other.send("/subscribe", 9)
    wait_for(lambda: [c.sender[1] for _, c in surface._clients.all()] == [other.port])
    wait_for(lambda: len(surface._board._feeds) == 1)


def test_half_characters_are_told_as_question_marks(player: StillSession, client: Client) -> None:
    client.send("/subscribe")
    client.all_until("/scene/names")
    for feed in player.board._feeds:
        feed.put({"/input/source": "caf\udce9.wav"})
    assert client.wait("/input/source") == ["caf?.wav"]


def test_what_cannot_be_told_stops_no_telling(
    surface: OscSurface, player: StillSession, client: Client
) -> None:
    client.send("/subscribe")
    client.all_until("/scene/names")
    for feed in player.board._feeds:
        feed.put({"/crossfade": "no number", "/nothing": object(), "/bypass": True})  # type: ignore[dict-item]
    assert client.wait("/bypass") == [1]
    assert surface.n_failed == 2


def test_clients_are_bounded_and_forgotten(
    surface: OscSurface, client: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "MOST_CLIENTS", 1)
    monkeypatch.setattr(clients, "SUBSCRIBED_S", 0.2)
    client.send("/subscribe")
    client.wait("/separation")
    other.send("/subscribe")
    assert "1 clients are subscribed already" in str(other.wait("/error")[0])
    wait_for(lambda: not surface._clients)
    assert len(surface._board._feeds) == 0
