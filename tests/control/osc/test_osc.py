"""OSC over real sockets: what is sent moves the mix, changes come back to everybody else, and rubbish does no harm."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from session import StillSession

from rtsep.control.osc import OscSurface, clients, limits, patterns
from rtsep.control.osc.clients import Clients
from rtsep.control.osc.messages import Messages
from rtsep.control.osc.patterns import compiled
from rtsep.errors import DeviceError, UsageError
from rtsep.mix import Matrix

PATIENCE_S = 10.0
MORE_SCENES = ("drumless", "drums only", "bassless")


class Client:
    """Somebody with a socket."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._to = ("127.0.0.1", port)

    def send(self, address: str, *values: object) -> None:
        self.send_raw(message(address, *values))

    def send_raw(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, self._to)

    def read(self, timeout_s: float) -> OscMessage | None:
        self._socket.settimeout(timeout_s)
        try:
            return OscMessage(self._socket.recv(65535))
        except TimeoutError:
            return None

    def wait(self, address: str) -> list[object]:
        """The values of the next message to an address."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            if (found := self.read(PATIENCE_S)) is not None and found.address == address:
                return list(found.params)
        raise AssertionError(f"nothing came to {address}")

    def all_until(self, address: str) -> dict[str, list[object]]:
        found: dict[str, list[object]] = {}
        while address not in found:
            one = self.read(PATIENCE_S)
            assert one is not None, f"nothing came to {address}"
            found[one.address] = list(one.params)
        return found

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.close()


def message(address: str, *values: object) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)  # type: ignore[arg-type]
    return builder.build().dgram


@pytest.fixture
def player() -> StillSession:
    return StillSession(None)


@pytest.fixture
def surface(player: StillSession) -> Iterator[OscSurface]:
    with OscSurface(player, "127.0.0.1", 0) as surface:
        yield surface


@pytest.fixture
def client(surface: OscSurface) -> Iterator[Client]:
    with closing(Client(surface.port)) as client:
        yield client


@pytest.fixture
def other(surface: OscSurface) -> Iterator[Client]:
    with closing(Client(surface.port)) as client:
        yield client


def wait_for(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.002)


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


def test_clients_of_the_settings_need_not_ask(player: StillSession) -> None:
    with closing(Client(9)) as panel:
        address = ("127.0.0.1", panel.port)
        with OscSurface(player, "127.0.0.1", 0, [address]):
            player.board["/stem/drums/mute"] = True
            assert panel.wait("/stem/drums/mute") == [1]


def bundle(at_s: float | None, *messages: tuple[str, object]) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY if at_s is None else at_s)
    for address, value in messages:
        inner = OscMessageBuilder(address)
        inner.add_arg(value)  # type: ignore[arg-type]
        builder.add_content(inner.build())
    return builder.build().dgram


@pytest.fixture
def published(player: StillSession) -> list[tuple[float, ...]]:
    """The gains of vocals and drums on the left, of every matrix that is published."""
    played = player.mix.open(player.stems)
    publish, published = played.publish, []

    def watched(matrix: Matrix) -> None:
        publish(matrix)
        published.append(tuple(played.newest[0:4:2, 0].tolist()))

    played.publish = watched  # type: ignore[method-assign]
    return published


@pytest.mark.parametrize("delay_s", [None, 0.1])
def test_a_bundle_is_heard_at_one_instant_and_may_be_for_later(
    player: StillSession, client: Client, published: list[tuple[float, ...]], delay_s: float | None
) -> None:
    for is_muted in (True, False):
        at_s = None if delay_s is None else time.time() + delay_s
        client.send_raw(bundle(at_s, ("/stem/vocals/mute", is_muted), ("/stem/drums/mute", is_muted)))
        wait_for(lambda wanted=is_muted: published[-1:] == [(1.0 - wanted,) * 2])  # type: ignore[misc]
    assert published == [(0.0, 0.0), (1.0, 1.0)]


def test_bundles_come_in_the_order_of_their_times(
    player: StillSession, client: Client, published: list[tuple[float, ...]]
) -> None:
    at_s = time.time() + 0.3
    client.send_raw(bundle(at_s + 0.1, ("/stem/vocals/mute", 0)))
    client.send_raw(bundle(at_s, ("/stem/vocals/mute", 1)))
    client.send_raw(bundle(at_s, ("/stem/drums/mute", 1)))
    wait_for(lambda: len(published) == 3)
    assert published == [(0.0, 1.0), (0.0, 0.0), (1.0, 0.0)]


def test_bundles_that_wait_are_bounded(
    surface: OscSurface, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_WAITING", 1)
    client.send_raw(bundle(time.time() + 5, ("/bypass", 1)))
    client.send_raw(bundle(time.time() + 5, ("/bypass", 1)))
    assert client.wait("/error") == ["1 bundles wait already, which is the most"]
    client.send_raw(bundle(time.time() + 50, ("/bypass", 1)))
    assert client.wait("/error") == ["a bundle is for 10 s ahead at most, please"]
    assert surface.n_refused == 2


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
        ("/scene/current", ("karaoke",), "it cannot be set"),
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


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(datagram=st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"#bundle\0" + tail))
def test_rubbish_does_no_harm(surface: OscSurface, player: StillSession, datagram: bytes) -> None:
    before = player.mix.mix
    surface._receive(datagram, ("127.0.0.1", 9))
    assert player.mix.mix == before


def test_bundles_in_bundles_without_end_are_refused(surface: OscSurface, client: Client) -> None:
    datagram = message("/bypass", 1)
    while len(datagram) < 60000:
        datagram = b"#bundle\0" + bytes(7) + b"\1" + len(datagram).to_bytes(4, "big") + datagram
    client.send_raw(datagram)
    assert "more than 64 messages and bundles" in str(client.wait("/error")[0])
    assert (surface.n_refused, surface.n_malformed) == (1, 0)
    client.send("/bypass")
    assert client.wait("/bypass") == [0]


def test_a_flood_is_dropped_and_counted(
    surface: OscSurface, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "_budget", limits.Budget(50))
    for _ in range(500):
        surface._receive(message("/crossfade", 0.5), ("127.0.0.1", 9))
    assert surface.n_dropped >= 400
    time.sleep(0.1)
    client.send("/separation")
    assert client.wait("/separation") == [1.0]


def test_answers_count_as_well(surface: OscSurface, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "_budget", limits.Budget(50))
    sent = []
    monkeypatch.setattr(surface, "_send", lambda to, address, *values: sent.append(address))
    for _ in range(500):
        surface._receive(message("/namespace"), ("127.0.0.1", 9))
    n_parameters = len(surface._board.parameters)
    assert n_parameters > 25  # or one question would not use the budget up
    assert len(sent) <= 50 + 2 * n_parameters
    assert surface.n_dropped >= 490


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


def test_a_port_that_is_taken_is_named(player: StillSession, surface: OscSurface) -> None:
    with (
        pytest.raises(DeviceError, match=rf"OSC cannot listen at 127.0.0.1:{surface.port}: "),
        OscSurface(player, "127.0.0.1", surface.port),
    ):
        pass


@pytest.mark.parametrize(
    ("pattern", "address", "matches"),
    [
        ("/stem/*/mute", "/stem/vocals/mute", True),
        ("/stem/*", "/stem/vocals/mute", False),
        ("/stem//mute", "/stem/vocals/mute", True),
        ("/stem/?ocals/mute", "/stem/vocals/mute", True),
        ("/stem/[a-v]ocals/mute", "/stem/vocals/mute", True),
        ("/stem/[!a-v]ocals/mute", "/stem/vocals/mute", False),
        ("/stem/{bass,vocals}/mute", "/stem/vocals/mute", True),
        ("/stem/{bass,drums}/mute", "/stem/vocals/mute", False),
        ("/stem/vo.als/mute", "/stem/vocals/mute", False),
        ("/stem//mute", "/stem/mute", True),
        ("//mute", "/stem/vocals/mute", True),
        ("//*", "/stem/vocals/mute", True),
        ("//stem//mute", "/stem/vocals/mute", True),
        ("//vocals", "/stem/vocals/mute", False),
        ("/stem/{v,vo}*{s,ls}/mute", "/stem/vocals/mute", True),
        ("/stem/[u-wxyz]ocals/mute", "/stem/vocals/mute", True),
        ("/stem/[-v]ocals/mute", "/stem/vocals/mute", True),
        ("/s*m/*/m*t*", "/stem/vocals/mute", True),
    ],
)
def test_patterns(pattern: str, address: str, matches: bool) -> None:
    assert bool(compiled(pattern)(address)) == matches


@pytest.mark.parametrize(
    "pattern",
    [
        "/" + "{,}" * 20,
        "/{a,,b}",
        "/{}",
        "/[]",
        "/[!]",
        "/" + "?" * 7,
        "/" + "{a,b}" * 7,
        "/" + "[a-z]" * 7,
        "/" + "*" * 7,
        "/a//b//c//d//e//f//g//h",
        "/" + "a" * 200,
        "stem",
        "/stem/",
        "",
    ],
)
def test_monstrous_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        compiled(pattern)


@pytest.mark.parametrize(
    "part", ["*" * 6, "*a" * 6, "{a,aa,aaa}" * 6, "{" + ",".join("a" * n for n in range(1, 19)) + "}*"]
)
def test_the_worst_that_is_left_takes_few_steps(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = itertools.count()
    reached = patterns.reached

    def counted(token: patterns.Token, name: str, at: int) -> Iterable[int]:
        next(steps)
        return reached(token, name, at)

    monkeypatch.setattr(patterns, "reached", counted)
    name = "a" * 60
    assert not compiled(f"/{part}b")("/" + name)
    assert next(steps) <= 13 * (len(name) + 1)  # tokens, by places


@given(pattern=st.text(alphabet="/abc*?[]{}!,-.\\^$(", min_size=1, max_size=30))
def test_no_pattern_breaks_anything(pattern: str) -> None:
    with contextlib.suppress(UsageError):
        compiled(pattern)("/stem/abc/mute")


@given(
    pattern=st.lists(st.sampled_from(["*", "?", "a", "b", "/", "{a,bb}", "[ab]", "[!a]"]), max_size=8),
    address=st.text(alphabet="abc/", min_size=1, max_size=8),
)
def test_patterns_match_as_regular_expressions_do(pattern: list[str], address: str) -> None:
    translated = {"*": "[^/]*", "?": "[^/]", "{a,bb}": "(?:a|bb)", "[!a]": "[^a/]"}
    text = "/" + "".join(pattern)
    assume("//" not in text and "//" not in "/" + address and not address.endswith("/"))
    with contextlib.suppress(UsageError):
        matches = compiled(text)
        expression = "/" + "".join(translated.get(token, token) for token in pattern)
        assert matches("/" + address) == bool(re.fullmatch(expression, "/" + address))
