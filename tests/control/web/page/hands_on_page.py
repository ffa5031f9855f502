"""Hands on a page, and ears at the session behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rtsep.host import Host

Page = Any
Opener = Callable[..., Page]
RATE_HZ = 44100
SONG_S = 600.0
RAMP_SAMPLES = 1024  # a change of gain takes 10 ms
GAIN = "/stem/mid/gain_db"


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
