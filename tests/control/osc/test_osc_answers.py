"""What a session answers or tells is no question: two that are each other's clients fall silent."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from osc_client import Client, wait_for
from session import StillSession

from rtsep.control.osc import OscSurface
from rtsep.errors import UsageError


def free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_sessions_that_tell_each_other_of_changes_answer_nothing() -> None:
    here, there = free_port(), free_port()
    one, two = StillSession(None), StillSession(None)
    with (
        OscSurface(one, "127.0.0.1", here, [("127.0.0.1", there)]) as first,
        OscSurface(two, "127.0.0.1", there, [("127.0.0.1", here)]) as second,
    ):
        one.board["/stem/vocals/gain_db"] = -6.0
        wait_for(lambda: two.board["/stem/vocals/gain_db"] == -6.0)
        two.board["/scene/recall"] = "karaoke"  # which tells of a scene too
        wait_for(lambda: one.board["/stem/vocals/mute"] is True)
        with closing(Client(here)) as somebody:  # behind all that was told until now
            for _ in range(20):
                somebody.send("/subscribe")
                assert somebody.wait("/status")
        assert first.n_refused == second.n_refused == 0


@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("/error", ("there is no parameter '/error'",)),
        ("/meter/vocals", (-6.0, -12.0)),
        ("/status", (0.2, 0, 0)),
        ("/namespace", ("/crossfade", "", -1.0, 1.0, 0.0, "from one group to another")),
        ("/scene/current", ("karaoke",)),
        ("/scene/names", ("everything", "karaoke")),
        ("/transport/loop_start_s/position", (0.5,)),
    ],
)
def test_an_answer_is_not_answered(song: StillSession, address: str, values: tuple[object, ...]) -> None:
    with OscSurface(song, "127.0.0.1", 0) as surface, closing(Client(surface.port)) as client:
        client.send(address, *values)
        client.send("/bypass")
        assert list(client.all_until("/bypass")) == ["/bypass"]
        assert surface.n_refused == 0


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("client", ["127.0.0.1", "localhost"])
def test_a_session_is_no_client_of_its_own(listen: str, client: str) -> None:
    player, port = StillSession(None), free_port()
    surface = OscSurface(player, listen, port, [(client, port)])
    with pytest.raises(UsageError, match=rf"listens at {listen}:{port} itself.*Give the port"), surface:
        pass
    assert not player.board._feeds
