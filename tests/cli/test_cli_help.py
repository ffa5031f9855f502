"""Help is there, true, and costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command_line import rtsep

from rtsep.cli.separate import BITRATE_HELP
from rtsep.io.encode import CODECS


@pytest.mark.parametrize(
    "words",
    [[], ["demo"], ["live"], ["separate"], ["devices"], ["recover"], ["train"], ["models"]]
    + [["models", name] for name in ("list", "info", "pull", "convert", "remove")]
    + [["midi", *name] for name in ([], ["list"], ["monitor"], ["learn"], ["check"])],
    ids=" ".join,
)
def test_help_is_there(words: list[str]) -> None:
    result = rtsep(*words, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    assert rtsep(*words, "-h").stdout == result.stdout


def test_help_names_what_there_is() -> None:
    text = rtsep("live", "--help").stdout
    for option in (
        "--karaoke",
        "--gain",
        "--route",
        "--record",
        "--record-format",
        "--clock",
        "--stats-json",
        "-p",
        "Examples",
    ):
        assert option in text
    text = rtsep("separate", "--help").stdout
    for option in ("--filename-format", "--codec", "--bitrate", "--subtype", "--offset", "--stems", "--mask"):
        assert option in text


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from rtsep.cli import app; app(['--version'], standalone_mode=False);"
        "heavy = {'torch', 'numba', 'scipy', 'av', 'sounddevice'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rtsep ")


def test_help_says_the_bitrates_that_there_are() -> None:
    ranges = {name: codec.bitrates_bps for name, codec in CODECS.items() if codec.bitrates_bps}
    texts = [f"{name} {low // 1000}k to {high // 1000}k" for name, (low, high) in ranges.items()]
    assert BITRATE_HELP.endswith(f": {', '.join(texts)}.")
    assert "opus 6k to 510k" in rtsep("separate", "--help").stdout
