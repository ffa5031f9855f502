"""Learning on the page: what is touched is named to the learner, and not done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hands_on_page import SONG_S, Opener, fader_of, until

from rtsep.board import Control
from rtsep.host import Host
from rtsep.parameters import Parameter
from rtsep.scales import Text


@pytest.fixture
def learnt(host: Host) -> list[object]:
    """What the page asks a learner for, whose only trait is that it writes that down."""
    asked: list[object] = []
    learn = Parameter("/midi/learn", Text(longest=256), "off", "learns a control", "momentary")
    told = Parameter("/midi/learned", Text(longest=4096), "", "what was learnt", "told")
    more = [
        Control(learn, lambda: "", asked.append),
        Control(told, lambda: f"{asked[-1]} it is" if asked else "", print),
    ]
    host.board.replace([*host.board._controls.values(), *more])
    return asked


def test_learn_names_the_control_that_is_touched(host: Host, open_page: Opener, learnt: list[object]) -> None:
    page = open_page()
    page.locator(".learn").click()
    page.get_by_role("button", name="mid mute").click()
    page.locator(fader_of("/stem/side")).click()
    until(lambda: learnt == ["/stem/mid/mute", "/stem/side/gain_db"], page)
    assert host.board["/stem/mid/mute"] is False
    page.wait_for_selector('.armed[data-address="/stem/side/gain_db"]')
    page.wait_for_selector("#toast.shown:has-text('/stem/side/gain_db it is')")
    page.locator(".learn").click()
    until(lambda: learnt[2:] == ["off"], page)
    page.get_by_role("button", name="mid mute").click()
    until(lambda: host.board["/stem/mid/mute"] is True, page)


def test_in_learn_mode_whatever_is_touched_is_learnt_and_not_done(
    host: Host, open_page: Opener, learnt: list[object]
) -> None:
    host.board["/scene/save"] = "as it was"
    host.board["/scene/recall"] = "as it was"
    page = open_page()
    before = dict(host.board.values)
    page.locator(".learn").click()

    def touch(wish: str, act: Callable[[], object]) -> None:
        act()
        until(lambda: learnt and learnt[-1] == wish, page)

    def choose(name: str, option: str) -> None:
        page.get_by_role("combobox", name=name).dispatch_event("pointerdown")  # opens the list of the system
        page.get_by_role("combobox", name=name).select_option(option)

    def named(role: str, name: str) -> Any:
        return page.get_by_role(role, name=name, exact=True)

    def write(name: str, text: str) -> None:
        named("textbox", name).fill(text)
        page.keyboard.press("Enter")

    touch("/scene/recall=everything", named("button", "everything").click)
    page.wait_for_selector('.armed:has-text("everything")')
    assert page.locator(".armed").count() == 1
    touch("/scene/fade_s=2", named("button", "fade 2 s").click)
    touch("/stem/side/route=3-4", lambda: choose("side route", "3-4"))
    touch("/stem/side/route=main", lambda: choose("side route", "main"))  # as it is
    page.evaluate("document.activeElement.blur()")
    assert page.get_by_role("combobox", name="side route").input_value() == "main"
    touch("/scene/save=of a pad", lambda: write("name of a new scene", "of a pad"))
    touch("/scene/delete=as it was", named("button", "Delete").click)
    touch("/scene/undo", named("button", "undo the last recall").click)
    touch("/bypass", page.get_by_role("button", name="bypass").click)
    touch("/transport/seek_s=5", lambda: page.locator(".place").press("ArrowRight"))
    page.locator(".place").click()
    until(lambda: str(learnt[-1]).startswith("/transport/position_s="), page)
    assert float(str(learnt[-1]).partition("=")[2]) == pytest.approx(SONG_S / 2, rel=0.05)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    for key, field in (("m", "mute"), ("s", "solo"), ("ArrowUp", "gain_db"), ("End", "gain_db")):
        touch(f"/stem/side/{field}", lambda key=key: page.keyboard.press(key))
    page.locator(fader_of("/stem/side")).hover()
    page.mouse.wheel(0, -300)
    page.evaluate("document.activeElement.blur()")
    touch("/transport/play", lambda: page.keyboard.press("Space"))
    now = dict(host.board.values)
    told = ("/midi/learned", "/message")
    assert {a: v for a, v in now.items() if a not in told} == {
        a: v for a, v in before.items() if a not in told
    }
    assert host.transport is not None
    assert host.transport.position_s < SONG_S / 4
    page.locator(".learn").click()
    named("button", "everything").click()
    until(lambda: host.board["/scene/current"] == "everything", page)
