"""OSC over real sockets: what is sent moves the mix, and what is wrong is answered."""

from __future__ import annotations

import math
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osc_client import Client, bundle, message, wait_for
from pythonosc.osc_message import OscMessage
from session import StillSession

from rtsep.control.osc import OscSurface, limits
from rtsep.control.osc.clients import Clients
from rtsep.control.osc.messages import Messages
from rtsep.control.osc.patterns import compiled
from rtsep.errors import DeviceError

MORE_SCENES = ("drumless", "drums only", "bassless")


def test_a_message_moves_what_its_address_names(player: StillSession, client: Client) -> None:
    client.send("/stem/vocals/gain_db", -12.0)
    wait_for(lambda: player.mix.state["vocals"].gain_db == -12.0)
    client.send("/stem/drums/mute", 1)
    wait_for(lambda: player.mix.state["drums"].mute)
    client.send("/stem/drums/mute", False)
    wait_for(lambda: not player.mix.state["drums"].mute)
    client.send("/stem/bass/gain_db/position", 0.75)
    client.send("/stem/vocals/gain_db", -math.inf)
    wait_for(lambda: player.mix.state["vocals"].gain_db == -math.inf)
    assert player.mix.state["bass"].gain_db == 0.0
    client.send("/scene/recall", "karaoke")
    wait_for(lambda: player.mix.state["vocals"].mute)
    client.send("/scene/undo")  # a button sends nothing
    wait_for(lambda: not player.mix.state["vocals"].mute)


def test_a_position_that_is_shown_already_moves_nothing(player: StillSession, client: Client) -> None:
    def sent(position: float) -> float:
        client.send("/stem/bass/gain_db/position", position)
        client.send("/bypass")
        client.wait("/bypass")
        return player.mix.state["bass"].gain_db

    player.board["/stem/bass/gain_db"] = 24.0
    client.send("/stem/bass/gain_db/position")
    assert client.wait("/stem/bass/gain_db/position") == [1.0]
    assert sent(1.0) == 24.0
    assert sent(0.75) == 0.0
    player.board["/stem/bass/gain_db"] = -3.3
    assert sent(player.board.position("/stem/bass/gain_db")) == -3.3  # though OSC rounds it
    assert sent(1.0) == 10.0


def test_a_pattern_moves_all_that_it_matches(player: StillSession, client: Client) -> None:
    client.send("/stem/{vocals,bass}/mute", 1)
    client.send("/stem/d*/pan", 0.5)
    client.send("//solo", 1)
    wait_for(lambda: all(s.solo for s in player.mix.state.values()))
    assert [strip.mute for strip in player.mix.state.values()] == [True, False, True, False]
    assert player.mix.state["drums"].pan == 0.5


def test_questions_are_answered_to_whoever_asked(client: Client, other: Client) -> None:
    client.send("/stem/vocals/gain_db")
    assert client.wait("/stem/vocals/gain_db") == [0.0]
    assert client.wait("/stem/vocals/gain_db/position") == [0.75]
    client.send("/namespace", "/stem/vocals/*")
    assert client.wait("/namespace") == [
        "/stem/vocals/gain_db",
        "dB",
        -math.inf,
        24.0,  # what can be asked for, though the fader ends at 10 dB
        0.0,
        "the fader of a stem",
    ]
    client.send("/scene/names")
    assert client.wait("/scene/names") == ["everything", "karaoke", "acapella", *MORE_SCENES]
    client.send("/namespace", "/scene/names")
    *start, default, what = client.wait("/namespace")
    assert (start[:2], default, what) == (["/scene/names", ""], "", "all scenes")
    assert other.read(0.05) is None


def test_a_pattern_without_a_value_asks_and_presses_nothing(player: StillSession, client: Client) -> None:
    client.send("/scene/recall", "karaoke")
    client.send("//*")
    assert client.all_until("/scene/names")["/stem/vocals/mute"] == [1]
    assert player.mix.state["vocals"].mute  # nothing was undone
    client.send("/scene/*")
    client.wait("/scene/names")
    assert player.mix.state["vocals"].mute
    client.send("/scene/undo")
    wait_for(lambda: not player.mix.state["vocals"].mute)


