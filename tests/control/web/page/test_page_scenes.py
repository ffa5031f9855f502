"""Scenes on the page, by keyboard as well as by hand."""

from __future__ import annotations

from hands_on_page import Opener, until

from rtsep.host import Host

FOCUSED = "document.activeElement.textContent"


def test_focus_stays_on_the_scene_and_the_fade_that_were_chosen(host: Host, open_page: Opener) -> None:
    host.board["/scene/save"] = "mine"
    page = open_page()
    page.get_by_role("button", name="everything", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('[aria-pressed="true"]:has-text("everything")')
    assert page.evaluate(FOCUSED) == "everything"
    host.board["/scene/save"] = "another"
    page.wait_for_selector('.chips button:has-text("another")')
    assert page.evaluate(FOCUSED) == "everything"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector('[aria-pressed="true"]:has-text("mine")')
    page.get_by_role("button", name="fade 2 s").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('.choices [aria-pressed="true"]:text-is("2")')
    assert page.evaluate(FOCUSED) == "2"
    host.board["/scene/fade_s"] = 3.0  # none of those on offer
    page.wait_for_selector('.choices [aria-pressed="true"]:text-is("3")')
    assert page.locator(".choices button").all_inner_texts() == ["0", "0.5", "1", "2", "3", "5", "10"]
    assert page.evaluate(FOCUSED) == "2"
    host.board["/scene/delete"] = "mine"
    until(lambda: page.locator(".chips button").all_inner_texts() == ["everything", "another"], page)
    assert page.evaluate(FOCUSED) == "2"
