"""Machine code on the disk is taken only while all sources that went into it are the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rtsep

PACKAGE = Path(rtsep.__file__).parent
# Whether the callback was found on the disk, and what it does: so much of a file has come in.
PROBE = """
import numpy as np
from small_desk import small_desk
from rtsep.callback import callback
desk = small_desk(8000)
desk.source_tape.append(np.ones((2, 100), np.float32))
desk.call(100)
print(callback.cache_hits, desk.input_tape.written)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """rtsep, to be changed."""
    folder = tmp_path / "there" / "rtsep"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(copy: Path, code: str) -> str:
    here = os.pathsep.join((str(copy.parent), str(Path(__file__).parent)))
    environment = {**os.environ, "PYTHONPATH": here}
    environment["NUMBA_CACHE_DIR"] = str(copy.parent / "cache")
    environment["NUMBA_OPT"] = "1"  # whether it is compiled is the question, not how well
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, cwd=copy.parent
    ).stdout.strip()


def digests(copy: Path) -> list[str]:
    modules = ("rtsep.callback.entry", "rtsep.nets.step", "rtsep.nets.window")
    return run(
        copy, f"from rtsep.digest import digest_of\nfor name in {modules}: print(digest_of(name))"
    ).split()


def append(path: Path, line: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ("callback/mix.py", [True, False, False]),
        ("atomics.py", [True, True, True]),  # compiled into everything
        ("mix.py", [True, False, False]),  # its constants are
        ("nets/columns.py", [False, True, True]),
        ("nets/window.py", [False, False, True]),
        ("recorder.py", [False, False, False]),
    ],
)
def test_a_digest_changes_with_all_that_is_compiled_in(copy: Path, changed: str, differs: list[bool]) -> None:
    before = digests(copy)
    assert len(set(before)) == 3
    append(copy / changed, "# a change\n")
    assert [old != new for old, new in zip(before, digests(copy), strict=True)] == differs


def test_the_callback_is_kept_and_compiled_anew_when_only_what_it_calls_has_changed(copy: Path) -> None:
    """What runs is what the sources say: with a store that stores nothing, no tape would ever be published."""
    assert run(copy, PROBE) == "0 100"
    assert run(copy, PROBE) == "1 100"
    path = copy / "atomics.py"
    source = path.read_text(encoding="utf-8")
    store = 'builder.store_atomic(arguments[1], _pointer(builder, arguments[0]), "release", _ALIGN_BYTES)'
    assert source.count(store) == 1
    path.write_text(source.replace(store, "pass"), encoding="utf-8")
    assert run(copy, PROBE) == "0 0"
