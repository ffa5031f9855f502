"""OSC over real sockets: what is sent moves the mix, changes come back to everybody else, and rubbish does no harm."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from session import StillSession

from rtsep.control import osc
from rtsep.control.osc import OscSurface, compiled
from rtsep.errors import DeviceError, UsageError

PATIENCE_S = 10.0


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
        10.0,
        0.0,
        "the fader of a stem",
    ]
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
        address = ("127.0.0.1", panel._socket.getsockname()[1])
        with OscSurface(player, "127.0.0.1", 0, [address]):
            player.board["/stem/drums/mute"] = True
            assert panel.wait("/stem/drums/mute") == [1]


def test_a_bundle_is_heard_at_one_instant_and_may_be_for_later(player: StillSession, client: Client) -> None:
    played = player.mix.open(player.stems)
    seen = {tuple(played.newest[0:4:2, 0])}
    publish = played.publish

    def watched(matrix: object) -> None:
        publish(matrix)  # type: ignore[arg-type]
        seen.add(tuple(played.newest[0:4:2, 0]))

    played.publish = watched  # type: ignore[method-assign]
    for delay_s in (None, 0.1):
        builder = OscBundleBuilder(IMMEDIATELY if delay_s is None else time.time() + delay_s)
        is_muted = delay_s is None
        for stem in ("vocals", "drums"):
            inner = OscMessageBuilder(f"/stem/{stem}/mute")
            inner.add_arg(is_muted)
            builder.add_content(inner.build())
        client.send_raw(builder.build().dgram)
        wait_for(lambda wanted=is_muted: player.mix.state["drums"].mute == wanted)  # type: ignore[misc]
    assert {(1.0, 1.0), (0.0, 0.0)} <= seen


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
        ("/stem/****a*b*c*d*/mute", (1,), "at most 6 stars"),
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


def test_bundles_in_bundles_without_end_are_malformed(surface: OscSurface, client: Client) -> None:
    datagram = message("/bypass", 1)
    while len(datagram) < 60000:
        datagram = b"#bundle\0" + bytes(7) + b"\1" + len(datagram).to_bytes(4, "big") + datagram
    client.send_raw(datagram)
    wait_for(lambda: surface.n_malformed == 1)
    client.send("/bypass")
    assert client.wait("/bypass") == [0]


def test_a_flood_is_dropped_and_counted(
    surface: OscSurface, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "_budget", osc.Budget(50))
    for _ in range(500):
        surface._receive(message("/crossfade", 0.5), ("127.0.0.1", 9))
    assert surface.n_dropped >= 400
    time.sleep(0.1)
    client.send("/separation")
    assert client.wait("/separation") == [1.0]


def test_clients_are_bounded_and_forgotten(
    surface: OscSurface, client: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osc, "MOST_CLIENTS", 1)
    monkeypatch.setattr(osc, "SUBSCRIBED_S", 0.2)
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
    ],
)
def test_patterns(pattern: str, address: str, matches: bool) -> None:
    assert bool(compiled(pattern)(address)) == matches


@given(pattern=st.text(alphabet="/abc*?[]{}!,-.\\^$(", min_size=1, max_size=30))
def test_no_pattern_breaks_anything(pattern: str) -> None:
    with contextlib.suppress(UsageError):
        compiled(pattern)("/stem/abc/mute")
