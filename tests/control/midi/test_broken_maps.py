"""A map that cannot be read is in nobody's way, is told, and is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtsep.control.midi.known import AUTO, known_maps, shipped_folder
from rtsep.control.midi.learn import Wish, keep, teach
from rtsep.control.midi.maps import read_map
from rtsep.errors import ConfigError

KORG = "nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0"
BROKEN = "bindings: [{cc: 1}]\n"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    (tmp_path / "midi").mkdir()
    return tmp_path / "midi"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BROKEN, "bindings.0.to is missing"),
        ("bindings: [", "is not YAML"),
        (b"\xff\xfe\xfa", "is not YAML"),
        (None, "Give the path of a YAML file"),
    ],
)
def test_a_map_that_is_none_is_told_and_all_others_are_there(
    folder: Path, content: str | bytes | None, reason: str
) -> None:
    (folder / "good.yaml").write_text("match: pad\nbindings: [{cc: 1, to: /separation}]\n")
    bad = folder / "bad.yaml"
    if content is None:
        bad.mkdir()
    else:
        bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    maps, said = known_maps(), list[str]()
    maps.tell_broken(said.append)
    assert list(maps.by_name) == ["good", *sorted(path.stem for path in shipped_folder().glob("*.yaml"))]
    (text,) = said
    assert text.startswith("the map bad is left out: ")
    assert reason in text
    assert maps.chosen(AUTO, "a pad") is not None
    for wish in ("bad", str(bad)):
        with pytest.raises(ConfigError, match=reason):
            maps.chosen(wish, "")


def test_what_is_learnt_in_the_place_of_one_that_is_none_loses_nothing(folder: Path) -> None:
    path = folder / "nanokontrol2.yaml"
    path.write_text(BROKEN)
    maps = known_maps()
    new = teach(maps.of(KORG), Wish("/stem/1/pan"), KORG, {"cc": 99, "channel": 1})
    assert keep(new).endswith(f"takes; as it was in {path}.before")
    assert Path(f"{path}.before").read_text() == BROKEN
    assert read_map(path).each() == new.map.each()
    assert maps.with_map(new.name, new.map).named("nanokontrol2") is new.map
    assert not known_maps().broken


def test_hidden_files_are_no_maps(folder: Path) -> None:
    for name in (".yaml", "._good.yaml"):
        (folder / name).write_text(BROKEN)
    assert not known_maps().broken
