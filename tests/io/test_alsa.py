"""ALSA's library, which would talk on the terminal from the thread that plays."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A card that is not there, asked for as PortAudio asks; `%s` comes before.
ASK = """
import ctypes
library = ctypes.CDLL("libasound.so.2")
%s
print(library.snd_pcm_open(ctypes.byref(ctypes.c_void_p()), b"no-such-card", 0, 0))
"""
NOT_THERE = -2  # ENOENT


def said(before: str) -> str:
    run = [sys.executable, "-c", ASK % before]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) == NOT_THERE
    return done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="ALSA is Linux's")
def test_what_is_wrong_with_a_card_is_not_written_into_the_picture() -> None:
    assert "no-such-card" in said("")
    assert said("from rtsep.io.cards import portaudio; portaudio()") == ""
