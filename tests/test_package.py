"""The public names."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import rtsep
from rtsep.host import Host
from rtsep.separator import Separator, load


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


def test_the_package_is_typed() -> None:
    assert (Path(rtsep.__file__).parent / "py.typed").is_file()
