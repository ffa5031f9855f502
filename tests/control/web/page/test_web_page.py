"""The page in a real browser, on a real session: what a hand does is heard."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import launched

from rtsep.board import Control
from rtsep.control.web.link import WebSurface
from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.parameters import Parameter
from rtsep.scales import Text
from rtsep.settings import LiveSettings

Page = Any

OUTSIDE = Path(__file__).resolve().parents[3] / "outside"
RATE_HZ = 44100
SONG_S = 600.0
RAMP_SAMPLES = 1024  # a change of gain takes 10 ms
GAIN = "/stem/mid/gain_db"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mid and side that are equally loud, in 16 bits."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    block = np.random.default_rng(2).uniform(-0.25, 0.25, (2, RATE_HZ)).astype(np.float32)
    with AudioWriter(path, RATE_HZ, 2, subtype="PCM_16") as writer:
        for _ in range(round(SONG_S)):
            writer.write(block)
    return path


@pytest.fixture
def host(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.syspath_prepend(OUTSIDE)
    tree = {
        "input": {"source": f"file:{song}"},
        "model": {"name": "midside"},
        "output": {"sink": f"file:{tmp_path / 'out.wav'}", "clock": "real", "compute_ms": 200.0},
        "mixer": {"buses": {"cue": {"channels": [3, 4]}}, "groups": {"middle": {"stems": ["mid"]}}},
        "control": {"scenes": tmp_path / "scenes.yaml"},
    }
    with Host(LiveSettings().with_overrides(tree)) as found:
        yield found


@pytest.fixture
def web(host: Host) -> Iterator[WebSurface]:
    with WebSurface(host, "127.0.0.1", 0) as surface:
        yield surface


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: object, web: WebSurface) -> Iterator[Opener]:
    """Opens the page; what a browser complains of is an error, and so is whatever is asked of anybody else."""
    contexts, troubles = [], []

    def open_one(width: int = 1280, height: int = 800, **options: object) -> Page:
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, **options)  # type: ignore[attr-defined]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console", lambda said: troubles.append(said.text) if "Content Security" in said.text else None
        )
        page.on("request", lambda asked: troubles.append(asked.url) if not is_ours(asked.url) else None)
        page.goto(web.invitation()[0].removeprefix("Mixer: "))
        page.wait_for_selector(".strip")
        return page

    def is_ours(url: str) -> bool:
        return url.startswith((f"http://127.0.0.1:{web.port}/", "data:"))

    yield open_one
    for context in contexts:
        context.close()
    assert troubles == []


def until(is_so: Callable[[], object], page: Page, timeout_s: float = 20) -> None:
    """Wait, while the page goes on."""
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s
        page.wait_for_timeout(20)


def heard_rms(host: Host, page: Page) -> float:
    """The main bus in a fifth of a second that begins now, as it was captured; not where the mixture stood in."""
    desk, n_samples = host._rig.desk, RATE_HZ // 5
    tape = desk.sink_tape
    while True:
        start, n_late = tape.written + RAMP_SAMPLES, int(desk.state["n_late_samples"])
        until(lambda start=start: tape.written >= start + n_samples, page)
        samples = tape.read(start, n_samples)
        if samples is not None and int(desk.state["n_late_samples"]) == n_late and not desk.chain.is_late:
            return float(np.sqrt(np.mean(np.square(samples[:2]))))


def drag(page: Page, selector: str, dx: float, dy: float) -> None:
    box = page.locator(selector).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=8)
    page.mouse.up()


def fader_of(at: str) -> str:
    return f'[data-at="{at}"] .fader'


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


def test_what_is_refused_is_shown_and_taken_back(host: Host, open_page: Opener) -> None:
    page = open_page()
    page.get_by_role("button", name="undo").click()
    page.wait_for_selector("#toast.shown:has-text('nothing to undo')")


def test_a_page_without_the_token_says_so(browser: object, host: Host) -> None:
    with WebSurface(host, "127.0.0.1", 0, "the-token-of-this-test") as web:
        page = browser.new_page()  # type: ignore[attr-defined]
        page.goto(f"http://127.0.0.1:{web.port}/#wrong")
        page.wait_for_selector("#veil:has-text('this is not the token')")
        assert page.locator(".strip").count() == 0
        page.goto("about:blank")
        page.goto(web.invitation()[0].removeprefix("Mixer: "))
        page.wait_for_selector(".strip")
        page.close()
