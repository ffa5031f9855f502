"""The page in a real browser, on a real session: what a hand does is heard."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from hands_on_page import GAIN, Opener, drag, fader_of, heard_rms, until

from rtsep.control.web.link import WebSurface
from rtsep.host import Host


def test_a_fader_that_is_dragged_is_heard(host: Host, open_page: Opener) -> None:
    page = open_page()
    before = heard_rms(host, page)
    drag(page, fader_of("/stem/mid"), 0, 2000)
    drag(page, fader_of("/stem/side"), 0, 2000)
    until(lambda: host.board[GAIN] == host.board["/stem/side/gain_db"] == -np.inf, page)
    assert heard_rms(host, page) < 1e-4 < before
    fader = page.locator(fader_of("/stem/mid"))
    assert fader.get_attribute("aria-valuetext") == "silent"
    fader.dblclick()
    until(lambda: host.board[GAIN] == 0.0, page)
    assert heard_rms(host, page) == pytest.approx(before / np.sqrt(2), rel=0.1)


def test_a_fader_at_its_top_leaves_alone_what_was_typed_above_it(host: Host, open_page: Opener) -> None:
    page = open_page()
    host.board[GAIN] = 18.0
    fader = page.locator(fader_of("/stem/mid"))
    until(lambda: "18.0 dB" in (fader.get_attribute("aria-valuetext") or ""), page)
    fader.click()
    page.wait_for_timeout(400)  # or the next touch would be the second of two
    drag(page, fader_of("/stem/mid"), 0, -50)  # further up there is nothing
    fader.press("End")
    drag(page, fader_of("/stem/side"), 0, 60)
    until(lambda: host.board["/stem/side/gain_db"] != 0.0, page)
    assert host.board[GAIN] == 18.0
    page.wait_for_timeout(400)
    drag(page, fader_of("/stem/mid"), 0, 60)
    until(lambda: -np.inf < host.board[GAIN] < 10.0, page)


def test_a_fader_answers_before_the_session_does(host: Host, web: WebSurface, open_page: Opener) -> None:
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("this system cannot stop a process")
    page = open_page()
    os.kill(web.server_pid, signal.SIGSTOP)
    try:
        drag(page, fader_of("/stem/mid"), 0, 60)
        shown = page.locator(fader_of("/stem/mid")).get_attribute("aria-valuenow")
        assert shown is not None
        assert float(shown) < 0
        assert host.board[GAIN] == 0.0
    finally:
        os.kill(web.server_pid, signal.SIGCONT)
    until(lambda: host.board[GAIN] == float(shown), page)


def test_mute_solo_pan_bypass_and_routes(host: Host, open_page: Opener) -> None:
    page = open_page()
    whole = heard_rms(host, page)
    page.get_by_role("button", name="mid mute").click()
    until(lambda: host.board["/stem/mid/mute"] is True, page)
    assert heard_rms(host, page) == pytest.approx(whole / np.sqrt(2), rel=0.1)
    page.get_by_role("button", name="side mute").click()
    until(lambda: host.board["/stem/side/mute"] is True, page)
    assert heard_rms(host, page) < 1e-4
    page.get_by_role("button", name="bypass").click()
    until(lambda: host.board["/bypass"] is True, page)
    assert heard_rms(host, page) == pytest.approx(whole, rel=0.1)
    page.get_by_role("button", name="bypass").click()
    page.get_by_role("button", name="mid mute").click()
    page.get_by_role("button", name="side mute").click()
    page.get_by_role("button", name="side solo", exact=True).click()
    until(lambda: host.board["/stem/side/solo"] is True, page)
    assert heard_rms(host, page) == pytest.approx(whole / np.sqrt(2), rel=0.1)
    page.wait_for_selector('.silent[data-at="/stem/mid"]')
    page.get_by_role("slider", name="side pan").press("Home")
    until(lambda: host.board["/stem/side/pan"] == -1.0, page)
    page.get_by_role("combobox", name="side route").select_option("3-4")
    until(lambda: host.board["/stem/side/route"] == "3-4", page)
    assert heard_rms(host, page) < 1e-4


def test_keys_do_all_of_it(host: Host, open_page: Opener) -> None:
    page = open_page()
    page.keyboard.press("2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    until(lambda: host.board["/stem/side/gain_db"] == -2.0, page)
    page.keyboard.press("m")
    until(lambda: host.board["/stem/side/mute"] is True, page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("s")
    until(lambda: host.board["/stem/mid/solo"] is True, page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    page.keyboard.press("PageDown")
    until(lambda: host.board[GAIN] == -6.0, page)
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "\u22126.0 dB"
    page.keyboard.press("Backspace")
    until(lambda: host.board[GAIN] == 0.0, page)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowUp")
    until(lambda: host.board[GAIN] == 1.0, page)
    page.keyboard.press("Space")
    until(lambda: host.board["/transport/play"] is False, page)
    assert heard_rms(host, page) >= 0  # the tape runs on
    until(lambda: heard_rms(host, page) < 1e-4, page)


def test_it_fits_a_phone_and_many_fingers(host: Host, open_page: Opener) -> None:
    page = open_page(375, 667, has_touch=True, is_mobile=True, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.get_by_role("button", name="mid mute").tap()
    until(lambda: host.board["/stem/mid/mute"] is True, page)
    for name in ("mid level", "side level", "mid mute"):
        box = page.get_by_label(name, exact=True).bounding_box()
        assert box is not None
        assert box["width"] >= 30
        assert box["x"] + box["width"] <= 375
        assert box["y"] + box["height"] <= 667
    styles = page.evaluate(
        "[...document.querySelectorAll('.fader, .slider')].map((x) => getComputedStyle(x).touchAction)"
    )
    assert set(styles) == {"none"}  # or a finger on a fader would move the page
    boxes = [page.locator(fader_of(at)).bounding_box() for at in ("/stem/mid", "/stem/side")]
    places = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes if box]
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, dy: float) -> None:
        points = [{"x": x, "y": y + dy, "id": k} for k, (x, y) in enumerate(places)]
        fingers.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if kind != "touchEnd" else []}
        )

    touch("touchStart", 0)
    for dy in (10, 20, 30, 40):
        touch("touchMove", dy)
    touch("touchEnd", 0)
    until(lambda: host.board[GAIN] == host.board["/stem/side/gain_db"] < -3, page)
