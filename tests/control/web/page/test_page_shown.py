"""The page in a real browser, on a real session: it shows what is, whoever did it, and comes back."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from hands_on_page import GAIN, SONG_S, Opener, drag, fader_of, until

from rtsep.control.web.link import WebSurface
from rtsep.host import Host


def test_what_is_not_heard_is_dimmed_whoever_silences_it(host: Host, open_page: Opener) -> None:
    page = open_page()

    def dimmed() -> list[str]:
        return page.eval_on_selector_all(
            ".strip.silent", "(strips) => strips.map((strip) => strip.dataset.at)"
        )

    for address, value, silent in [
        ("/group/middle/solo", True, ["/stem/side"]),
        ("/group/middle/mute", True, ["/stem/mid", "/stem/side"]),
        ("/group/middle/solo", False, ["/stem/mid"]),
        ("/group/middle/mute", False, []),
        ("/stem/side/gain_db", -np.inf, ["/stem/side"]),
    ]:
        host.board[address] = value
        until(lambda silent=silent: dimmed() == silent, page)


def test_scenes_are_saved_recalled_and_undone(host: Host, open_page: Opener) -> None:
    page = open_page()
    page.get_by_role("button", name="mid mute").click()
    name = page.get_by_role("textbox", name="name of a new scene")
    name.fill("no middle, at all")
    page.get_by_role("button", name="Save").click()
    until(lambda: "no middle, at all" in host.board["/scene/names"], page)
    page.get_by_role("button", name="everything").click()
    until(lambda: host.board["/stem/mid/mute"] is False, page)
    page.get_by_role("button", name="no middle").click()
    until(lambda: host.board["/stem/mid/mute"] is True, page)
    page.wait_for_selector('.chips button[aria-pressed="true"]:has-text("no middle")')
    page.get_by_role("button", name="undo").click()
    until(lambda: host.board["/stem/mid/mute"] is False, page)
    page.get_by_role("button", name="fade 2 s").click()
    until(lambda: host.board["/scene/fade_s"] == 2.0, page)
    page.get_by_role("button", name="no middle").click()
    delete = page.locator(".delete")
    until(lambda: delete.is_enabled(), page)
    delete.click()
    assert "no middle, at all?" in delete.inner_text()
    delete.click()
    until(lambda: "no middle, at all" not in host.board["/scene/names"], page)
    page.get_by_role("textbox", name="name of a new scene").fill("everything else")
    page.keyboard.press("Enter")
    until(lambda: "everything else" in host.board["/scene/names"], page)


def test_two_pages_stay_in_step(host: Host, open_page: Opener) -> None:
    first, second = open_page(), open_page(390, 844)
    drag(first, fader_of("/stem/mid"), 0, 40)
    until(lambda: host.board[GAIN] != 0.0, first)
    other = second.locator(fader_of("/stem/mid"))
    until(lambda: float(other.get_attribute("aria-valuenow") or 0) == host.board[GAIN], second)
    second.get_by_role("button", name="side mute").click()
    first.wait_for_selector('[data-address="/stem/side/mute"][aria-pressed="true"]')
    host.board.set("/separation", 0.5)
    for page in (first, second):
        page.wait_for_selector('.wide[aria-valuetext="50 %"]')


def test_it_comes_back_when_the_server_does(host: Host, web: WebSurface, open_page: Opener) -> None:
    page = open_page()
    os.kill(web.server_pid, signal.SIGTERM)
    page.wait_for_selector("body.away")
    assert "Looking for it" in page.locator("#veil").inner_text()
    host.board.set(GAIN, -12)
    page.wait_for_selector("body:not(.away)", timeout=30000)
    until(lambda: page.locator(fader_of("/stem/mid")).get_attribute("aria-valuenow") == "-12", page)
    page.get_by_role("button", name="mid mute").click()
    until(lambda: host.board["/stem/mid/mute"] is True, page)
    assert web.n_restarts == 1


def test_what_the_session_does_is_shown(host: Host, open_page: Opener) -> None:
    page = open_page()
    until(lambda: page.locator(".time").inner_text().startswith("0:0"), page)
    lit = "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 1 && v > 60)"
    for selector in (".lane canvas", '[data-at="/bus/main"] .meter', '[data-at="/stem/mid"] .meter'):
        canvas = page.locator(selector).first
        until(lambda canvas=canvas: canvas.evaluate(lit), page)
    page.locator(".latency summary").click()
    assert "compute" in page.locator(".latency ul").inner_text()
    page.locator(".place").click()
    until(lambda: host.transport is not None and host.transport.position_s > SONG_S / 3, page)
    until(lambda: not page.locator(".time").inner_text().startswith("0:0"), page)
    marks = page.locator(".place .loop")
    assert not marks.is_visible()
    host.board["/transport/loop_start"] = True  # by whoever else there is
    until(lambda: "open" in (marks.get_attribute("class") or "") and not marks.get_attribute("hidden"), page)
    time.sleep(0.5)
    host.board["/transport/loop_end"] = True
    until(lambda: marks.is_visible() and "open" not in (marks.get_attribute("class") or ""), page)
    host.board["/transport/loop_off"] = True
    until(lambda: not marks.is_visible(), page)


def test_every_control_says_what_it_is(open_page: Opener) -> None:
    page = open_page()
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, select, [role=slider]')]
        .filter((made) => !(made.getAttribute('aria-label') || made.textContent).trim()).length"""
    )
    assert unnamed == 0
    for slider in page.get_by_role("slider").all():
        values = [slider.get_attribute(f"aria-value{end}") for end in ("min", "max")]
        assert None not in values
    assert page.get_by_role("slider", name="mid level").get_attribute("aria-valuetext") == "0.0 dB"
    assert page.get_by_role("slider", name="mid pan").get_attribute("aria-valuetext") == "center"


def test_what_is_refused_is_shown_and_taken_back(host: Host, open_page: Opener) -> None:
    page = open_page()
    page.get_by_role("button", name="undo").click()
    page.wait_for_selector("#toast.shown:has-text('nothing to undo')")


def test_what_is_said_again_is_shown_again(host: Host, open_page: Opener) -> None:
    host.board["/scene/save"] = "mine"
    until(lambda: host.board["/message"] == "the scene mine is kept", page := open_page())
    for _ in range(2):
        host.board["/scene/save"] = "mine"
        page.wait_for_selector("#toast.shown:has-text('the scene mine is kept')")
        page.evaluate("document.getElementById('toast').className = ''")


def test_a_page_without_the_token_says_so_and_where_it_is(browser: object, host: Host) -> None:
    with WebSurface(host, "127.0.0.1", 0, "the-token-of-this-test") as web:
        page = browser.new_page()  # type: ignore[attr-defined]
        for wrong in ("#wrong", "", "#%zz"):
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{web.port}/{wrong}")
            page.wait_for_selector("#veil:has-text('open the link that rtsep printed at its start')")
            assert page.locator(".strip").count() == 0
        page.goto("about:blank")
        page.goto(web.invitation()[0].removeprefix("Mixer: "))
        page.wait_for_selector(".strip")
        page.close()
