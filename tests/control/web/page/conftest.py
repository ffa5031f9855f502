"""A real session that plays a long song, and browsers that show its mixer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browsers import launched
from hands_on_page import RATE_HZ, SONG_S, Opener, Page

from rtsep.control.web.link import WebSurface
from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.settings import LiveSettings


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with launched() as found:
        yield found


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mid and side that are equally loud, in 16 bits."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    block = np.random.default_rng(2).uniform(-0.25, 0.25, (2, RATE_HZ)).astype(np.float32)
    with AudioWriter(path, RATE_HZ, 2, subtype="PCM_16") as writer:
        for _ in range(round(SONG_S)):
            writer.write(block)
    return path


@pytest.fixture
def buses() -> dict[str, object]:
    """Beside main; for a module to have others."""
    return {"cue": {"channels": [3, 4]}}


@pytest.fixture
def host(outside: None, song: Path, tmp_path: Path, buses: dict[str, object]) -> Iterator[Host]:
    tree = {
        "input": {"source": f"file:{song}"},
        "model": {"name": "midside"},
        "output": {"sink": f"file:{tmp_path / 'out.wav'}", "clock": "real", "compute_ms": 200.0},
        "mixer": {"buses": buses, "groups": {"middle": {"stems": ["mid"]}}},
        "control": {"scenes": tmp_path / "scenes.yaml"},
    }
    with Host(LiveSettings().with_overrides(tree)) as found:
        yield found


@pytest.fixture
def web(host: Host) -> Iterator[WebSurface]:
    with WebSurface(host, "127.0.0.1", 0) as surface:
        yield surface


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
