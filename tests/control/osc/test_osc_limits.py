"""What one datagram, or a flood of them, can ask of the board over OSC: never more than the budget has."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osc_client import Client, bundle, message, wait_for
from pythonosc.osc_message import OscMessage
from pythonosc.osc_packet import OscPacket
from session import StillSession

from rtsep.control.osc import OscSurface, limits, outline
from rtsep.control.osc.clients import Clients
from rtsep.control.osc.limits import Budget
from rtsep.control.osc.messages import TOO_MUCH, Messages
from rtsep.control.osc.outline import check_outline
from rtsep.errors import UsageError

SOMEBODY = ("127.0.0.1", 9)
BUDGET = 30
N_MESSAGES = 60
HEAD = b"#bundle\0" + bytes(7) + b"\1"
FADERS = tuple(
    f"/stem/{stem}/{what}"
    for stem in ("vocals", "drums", "bass")
    for what in ("mute", "solo", "gain_db", "pan")
)


class Purse(Budget):
    """A budget to which no second goes by."""

    def _earn(self) -> None:
        pass


def messages_of(player: StillSession) -> Messages:
    return Messages(lambda: player.board, Clients(lambda: player.board, lambda: None))


@pytest.mark.parametrize(
    ("address", "values"),
    [("//*", (0.5,)), ("//*", ()), ("/namespace", ()), ("//nothing", ()), ("/stem/*/mute/position", (2.0,))],
)
@pytest.mark.parametrize("is_varied", [False, True])
def test_one_bundle_does_and_answers_no_more_than_the_budget_has(
    player: StillSession,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    values: tuple[float, ...],
    is_varied: bool,
) -> None:
    set_, n_sets = player.board.set, 0

    def counted(*arguments: object) -> None:
        nonlocal n_sets
        n_sets += 1
        set_(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(player.board, "set", counted)
    varied = [f"//{{no{n},*}}/" if is_varied and n % 2 else "//" for n in range(N_MESSAGES)]
    sent = [OscMessage(message(address.replace("//", start), *values)) for start in varied]
    *replies, last = messages_of(player).act(sent, SOMEBODY, Purse(BUDGET))
    assert n_sets + len(replies) <= BUDGET + N_MESSAGES + 1
    assert last == ("/error", TOO_MUCH)


def test_a_pattern_is_tried_once_and_an_address_that_is_not_there_too(
    player: StillSession,
) -> None:
    """A panel moves the same faders again and again, and some tell how they are held, sixty times a second."""
    messages, budget = messages_of(player), Purse(2 * len(player.board.parameters) + 5)
    for n in range(1, 1000):
        assert messages.act([OscMessage(message("/accxyz", 0.1))], SOMEBODY, budget)[0][0] == "/error"
        replies = messages.act([OscMessage(message("/{bypass,nothing}", n % 2))], SOMEBODY, budget)
        assert replies == []
        assert player.board["/bypass"] == n % 2
    player.board.replace([])  # and there is another board
    assert "no parameter '/{bypass" in str(
        messages.act([OscMessage(message("/{bypass,nothing}", 1))], SOMEBODY, Budget(1e9))
    )


@pytest.mark.parametrize("delay_s", [None, 0.2])
def test_a_bundle_that_was_taken_is_done_whole_whoever_floods_meanwhile(
    player: StillSession,
    surface: OscSurface,
    client: Client,
    published: list[tuple[float, ...]],
    delay_s: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = [(address, 1) for address in FADERS] + [("/crossfade", 0.25), ("/separation", 0.5)]
    sent = bundle(None if delay_s is None else time.time() + delay_s, *wanted)
    n_units = max(len(wanted), limits.price_of(sent))
    budget = Purse(n_units)
    monkeypatch.setattr(surface, "_budget", budget)
    client.send_raw(sent)
    if delay_s is not None:
        wait_for(lambda: surface._later.wait_s < 1)
        budget.charge(10**9)
    wait_for(lambda: all(player.board[address] == value for address, value in wanted))
    with player.board._lock:  # until then the bundle has it, and is not heard
        assert len(published) == 1
    assert surface.n_refused == surface.n_dropped == 0


def test_a_bundle_of_too_many_messages_is_told_and_not_begun(
    player: StillSession, surface: OscSurface, client: Client
) -> None:
    most = outline.MOST_PARTS - 1  # the bundle is one too
    client.send_raw(bundle(None, ("/bypass", 1), *[("/crossfade", 0.25)] * most))
    assert "more than 64 messages and bundles" in str(client.wait("/error")[0])
    assert player.board["/bypass"] is False
    client.send_raw(bundle(None, *[("/crossfade", 0.25)] * (most - 1), ("/bypass", 1)))
    wait_for(lambda: player.board["/bypass"] is True)
    assert surface.n_refused == 1


@pytest.mark.parametrize(
    "rubbish", [b"\xff" * 60000, b"/a\0\0,f\0\0" + b"\0" * 60000, b"/" + b"a" * 60000, b""]
)
def test_rubbish_is_paid_for_before_it_is_looked_at(
    surface: OscSurface, rubbish: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "_budget", Purse(2000))
    for _ in range(2100):
        surface._receive(rubbish, SOMEBODY)
    n_looked_at = 2000 // limits.price_of(rubbish)
    assert surface.n_dropped == 2100 - n_looked_at
    assert surface.n_malformed + surface.n_refused <= n_looked_at


@pytest.mark.parametrize(
    "part",
    [
        (-4).to_bytes(4, "big", signed=True),  # python-osc turns in a circle for ever
        (-24).to_bytes(4, "big", signed=True),
        bytes(4),
        b"\x7f\xff\xff\xff" + message("/bypass", 1),
        b"\0\0",
        b"\0\0\0\4what",
    ],
)
def test_sizes_that_do_not_fit_are_malformed(surface: OscSurface, client: Client, part: bytes) -> None:
    with pytest.raises(ValueError, match=r"a part of|neither"):  # or this would be the end of the surface
        check_outline(HEAD + part)
    client.send_raw(HEAD + part)
    wait_for(lambda: surface.n_malformed == 1)
    client.send("/bypass")
    assert client.wait("/bypass") == [0]


def in_bundle(parts: list[bytes]) -> bytes:
    return HEAD + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@given(
    st.recursive(
        st.sampled_from([message("/bypass", 1), message("/a")]), lambda part: st.lists(part).map(in_bundle)
    )
)
def test_what_the_parser_reads_has_an_outline(datagram: bytes) -> None:
    n_messages = datagram.count(b"/bypass") + datagram.count(b"/a\0")
    n_parts = n_messages + datagram.count(b"#bundle")
    if n_parts > outline.MOST_PARTS:
        with pytest.raises(UsageError):
            check_outline(datagram)
    else:
        check_outline(datagram)
        assert len(OscPacket(datagram).messages) == n_messages


@given(st.binary(max_size=200).map(lambda rest: HEAD + rest))
def test_whatever_has_an_outline_is_read_to_an_end(datagram: bytes) -> None:
    try:
        check_outline(datagram)
    except ValueError:  # a UsageError is one
        return
    assert datagram == HEAD or OscPacket(datagram).messages or b"#bundle" in datagram[1:]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(datagram=st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"#bundle\0" + tail))
def test_rubbish_does_no_harm(surface: OscSurface, player: StillSession, datagram: bytes) -> None:
    before = player.mix.mix
    surface._receive(datagram, SOMEBODY)
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
        surface._receive(message("/crossfade", 0.5), SOMEBODY)
    assert surface.n_dropped >= 400
    time.sleep(0.1)
    client.send("/separation")
    assert client.wait("/separation") == [1.0]


def test_answers_count_as_well(surface: OscSurface, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "_budget", limits.Budget(50))
    sent = []
    monkeypatch.setattr(surface, "_send", lambda to, address, *values: sent.append(address))
    for _ in range(500):
        surface._receive(message("/namespace"), SOMEBODY)
    n_parameters = len(surface._board.parameters)
    assert n_parameters > 25  # or one question would not use the budget up
    assert len(sent) <= 50 + 2 * n_parameters
    assert surface.n_dropped >= 490