@given(
    pattern=st.sampled_from(
        ["//*", "/scene/*", "/scene/{save,undo}", "/transport/*", "//s*", "/*/[r-u]*", "//undo"]
    ),
    value=st.sampled_from([1, 0, True, 0.5, "mine", "karaoke", "acapella"]),
    by_position=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_pattern_presses_a_button_whatever_value_comes_with_it(
    song: StillSession, pattern: str, value: object, by_position: bool
) -> None:
    def stands() -> tuple[object, ...]:
        names, tape = song.board["/scene/names"], song.transport
        assert tape is not None
        return names, song.board["/scene/current"], tape.position_s, tape.loop_s

    song.play_until(10.0)
    song.board["/scene/recall"] = "karaoke"
    before, messages = stands(), Messages(lambda: song.board, Clients(lambda: song.board, lambda: None))
    found = [address for address in song.board.parameters if compiled(pattern)(address)]
    buttons = [address for address in found if song.board.parameter(address).kind == "momentary"]
    sent = OscMessage(message(pattern + "/position" * by_position, value))
    replies = messages.act([sent], ("127.0.0.1", 9), limits.Budget(1e9))
    assert stands() == before
    assert song.board["/stem/vocals/mute"] is True or compiled(pattern)("/stem/vocals/mute")
    refused = [text for address, text in replies if address == "/error" and "whole address" in text]
    assert [text.partition(":")[0] for text in refused] == buttons
    assert buttons


def test_one_address_that_refuses_stops_no_other(
    surface: OscSurface, player: StillSession, client: Client
) -> None:
    client.send("/stem/*/{gain_db,mute,pan}", 1)
    wait_for(lambda: all(s.pan == 1 and s.mute and s.gain_db == 1 for s in player.mix.state.values()))
    client.send("/{scene/current,crossfade}", 0.5)
    client.wait("/error")  # alternatives do not reach over a slash
    client.send("/*{s,p}", 0.5)  # of the cross-fader nothing ends so; of the bypass 0.5 is no state
    assert "/bypass" in str(client.wait("/error")[0])
    client.send("/{bypass,crossfade,separation}", 0.25)
    assert "/bypass" in str(client.wait("/error")[0])
    wait_for(lambda: player.board["/crossfade"] == player.board["/separation"] == 0.25)
    assert surface.n_refused == 3


def test_nothing_in_the_session_ends_a_thread(
    surface: OscSurface, player: StillSession, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(player.board, "together", broken)
        patch.setattr(player, "status", broken)
        client.send("/bypass", 1)
        assert client.wait("/error") == ["an error in rtsep: RuntimeError('broken')"]
        client.send_raw(bundle(time.time() + 0.05, ("/bypass", 1)))
        assert client.wait("/error") == ["an error in rtsep: RuntimeError('broken')"]
        patch.setattr(surface, "_receive", broken)
        client.send("/bypass", 1)
        wait_for(lambda: surface.n_failed > 0)
    client.send("/subscribe")
    assert client.wait("/meter/main") == [-3.25]
    assert {"rtsep-osc", "rtsep-osc-tell"} <= {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("address", "values", "complaint"),
    [
        ("/stem/vocal/mute", (1,), "no parameter '/stem/vocal/mute'; did you mean /stem/vocals/mute?"),
        (
            "/stem/vocals/gain_db",
            (99.0,),
            "/stem/vocals/gain_db: 99 dB is too much; allowed is -inf to 24 dB",
        ),
        ("/stem/vocals/gain_db", ("loud",), "'loud' is no number"),
        ("/stem/vocals/gain_db/position", (2.0,), "a position is a number from 0 to 1, not 2.0"),
        ("/scene/recall", ("karoke",), "Did you mean 'karaoke'"),
        ("/stem/[/mute", (1,), "no parameter"),
        ("/stem/****a*b*c*d*/mute", (1,), "too many of * ? [] {} //: at most 6"),
        ("/stem/vocals/", (1,), "it begins with /, does not end with it"),
        ("/stem/{vocals,}/mute", (1,), "'{vocals,}' is no choice"),
        ("/stem/[z-a]/mute", (1,), "'[z-a]' is no range of characters"),
        ("/scene/und?", (), "/scene/undo: what does something at once is reached by its whole address only"),
        ("/scene/undo/position", (), "a position is a number from 0 to 1, not 'nothing'"),
        ("/subscribe", (0,), "a port is a number from 1 to 65535"),
    ],
)
def test_what_is_wrong_is_answered(
    surface: OscSurface, client: Client, address: str, values: tuple[object, ...], complaint: str
) -> None:
    client.send(address, *values)
    (text,) = client.wait("/error")
    assert complaint in str(text)
    assert surface.n_refused == 1


def test_a_port_that_is_taken_is_named(player: StillSession, surface: OscSurface) -> None:
    with (
        pytest.raises(DeviceError, match=rf"OSC cannot listen at 127.0.0.1:{surface.port}: "),
        OscSurface(player, "127.0.0.1", surface.port),
    ):
        pass
