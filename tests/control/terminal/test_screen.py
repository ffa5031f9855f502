from __future__ import annotations

import io

from rich.console import Console, ConsoleDimensions
from rich.text import Text
from session import StillSession

from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.keys import press
from rtsep.control.terminal.screen import Screen, plain_line

CLEAR = "\x1b[2J"


def test_a_pipe_gets_plain_lines(card: StillSession) -> None:
    pipe = io.StringIO()
    with Screen(Console(file=pipe), card, Hands()) as screen:
        for _ in range(3):
            screen.show()
    assert pipe.getvalue() == plain_line(card) + "\n", "one line in the first second"
    assert "\x1b" not in pipe.getvalue()
    assert "vocals -6" in pipe.getvalue()
    assert "bass -60" in pipe.getvalue()


def test_a_pipe_gets_answers_and_what_is_typed(card: StillSession) -> None:
    pipe, hands = io.StringIO(), Hands()
    with Screen(Console(file=pipe), card, hands) as screen:
        for key in ("m", "e", "-", "7", "KEY_ENTER"):
            press(key, hands, card)
            screen.show()
    told = [line for line in pipe.getvalue().splitlines() if line.startswith("/")]
    typed = "/stem/vocals/gain_db (-inf to 24 dB): "
    assert told == ["/stem/vocals/mute on", typed, f"{typed}-", f"{typed}-7", "/stem/vocals/gain_db -7.0 dB"]


def test_a_pipe_is_told_what_is_selected_and_all_keys(card: StillSession) -> None:
    pipe, hands = io.StringIO(), Hands()
    with Screen(Console(file=pipe, width=80), card, hands) as screen:
        for key in ("KEY_DOWN", "KEY_TAB", "KEY_DOWN", "KEY_ESCAPE", "KEY_UP", "KEY_UP", "?"):
            press(key, hands, card)
            screen.show()
    told = pipe.getvalue().splitlines()
    assert [line for line in told if line.startswith("▸ ")] == [
        "▸ drums +0.0 dB",
        "▸ gain_db +0.0 dB",
        "▸ mute off",
        "▸ drums +0.0 dB",
        "▸ vocals +0.0 dB",
        "▸ session",
    ]
    assert told[-1].endswith("q quit")


def test_a_terminal_gets_a_picture_in_place(card: StillSession) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=80, height=30, _environ={"TERM": "xterm"})
    with Screen(console, card, Hands()) as screen:
        screen.show()
        screen.show()
    assert terminal.getvalue().count("vocals") >= 2
    assert "\x1b[1A" in terminal.getvalue(), "the cursor goes back up"


def test_a_terminal_of_another_size_gets_a_picture_on_a_clean_screen(card: StillSession) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"})
    with Screen(console, card, Hands()) as screen:
        screen.show()
        screen.show()
        assert CLEAR not in terminal.getvalue()
        console.size = ConsoleDimensions(40, 12)
        screen.show()
        screen.show()
        assert terminal.getvalue().count(CLEAR) == 1
        lines = terminal.getvalue().rpartition(CLEAR)[2].splitlines()
        assert max(len(Text.from_ansi(line).plain) for line in lines) <= 40
        assert "\x1b[1A" in terminal.getvalue().rpartition(CLEAR)[2], "and in place from there on"
