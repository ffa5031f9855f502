"""Learn, from a touch on the page to a knob that moves: a real browser, and a controller that exists for this test."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from browsers import launched
from visitors import Visitor

from rtsep.control.midi.ports import SEQUENCER, Output, Ports
from rtsep.io.files import AudioWriter

TESTS = Path(__file__).resolve().parents[2]
RATE_HZ = 44100
KNOBS = "knobs of a test"
CONFIG = """
model: {{name: midside}}
input: {{source: "file:song.wav"}}
output: {{sink: "file:out.wav", clock: real}}
control: {{web: {{listen: "127.0.0.1:{port}"}}, midi: {{virtual: "{knobs}"}}}}
"""


@pytest.fixture(scope="module")
def way() -> Iterator[None]:
    """A way to MIDI: ALSA's sequencer, else a JACK server."""
    if SEQUENCER.exists():
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TESTS / "io")
        from jack_server import run_server

        with run_server(waits=False) as name:
            patch.setenv("JACK_DEFAULT_SERVER", name)
            yield


@pytest.fixture(scope="module")
def port(way: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a session with a web mixer and a virtual port is listening: one for all tests, who learn other controls."""
    folder = tmp_path_factory.mktemp("learn")
    with AudioWriter(folder / "song.wav", RATE_HZ, 2, subtype="PCM_16") as writer:
        for _ in range(300):
            writer.write(np.full((2, RATE_HZ), 0.1, np.float32))
    with socket.create_server(("127.0.0.1", 0)) as found:
        number = found.getsockname()[1]
    (folder / "live.yaml").write_text(CONFIG.format(port=number, knobs=KNOBS))
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(TESTS / "outside"), *sys.path))),
        "RTSEP_CONFIG": str(folder / "config"),
    }
    command = [sys.executable, "-m", "rtsep", "live", "live.yaml", "--no-keys"]
    with subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        said = next((line for line in lines if "Mixer: " in line or "error" in line), "it ended")
        try:
            assert "Mixer: " in said, said
            yield number
        finally:
            process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
            process.communicate(timeout=60)


@contextlib.contextmanager
def controller() -> Iterator[Output]:
    """What a hand turns."""
    ports = Ports()
    name = next(name for name in ports.outputs() if KNOBS in name)
    output = ports.open_output(name)
    yield output
    output.close()
    ports.close()


def until(
    is_so: Callable[[], object], act: Callable[[], object] = lambda: None, timeout_s: float = 30
) -> None:
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s
        act()
        time.sleep(0.02)


def test_a_knob_learns_what_was_touched_on_the_page(port: int) -> None:
    with launched() as browser, controller() as knob, Visitor(port) as watcher:
        watcher.world()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator(".learn").click()
        page.locator('[data-at="/stem/side"] .fader').click()
        page.wait_for_selector("#toast.shown:has-text('/stem/side/gain_db')")
        for value in range(20, 100, 7):
            knob.send([bytes((0xB0, 77, value))])
            time.sleep(0.005)
        page.wait_for_selector("#toast.shown:has-text('moves /stem/side/gain_db')", timeout=30000)
        page.locator(".learn").click()
        fader = page.locator('[data-at="/stem/side"] .fader')
        values = iter([*range(97, -1, -1), *range(128)] * 100)
        until(
            lambda: fader.get_attribute("aria-valuetext") == "silent",
            lambda: knob.send([bytes((0xB0, 77, next(values)))]) or page.wait_for_timeout(1),
        )
        page.close()


def test_a_pad_learns_a_scene_that_was_touched_and_not_recalled(port: int) -> None:
    with launched() as browser, controller() as pad, Visitor(port) as watcher:
        before = watcher.world()["values"]["/scene/current"]
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator(".learn").click()
        scene = page.locator('.chips button[aria-pressed="false"]').last
        name = scene.inner_text()
        scene.click()
        page.wait_for_selector(f"#toast.shown:has-text('/scene/recall={name}: press a button')")
        pad.send([bytes((0x90, 36, 100)), bytes((0x80, 36, 0))])
        page.wait_for_selector(f"#toast.shown:has-text('moves /scene/recall={name}')", timeout=30000)
        with Visitor(port) as other:
            assert other.world()["values"]["/scene/current"] == before != name
        pad.send([bytes((0x90, 36, 100)), bytes((0x80, 36, 0))])
        page.wait_for_selector(f'.chips button[aria-pressed="true"]:has-text("{name}")')
        page.locator(".learn").click()
        page.close()
