"""The public names."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rtsep
from rtsep.host import Host
from rtsep.separator import Separator, load

ROOT = Path(__file__).resolve().parents[1]


def test_the_public_names_are_what_they_say() -> None:
    assert (rtsep.Host, rtsep.Separator, rtsep.load) == (Host, Separator, load)
    assert rtsep.__version__ == importlib.metadata.version("rtsep")
    assert set(rtsep.__all__) <= set(dir(rtsep))
    assert all(getattr(rtsep, name) is not None for name in rtsep.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error_that_says_what_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'lode'; it has Host.*load"):
        _ = rtsep.lode


def test_to_import_the_package_is_to_load_nothing_heavy() -> None:
    code = "import sys, rtsep; print(*{'torch', 'numba', 'numpy', 'pydantic'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only there PyTorch's default build is large")
@pytest.mark.parametrize(("answers", "has_card"), [(True, False), (False, False), (True, True)])
def test_the_cpu_build_is_taken_where_it_is_to_be_had(tmp_path: Path, answers: bool, has_card: bool) -> None:
    (tmp_path / "uname").symlink_to(shutil.which("uname") or "")
    for name, code in (("python", 0 if answers else 1), *([("nvidia-smi", 0)] if has_card else [])):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    run = ["/bin/sh", str(ROOT / ".ci" / "torch_index.sh"), "python"]
    done = subprocess.run(run, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == (
        ["https://download.pytorch.org/whl/cpu"] if answers and not has_card else []
    )


def test_the_package_is_typed() -> None:
    assert (Path(rtsep.__file__).parent / "py.typed").is_file()
