"""The place in the song and the loop, by pointer and by keyboard."""

from __future__ import annotations

import pytest
from hands_on_page import SONG_S, Opener, until

from rtsep.host import Host

PLACE_S = "Number(document.querySelector('.place').getAttribute('aria-valuenow'))"


def place_s(host: Host) -> float:
    assert host.transport is not None
    return host.transport.position_s


def test_the_place_is_dragged_and_taken_where_it_is_let_go(host: Host, open_page: Opener) -> None:
    page = open_page()
    box = page.locator(".place").bounding_box()
    assert box is not None
    x, y, width = box["x"], box["y"] + box["height"] / 2, box["width"]
    page.mouse.move(x + 0.2 * width, y)
    page.mouse.down()
    page.mouse.move(x + 0.5 * width, y, steps=4)
    page.wait_for_timeout(300)  # while the song plays on
    assert page.evaluate(PLACE_S) == pytest.approx(SONG_S / 2, rel=0.02)
    assert place_s(host) < 0.1 * SONG_S
    page.mouse.move(x + 0.6 * width, y + 50)
    page.mouse.up()
    until(lambda: place_s(host) == pytest.approx(0.6 * SONG_S, rel=0.05), page)
    until(lambda: page.evaluate(PLACE_S) == pytest.approx(0.6 * SONG_S, rel=0.05), page)


def test_the_place_has_the_keys_of_a_slider(host: Host, open_page: Opener) -> None:
    page = open_page()
    page.get_by_role("button", name="play", exact=True).click()
    until(lambda: host.board["/transport/play"] is False, page)
    place = page.get_by_role("slider", name="place in the song")
    place.press("End")
    until(lambda: place_s(host) == pytest.approx(SONG_S - 5), page)
    place.press("Home")
    until(lambda: place_s(host) == 0, page)
    place.press("PageUp")
    until(lambda: place_s(host) == pytest.approx(30), page)
    place.press("ArrowLeft")
    until(lambda: place_s(host) == pytest.approx(25), page)
    place.press("PageDown")
    until(lambda: place_s(host) == 0, page)


def test_a_loop_is_set_and_cleared_on_a_phone(host: Host, open_page: Opener) -> None:
    page = open_page(390, 844, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="loop starts here").tap()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="loop ends here").tap()
    until(lambda: host.board["/transport/loop_end_s"] > 0, page)
    page.get_by_role("button", name="no loop").tap()
    until(lambda: host.board["/transport/loop_end_s"] == 0, page)
