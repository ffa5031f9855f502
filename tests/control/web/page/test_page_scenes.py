"""Scenes on the page, by keyboard as well as by hand."""

from __future__ import annotations

from pathlib import Path

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


def test_a_scene_of_that_name_is_replaced_by_who_means_it(
    host: Host, open_page: Opener, tmp_path: Path
) -> None:
    host.board["/scene/save"] = "mine"
    page = open_page()
    until((tmp_path / "scenes.yaml").is_file, page)
    name, save = page.get_by_role("textbox", name="name of a new scene"), page.locator(".saving button")
    page.get_by_role("button", name="mid mute").click()
    until(lambda: host.board["/stem/mid/mute"] is True, page)

    def is_replaced() -> bool:
        return "mute: true" in (tmp_path / "scenes.yaml").read_text()

    name.fill("mine")
    page.keyboard.press("Enter")
    assert save.inner_text() == "Replace mine?"
    page.keyboard.press("Backspace")  # another name is another question
    assert save.inner_text() == "Save"
    page.keyboard.press("e")
    save.click()
    assert save.inner_text() == "Replace mine?"
    assert not is_replaced()
    page.keyboard.press("Enter")
    until(is_replaced, page)
    assert save.inner_text() == "Replaced"
    assert name.input_value() == ""
    name.fill("everything")  # one of rtsep's own
    page.keyboard.press("Enter")
    assert save.inner_text() == "Replace everything?"
    page.keyboard.press("Enter")
    until(lambda: host.board["/scene/current"] == "everything", page)
