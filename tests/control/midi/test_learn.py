"""Learning: what is waited for, which port is meant, what becomes of the map, and where it is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rtsep.config import parse
from rtsep.control.midi import learn
from rtsep.control.midi.known import known_maps, shipped_folder
from rtsep.control.midi.learn import (
    GO_ON,
    MOST_MESSAGES,
    Learner,
    Wish,
    keep,
    read_wish,
    save,
    teach,
    with_line,
)
from rtsep.control.midi.maps import Line, Map, read_map
from rtsep.control.midi.messages import Message
from rtsep.errors import RtsepError, UsageError

GAIN, MUTE = "/stem/1/gain_db", "/stem/1/mute"
PORT = "nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0"


def fader(number: int, *values: int) -> list[Message]:
    return [Message("cc", 1, number, value) for value in values]


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))


# --- wishes ---


@pytest.mark.parametrize(
    ("text", "wish", "is_pressed"),
    [
        (GAIN, Wish(GAIN), False),
        (MUTE, Wish(MUTE), True),
        ("/scene/undo", Wish("/scene/undo"), True),
        ("/scene/recall=my scene", Wish("/scene/recall", "my scene"), True),
        (f"{GAIN}=-6", Wish(GAIN, -6.0), True),
        (f"{MUTE}=True", Wish(MUTE, True), True),
        ("/model/latency", Wish("/model/latency"), False),
    ],
)
def test_a_wish_is_an_address_or_a_value_of_it(text: str, wish: Wish, is_pressed: bool) -> None:
    assert read_wish(text) == wish
    assert wish.is_pressed == is_pressed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/stem/1/gain", "did you mean /stem/{stem}/gain_db"),
        ("off", "no parameter like 'off'"),
        ("/message", "tells something"),
        ("/scene/recall", "say which one the control shall set: /scene/recall=NAME"),
        (f"{GAIN}=loud", "no number"),
        (f"{GAIN}=", "no number"),
        (f"{MUTE}=perhaps", "no state of a switch"),
    ],
)
def test_what_no_control_can_do_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_wish(text)


# --- waiting ---


class Pupil:
    """A learner whose hand rests whenever it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(learn, "QUIET_S", 0.0)
        self.learnt, self.said = list[Any](), list[str]()
        self.learner = Learner(lambda *found: self.learnt.append(found), self.said.append)

    def moved(self, **said: list[Message]) -> list[Any]:
        for port, messages in said.items():
            self.learner.hear(port, messages)
        self.learner.settle()
        return self.learnt


def test_the_port_that_says_most_is_meant_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pupil = Pupil(monkeypatch)
    assert pupil.moved(left=fader(1, *range(0, 99, 3))) == []  # nothing is waited for
    pupil.learner.arm(Wish(GAIN))
    assert pupil.learner.is_armed
    moved = {"left": fader(1, 60, 61), "right": fader(2, *range(0, 99, 3))}
    assert pupil.moved(**moved) == [(Wish(GAIN), "right", {"cc": 2, "channel": 1})]
    assert not pupil.learner.is_armed
    assert len(pupil.moved(**moved)) == 1


def test_what_is_not_sure_yet_is_said_once_a_movement(monkeypatch: pytest.MonkeyPatch) -> None:
    pupil = Pupil(monkeypatch)
    pupil.learner.arm(Wish(GAIN))
    pupil.moved(pad=fader(1, 1, 1, 1))
    pupil.learner.settle()
    assert pupil.said[1:] == [f"{GAIN}: {GO_ON}"]
    (found,) = pupil.moved(pad=fader(1, 127, 127))
    assert found[2]["encoder"] == "twos_complement"


def test_a_port_that_never_rests_hinders_no_other_and_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pupil = Pupil(monkeypatch)
    pupil.learner.arm(Wish(GAIN))
    noise = fader(9, 63, 64) * MOST_MESSAGES
    pupil.learner.hear("noisy", noise)
    pupil.learner._heard["noisy"].last_s = float("inf")
    assert len(pupil.learner._heard["noisy"].now) == MOST_MESSAGES
    assert pupil.moved(pad=fader(1, *range(0, 99, 3)))[0][1] == "pad"


def test_nothing_more_is_learnt_after_off(monkeypatch: pytest.MonkeyPatch) -> None:
    pupil = Pupil(monkeypatch)
    pupil.learner.arm(Wish(GAIN))
    pupil.moved(pad=fader(1, 1, 1, 1))
    pupil.learner.arm(None)
    assert pupil.moved(pad=fader(1, *range(0, 99, 3))) == []
    assert pupil.said[-1] == "nothing is learnt"


