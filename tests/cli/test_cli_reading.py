"""Words of a command line become values."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from rtsep.cli.live import EPILOG, read_sources
from rtsep.cli.options import read_gains, read_names, read_routes, read_time_s
from rtsep.cli.reading import read_settings
from rtsep.errors import UsageError


def test_settings_that_come_with_rtsep_are_found_by_name_unless_a_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = re.findall(r"`rtsep live .*?([\w-]+\.yaml)", EPILOG)
    assert names
    for name in (*names, "karaoke.yaml", "karaoke-with-microphone.yaml", "live.yaml"):
        found = read_sources([name])[1]
        assert found is not None
        assert read_settings(found, {}).model is not None
    assert read_sources(["elsewhere/live.yaml"])[1] == Path("elsewhere/live.yaml")
    (tmp_path / "live.yaml").touch()
    assert read_sources(["live.yaml"])[1] == Path("live.yaml")


def test_gains_routes_names_and_times_are_read() -> None:
    assert read_gains(["vocals=-12", "drums = +3.5dB", "bass=-inf"]) == {
        "vocals": -12.0,
        "drums": 3.5,
        "bass": -math.inf,
    }
    assert read_routes(["vocals=3,4", "click=5"]) == {"vocals": (3, 4), "click": (5,)}
    assert read_gains(["vocals=-12,drums=3", "bass=0"]) == {"vocals": -12.0, "drums": 3.0, "bass": 0.0}
    assert read_routes(["vocals=3,4,drums=5,click=6,7"]) == {"vocals": (3, 4), "drums": (5,), "click": (6, 7)}
    assert read_names(["vocals,drums", " bass "]) == ("vocals", "drums", "bass")
    assert [read_time_s(text) for text in ("90", "1:30", "1:02:03.5", None)] == [90.0, 90.0, 3723.5, None]


@pytest.mark.parametrize("text", ["", "-1", "1:-2", "inf", "nan", "1:2:3:4", "1m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        read_time_s(text)
