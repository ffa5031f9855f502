"""The system's Chromium, moved by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def launched() -> Iterator[Any]:
    """A browser, or a skip with the reason."""
    sync_api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((path for name in names if (path := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # Its sandbox needs what root in a container does not have; what it shows here is ours.
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=60000)
        yield found
        found.close()