# --- maps ---


def test_what_a_control_moved_before_is_told_and_taken_from_its_row(tmp_path: Path) -> None:
    row = {"cc": [1, 2, 3], "to": "/stem/{n}/gain_db"}
    old = parse({"bindings": [row, {"note": 1, "to": "/bypass"}], "match": "pad"}, Map, "test")
    new, conflicts = with_line(old, Line.model_validate({"cc": 2, "channel": 1, "to": "/crossfade"}))
    assert conflicts == ["CC 2 moved /stem/2/gain_db"]
    assert {b.key: b.to for b in new.each()} == {
        ("cc", None, 1): "/stem/1/gain_db",
        ("cc", None, 3): "/stem/3/gain_db",
        ("note", None, 1): "/bypass",
        ("cc", 1, 2): "/crossfade",
    }
    save(new, tmp_path / "midi" / "pad.yaml")
    assert read_map(tmp_path / "midi" / "pad.yaml").each() == new.each()


def test_a_shift_button_that_learns_something_else_is_none_any_more() -> None:
    old = parse({"shift": {"note": 98}, "bindings": [{"note": 1, "to": MUTE}]}, Map, "test")
    new, conflicts = with_line(old, Line.model_validate({"note": 98, "channel": 1, "to": "/bypass"}))
    assert (new.shift, conflicts) == (None, ["note 98 was the shift button"])


@pytest.mark.parametrize("path", sorted(shipped_folder().glob("*.yaml")), ids=lambda path: path.stem)
def test_whatever_is_learnt_on_a_map_the_rest_of_it_does_what_it_did(path: Path) -> None:
    """Every control of it is learnt anew in turn; all others keep address, value, light and the rest."""
    map_ = read_map(path)
    for binding in map_.each():
        kind, channel, number = binding.key
        line = {kind: True if kind == "bend" else number, "channel": channel or 1, "to": "/separation"}
        new, conflicts = with_line(map_, Line.model_validate(line))
        assert conflicts
        was = {b.key: b for b in map_.each() if b.key != binding.key}
        for now in new.each()[:-1]:
            before = was.pop(now.key)
            assert (now.to, now.shift, now.value, now.lamp()) == (
                before.to,
                before.shift,
                before.value,
                before.lamp(),
            )
            assert now.line.light is None or (now.shows, now.shows_stem) == (before.shows, before.shows_stem)
        assert not was


def test_what_is_learnt_on_a_map_that_ships_shadows_it_under_its_name(tmp_path: Path) -> None:
    learnt = teach(known_maps().of(PORT), Wish("/crossfade"), PORT, {"cc": 0, "channel": 1})
    keep(learnt)
    assert learnt.path == tmp_path / "midi" / "nanokontrol2.yaml"
    assert learnt.text == f"CC 0 on channel 1 of {PORT} moves /crossfade; before, CC 0 moved /stem/1/gain_db"
    assert known_maps().named("nanokontrol2").each() == learnt.map.each()


def test_what_is_learnt_on_the_map_for_any_is_kept_for_this_port_only(tmp_path: Path) -> None:
    found = {"cc": 1, "channel": 2, "encoder": "signed_bit"}
    learnt = teach(known_maps().of("My Keys 28:0"), Wish("/separation"), "My Keys 28:0", found)
    keep(learnt)
    assert learnt.path == tmp_path / "midi" / "my_keys.yaml"
    assert "(without ends, signed_bit)" in learnt.text
    kept = read_map(learnt.path)
    assert kept.fits("My Keys 20:0")
    assert not kept.fits("nanoKONTROL2")


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="for root and Windows no folder is closed"
)
def test_a_folder_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    _refused(tmp_path, lambda: tmp_path.chmod(0o500))
    tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_loses_nothing(tmp_path: Path) -> None:
    _refused(tmp_path, lambda: (tmp_path / "midi").write_text(""))


def _refused(tmp_path: Path, close: Any) -> None:
    learnt = teach(known_maps().of("pad"), Wish(f"{MUTE}", True), "pad", {"note": 36, "channel": 1})
    close()
    with pytest.raises(RtsepError, match="RTSEP_CONFIG") as refused:
        keep(learnt)
    line = str(refused.value).split("the line for a map is ")[1]
    (tmp_path.parent / "by_hand.yaml").write_text(f"bindings:\n  - {line}\n")
    assert read_map(tmp_path.parent / "by_hand.yaml").bindings == (learnt.line,)
