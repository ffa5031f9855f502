"""Which keys are the mixer's, and which the browser's."""

from __future__ import annotations

from hands_on_page import Opener, until

from rtsep.host import Host


def test_arrows_move_faders_only_where_the_console_was_touched_last(host: Host, open_page: Opener) -> None:
    page = open_page(1280, 500)
    gain = "/stem/mid/gain_db"
    page.keyboard.press("ArrowDown")  # nothing was touched yet
    until(lambda: host.board[gain] == -1.0, page)
    for touch in (
        page.get_by_role("button", name="bypass").focus,
        page.get_by_role("button", name="everything").focus,
        page.locator("#scenes h3").click,
    ):
        touch()
        page.evaluate("scrollTo(0, 0)")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        until(lambda: page.evaluate("scrollY") > 0, page)
        assert page.locator(".fader:focus").count() == 0
    assert host.board[gain] == -1.0
    page.get_by_role("button", name="mid mute").click()
    page.keyboard.press("ArrowDown")
    until(lambda: host.board[gain] == -2.0, page)
