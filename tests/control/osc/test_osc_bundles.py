"""Bundles are heard at one instant, now or when they ask for it."""

from __future__ import annotations

import time

import pytest
from osc_client import Client, bundle, wait_for
from session import StillSession

from rtsep.control.osc import OscSurface, limits


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
