"""What was learnt is there the next time that the same is asked for, whatever way the map was named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtsep.control.midi.known import AUTO, Chosen, known_maps
from rtsep.control.midi.learn import Learnt, Wish, keep, teach
from rtsep.control.midi.maps import read_map

PORT, OTHER = "My Keys:My Keys MIDI 1 20:0", "My Pad:My Pad MIDI 1 24:0"
KORG = "nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0"
NEW = ("cc", 1, 99)
NOTED = "# played with the left hand\nmatch: My Keys\nbindings:\n- {cc: 1, to: /stem/1/gain_db}   # volume\n"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def chosen(wish: str, port: str) -> Chosen:
    found = known_maps().chosen(wish, port)
    assert found is not None
    return found


def learnt(wish: str, port: str) -> Learnt:
    return teach(chosen(wish, port), Wish("/stem/1/pan"), port, {"cc": 99, "channel": 1})


@pytest.mark.parametrize(
    ("wish", "port", "kept_in"),
    [
        ("generic", PORT, "midi/generic.yaml"),
        ("nanokontrol2", KORG, "midi/nanokontrol2.yaml"),
        (AUTO, KORG, "midi/nanokontrol2.yaml"),
        ("korg", "korg " + KORG, "midi/nanokontrol2.yaml"),
        ("keys", PORT, "midi/my_keys_my_keys_midi_1.yaml"),
        ("mine", PORT, "midi/mine.yaml"),
        ("other.yaml", PORT, "other.yaml"),
    ],
)
def test_the_same_wish_finds_what_was_learnt_and_the_text_says_how(
    tmp_path: Path, wish: str, port: str, kept_in: str
) -> None:
    (tmp_path / "midi").mkdir()
    if kept_in in ("midi/mine.yaml", "other.yaml"):
        (tmp_path / kept_in).write_text("bindings: [{cc: 1, to: /stem/1/gain_db}]")
    new = learnt(wish, port)
    said = keep(new)
    assert chosen(wish, port).map.each() == new.map.each()
    assert NEW in chosen(new.asked_by, port).map.by_key()
    assert said.startswith(f"Kept in {tmp_path / kept_in}, which `--midi {new.asked_by}` takes")
    assert [path for path in tmp_path.rglob("*.yaml") if NEW in read_map(path).by_key()] == [
        tmp_path / kept_in
    ]


def test_what_is_learnt_under_the_name_of_the_map_for_any_port_is_for_any_port() -> None:
    keep(learnt("generic", PORT))
    for wish in ("generic", "pad"):
        assert NEW in chosen(wish, OTHER).map.by_key()


def test_a_map_of_ones_own_is_written_itself_and_as_it_was_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a map of mine.yaml"
    path.write_text(NOTED)
    said = keep(learnt(path.name, PORT))
    assert said == (f"Kept in {path}, which `--midi 'a map of mine.yaml'` takes; as it was in {path}.before")
    assert Path(f"{path}.before").read_text() == NOTED
    assert set(read_map(path).by_key()) == {("cc", None, 1), NEW}


def test_of_a_map_that_ships_nothing_else_changes_and_the_next_is_learnt_on_the_copy() -> None:
    before = known_maps().named("generic")
    keep(learnt("generic", PORT))
    keep(teach(chosen("generic", PORT), Wish("/bypass"), PORT, {"note": 9, "channel": 1}))
    after = known_maps().named("generic")
    assert (after.name, after.match) == (before.name, before.match)
    assert after.bindings[:-2] == before.bindings
    assert set(after.by_key()) - set(before.by_key()) == {NEW, ("note", 1, 9)}


def test_every_port_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Also of letters that are not English, of none at all, and where another map has the file."""
    (tmp_path / "midi").mkdir()
    (tmp_path / "midi" / "My_Pads.yaml").write_text("bindings: [{cc: 1}]")
    ports = [
        "コントローラ",
        "鍵盤",
        "My-Keys 20:0",
        "My Keys 24:0",
        "!!!",
        "???",
        "generic",
        "my pads",
        "auto",
    ]
    kept = list[str]()
    for port in ports:
        new = teach(known_maps().of(port), Wish("/stem/1/pan"), port, {"cc": 99, "channel": 1})
        kept.append(new.path.name)
        keep(new)
    names = [
        "コントローラ",
        "鍵盤",
        "my_keys",
        "my_keys_2",
        "port",
        "port_2",
        "generic_2",
        "my_pads_2",
        "auto",
    ]
    assert kept == [f"{name}.yaml" for name in names]
    for port, name in zip(ports, names, strict=True):
        assert chosen(AUTO, port).name == name
        assert NEW in chosen(AUTO, port).map.by_key()
    assert known_maps().named("generic").match is None


def test_notes_that_are_written_again_are_kept_beside_those_of_before(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for note, ending in (("# the left hand\n", ".before"), ("# the right hand\n", ".before-2")):
        path.write_text(note + NOTED)
        assert keep(learnt(str(path), PORT)).endswith(f"as it was in {path}{ending}")
    assert Path(f"{path}.before").read_text() == "# the left hand\n" + NOTED
    assert Path(f"{path}.before-2").read_text() == "# the right hand\n" + NOTED
