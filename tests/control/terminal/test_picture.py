from __future__ import annotations

import dataclasses
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from session import StillSession

from rtsep.control.terminal.bars import ASCII, UNICODE, clock, meter
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keys import BINDINGS, press
from rtsep.control.terminal.picture import draw
from rtsep.control.terminal.rows import SESSION, rows
from rtsep.control.web.invitation import invite


@pytest.mark.parametrize("width", [40, 41, 57, 80, 120, 200])
@pytest.mark.parametrize("marks", [UNICODE, ASCII])
def test_no_line_is_wider_than_the_terminal_and_none_is_lost(width: int, marks, song: StillSession) -> None:
    song.play_until(5.0)
    for stem in song.stems:
        song.mix.edit("strips", stem, solo=True)
    assert song.transport is not None
    song.transport.loop(1.0, 19.99)
    hands = Hands(message="loop of 19.0 s; c ends it")
    text = draw(song, hands, width, marks).plain
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    *short, long = song.stems
    for stem in short:
        assert f" {stem} " in text
    assert re.search(f" {long[:9]}.*?{re.escape(marks.more)} ", text)
    for word in (
        "latency 172.9 ms",
        "card input 8.0",
        "synthesis window 92.9",
        "load 23%",
        "late 0",
        "xruns 0",
    ):
        assert word in text.replace("\n", " ").replace("  ", " ")
    assert "0:05" in text
    assert "0:20" in text
    if marks is ASCII:
        assert text.isascii()


@pytest.mark.parametrize(
    "keys", ["", "KEY_TAB", "KEY_UP KEY_TAB", "?", "? ?", ":", "KEY_TAB KEY_UP KEY_RIGHT"]
)
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 12), (40, 6), (20, 4)])
def test_a_picture_fits_the_terminal_and_has_the_selected_row_and_the_answer(
    keys: str, width: int, height: int, song: StillSession
) -> None:
    hands = Hands()
    for key in keys.split():
        press(key, hands, song)
    if hands.prompt is None:
        hands.message = "an answer"
    else:
        hands.prompt.text, hands.prompt.hint = "x" * 1000, "y " * 1000
    lines = draw(song, hands, width, height=height).plain.splitlines()
    assert len(lines) <= height
    assert len([line for line in lines if line.startswith("▸")]) == 1
    if hands.prompt is None:
        assert lines[-1] == "an answer"
    else:
        assert any(line.endswith("x▏") for line in lines)
    if width >= 40:
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize("keys", ["", "KEY_TAB", "KEY_UP KEY_TAB", "? ?", ":"])
@pytest.mark.parametrize("width", [0, 1, 2, 3, 5, 9])
def test_a_terminal_too_small_for_a_picture_has_some_of_it(keys: str, width: int, song: StillSession) -> None:
    hands = Hands()
    for key in keys.split():
        press(key, hands, song)
    if hands.prompt is not None:
        hands.prompt.hint = "what can be written here"
    for height in (0, 1, 2, 24):
        assert draw(song, hands, width, height=height).plain


def test_all_rows_of_a_page_come_by(song: StillSession) -> None:
    hands = Hands()
    for key in ("KEY_UP", "KEY_TAB"):
        press(key, hands, song)
    for row in rows(song.board, SESSION):
        lines = draw(song, hands, 40, height=12).plain.splitlines()
        here = next(place for place, line in enumerate(lines) if line.startswith("▸"))
        assert row.label[:20].strip() in lines[here]
        assert (lines[1].startswith("▴"), row is hands.look(song.board).rows[0]) != (True, True)
        press("KEY_DOWN", hands, song)


@pytest.mark.parametrize("height", [8, 12, 24, 60])
def test_all_keys_come_by_however_low_the_terminal(height: int, song: StillSession) -> None:
    hands, seen = Hands(), ""
    for _ in range(20):
        press("?", hands, song)
        seen += draw(song, hands, 40, height=height).plain.replace("\n", " ")
    assert all(f"{one.label} {one.what}" in seen for one in BINDINGS if one.works(song, hands))


def test_what_the_mix_is_can_be_read(card: StillSession) -> None:
    card.mix.edit("strips", "vocals", gain_db=-12.0)
    card.mix.edit("strips", "vocals", mute=True)
    card.mix.edit("strips", "vocals", pan=-0.25)
    card.mix.edit("strips", "bass", solo=True)
    card.mix.edit("strips", "bass", gain_db=-math.inf)
    hands = Hands()
    press("2", hands, card)
    vocals, drums, bass = draw(card, hands, 80).plain.splitlines()[:3]
    assert vocals.startswith(" 1 vocals ")
    assert vocals.rstrip().endswith("-12.0 dB M    L25")
    assert drums.startswith("▸2 drums ")
    assert drums.rstrip().endswith("+0.0 dB")
    assert bass.rstrip().endswith("-inf dB  S")


