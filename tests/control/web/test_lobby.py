"""The lobby: never fuller than it may be, and the greedy make room for the others."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.web.lobby import Lobby

N_PLACES = 12


@given(st.lists(st.sampled_from("aaaabcd"), max_size=200), st.data())
def test_who_loses_a_place_is_the_oldest_of_those_who_have_most(
    comers: list[str], data: st.DataObject
) -> None:
    lobby: Lobby[int] = Lobby(N_PLACES)
    inside: dict[int, str] = {}
    for guest, address in enumerate(comers):
        unlucky = lobby.enter(guest, address)
        inside[guest] = address
        assert (unlucky is None) == (len(inside) <= N_PLACES)
        if unlucky is not None:
            counts = Counter(inside.values())
            assert counts[inside[unlucky]] == max(counts.values())
            assert unlucky == min(one for one in inside if inside[one] == inside[unlucky])
            del inside[unlucky]
        if inside and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(inside)))
            lobby.leave(gone)
            del inside[gone]


@given(st.lists(st.sampled_from("abc"), max_size=100))
def test_a_fair_share_is_never_lost(rivals: list[str]) -> None:
    lobby: Lobby[int] = Lobby(N_PLACES)
    mine = range(-N_PLACES // 4, 0)  # a quarter, of four addresses
    lost = {lobby.enter(guest, "mine") for guest in mine}
    lost |= {lobby.enter(guest, address) for guest, address in enumerate(rivals)}
    assert lost.isdisjoint(mine)


def test_who_leaves_twice_or_was_never_there_does_no_harm() -> None:
    lobby: Lobby[str] = Lobby(1)
    lobby.leave("nobody")
    assert lobby.enter("first", "a") is None
    lobby.leave("first")
    lobby.leave("first")
    assert lobby.enter("second", "a") is None
    assert lobby.enter("third", "b") == "second"
