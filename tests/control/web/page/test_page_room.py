"""The page where there is little room: faders first, and all of it within reach."""

from __future__ import annotations

import pytest
from hands_on_page import Opener, Page, until

from rtsep.host import Host

LONG = "a-very-long-bus-name"


@pytest.fixture
def buses() -> dict[str, object]:
    return {
        "cue": {"channels": [3, 4]},
        "aux": {"channels": [5, 6]},
        "monitors.left": {"channels": [7]},
        LONG: {"channels": [8]},
    }


def box_of(page: Page, name: str) -> dict[str, float]:
    box = page.get_by_label(name, exact=True).bounding_box()
    assert box is not None
    return dict(box)


@pytest.mark.parametrize(("width", "height"), [(844, 390), (667, 375), (390, 844), (375, 667), (1280, 800)])
def test_faders_are_whole_on_the_screen_and_the_rest_is_a_button_away(
    host: Host, open_page: Opener, width: int, height: int
) -> None:
    page = open_page(width, height)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for name in ("mid level", "mid mute", "mid solo", "side level"):
        box = box_of(page, name)
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    level = box_of(page, "mid level")
    assert level["height"] >= 100
    assert box_of(page, "bus main level")["y"] == level["y"]  # strips that have less to them stand no lower
    send = page.get_by_role("slider", name=f"mid to {LONG}")
    assert not send.is_visible()
    page.locator("summary", has_text="More").first.click()
    assert box_of(page, "mid level") | {"y": 0} == level | {"y": 0}
    send.press("End")
    until(lambda: host.board[f"/stem/mid/send/{LONG}"] > 0, page)


def test_what_is_unfolded_stays_so_when_the_screen_is_turned(open_page: Opener) -> None:
    page = open_page(844, 390)
    page.locator("summary", has_text="More").first.click()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.get_by_role("slider", name="mid pan").is_visible()
    assert not page.get_by_role("slider", name="side pan").is_visible()


def test_a_send_has_its_name_above_it(open_page: Opener) -> None:
    page = open_page()
    page.locator("summary", has_text="More").first.click()
    for bus in ("monitors.left", LONG):
        name = page.locator(f".send span[title='{bus}']").first.bounding_box()
        rail = page.get_by_role("slider", name=f"mid to {bus}").locator("b").bounding_box()
        assert name is not None
        assert rail is not None
        assert name["height"] < 20
        assert name["y"] + name["height"] <= rail["y"]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390), (820, 1180)])
def test_a_finger_finds_everything(open_page: Opener, width: int, height: int) -> None:
    page = open_page(width, height, has_touch=True, is_mobile=True)
    for more in page.locator(".folded summary", has_text="More").all():
        more.tap()
    small = page.evaluate(
        """[...document.querySelectorAll('button, select, input, summary, .slider, .fader, .place')]
        .map((made) => [made.ariaLabel || made.textContent, made.getBoundingClientRect()])
        .filter(([name, { width, height }]) => width && (width < 44 || height < 44)).map(([name]) => name)"""
    )
    assert small == []
    assert box_of(page, "bus main level")["y"] == box_of(page, "mid level")["y"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