@pytest.mark.parametrize("marks", [UNICODE, ASCII])
def test_what_has_a_level_shows_it_and_what_has_none_shows_its_fader(marks) -> None:
    session = StillSession(None, ("vocals", "drums"), buses=("aux",))
    session.loud = {"/bus/aux": (-6.0, -30.0)}
    lines = {line[3:16].strip(): line for line in draw(session, Hands(), 80, marks).plain.splitlines()}
    for name in ("vocals", "aux"):
        assert marks.rms in lines[name]
        assert marks.knob not in lines[name]
    assert marks.knob in lines["crossfade"]


def test_how_to_come_to_the_web_mixer_stands_in_place_of_the_picture(song: StillSession) -> None:
    lines = tuple(invite("192.168.100.100", 8737, "x" * 22))
    hands = Hands(invitation=lines)
    press("j", hands, song)
    shown = draw(song, hands, 80, height=24).plain.splitlines()
    assert shown[: len(lines) - 1] == list(lines[:-1])  # the last is wider
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 80
    press("m", hands, song)  # the next key does what it always does
    assert draw(song, hands, 80, height=24).plain.startswith("▸1 vocals")
    assert song.board["/stem/vocals/mute"]


def test_a_loop_is_marked_whoever_has_set_it(song: StillSession) -> None:
    def marks() -> str:
        line = next(line for line in draw(song, Hands(), 80).plain.splitlines() if "0:20" in line)
        return re.sub(r"[^ABO]", "", line)

    assert song.transport is not None
    assert marks() == "O"
    song.play_until(4.0)
    song.board["/transport/loop_start"] = True
    song.play_until(8.0)
    assert marks() == "AO", "a start without an end"
    song.board["/transport/loop_end"] = True
    song.play_until(9.0)
    assert marks() == "AOB"
    song.board["/transport/loop_off"] = True
    assert marks() == "O"
    song.transport.loop(None, 10.0)
    song.transport.loop(0.0, 10.0)
    assert marks() == "AOB", "from the start of the file on"


def test_keys_that_cannot_come_are_not_shown(song: StillSession) -> None:
    text = draw(song, Hands(can_press=False), 80).plain
    assert "Ctrl-C ends it" in text
    assert "pause" not in text
    assert "Ctrl-C" not in draw(song, Hands(), 80).plain


def test_a_card_has_neither_a_tape_nor_its_keys(card: StillSession) -> None:
    text = draw(card, Hands(), 80).plain
    assert "live   1:05" in text
    assert "loop" not in draw(card, Hands(n_helps=1), 80).plain
    assert "q quit" in text


def test_all_keys_are_shown_on_demand(song: StillSession) -> None:
    hands = Hands()
    assert "loop from here" not in draw(song, hands, 80).plain
    press("?", hands, song)
    text = draw(song, hands, 80).plain.replace("\n", " ")
    for binding in BINDINGS:
        assert (f"{binding.label} {binding.what}" in text) == binding.works(song, hands)


def test_what_hurts_is_red(card: StillSession) -> None:
    def red_words() -> str:
        text = draw(card, Hands(), 80)
        return " ".join(text.plain[span.start : span.end] for span in text.spans if span.style == "red")

    assert "blocks" not in red_words()
    card.current = dataclasses.replace(card.current, load=1.5, n_late_blocks=7, n_xruns=3, is_late=True)
    assert "150%" in red_words()
    assert "7 blocks" in red_words()
    assert red_words().endswith("3 mixture")


@given(
    peak_dbfs=st.one_of(st.just(-math.inf), st.floats(-120, 20)),
    below_db=st.floats(0, 40),
    width=st.integers(4, 180),
)
def test_a_meter_fills_its_width_and_shows_peak_beyond_rms(
    peak_dbfs: float, below_db: float, width: int
) -> None:
    text = meter(peak_dbfs, peak_dbfs - below_db, width, ASCII).plain
    assert len(text) == width
    assert text == text.rstrip(".=#") + "#" * text.count("#") + "=" * text.count("=") + "." * text.count(".")
    exact = width * (1 + max(-60.0, min(0.0, peak_dbfs)) / 60)
    assert abs(width - text.count(".") - exact) <= 0.5 + 1e-9


def test_meters_are_coloured_by_zone() -> None:
    text = meter(0.0, -30.0, 60)
    colours = {str(text.get_style_at_offset(Console(), column)) for column in (0, 41)}
    assert colours == {"green"}
    assert str(text.get_style_at_offset(Console(), 45)) == "yellow"
    assert str(text.get_style_at_offset(Console(), 59)) == "red"


@pytest.mark.parametrize(
    ("time_s", "text"), [(0, "0:00"), (59.99, "0:59"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_clock(time_s: float, text: str) -> None:
    assert clock(time_s) == text
