"""What all tests share."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# The networks here are tiny: threads that wait for one another would take most of the time, on a busy machine all of
# it. Set before torch is imported, and passed on to the commands that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What this machine's user has measured must not decide how tests run, nor tests what it is.
os.environ["RTSEP_CONFIG"] = tempfile.mkdtemp(prefix="rtsep-config-")

# A build server may start us in the background, where Ctrl-C is ignored, or under nohup, where a hangup is; the tests
# and the commands that they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the project: Spleeter's outputs and music with known stems."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"the reference material is not at {SHARED}")
    return SHARED


@pytest.fixture(scope="module")
def outside() -> Iterator[None]:
    """The separators of somebody else are installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tests" / "outside")
        yield
