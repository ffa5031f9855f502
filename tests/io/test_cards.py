"""Names of sound cards, on a real JACK server, and without any card."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from jack_server import run_server

from rtsep.io.cards import Card, is_busy, portaudio

ASK = """
import sys
from rtsep.errors import DeviceError
from rtsep.io import cards
for name, direction in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        print(cards.find_card(name, direction).full_name)
    except DeviceError as error:
        print(str(error).replace(chr(10), " | "))
"""

OPEN = """
import sys
from rtsep.errors import DeviceError
from rtsep.io import card_driver, cards
card = cards.find_card("system", "output")
print(cards.lasting_name(card, "output"))
print(cards.choose_rate_hz(card, card, [48000, 44100]))
cards.check_rate_hz(card, card, 44100)
try:
    cards.check_rate_hz(card, card, 48000)
except DeviceError as error:
    print(error)
try:
    card_driver.CardDriver(None, card, 0, 11, 44100, 0, 0, 0, lambda: 0, 1024)
except DeviceError as error:
    print(error)
"""

LIST = """
from rtsep.cli import app
app(["devices"])
"""

# PortAudio's thread is nobody's but its own: a callback that does nothing, on a server that raises no client.
START = """
import ctypes, itertools, os, threading
from rtsep.realtime import system
before = system().native_ids()
from rtsep.io import card_driver, cards
nothing = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 2, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong,
                           ctypes.c_void_p)(lambda *words: 0)
address = ctypes.cast(nothing, ctypes.c_void_p).value
card = cards.find_card("system", "output")
driver = card_driver.CardDriver(None, card, 0, 2, 44100, 0, address, 0, itertools.count().__next__, 1024)
driver.start()
new = {tid: os.sched_getscheduler(tid) for tid in system().native_ids() - before}
driver.stop()
grants = []
thread = threading.Thread(target=lambda: grants.append(system().ask("audio", threading.current_thread(), 0.01)))
thread.start()
thread.join()
raised = {tid for tid, policy in new.items() if policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO}
print(len(new), len(raised), grants[0].how)
"""


def ask(code: str, *arguments: str, server: str = "no-such-server") -> list[str]:
    """Run code in a process of its own: PortAudio lists the cards once."""
    env = {**os.environ, "JACK_DEFAULT_SERVER": server, "JACK_NO_START_SERVER": "1"}
    run = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_a_card_is_found_by_its_name_and_others_are_listed() -> None:
    with run_server() as server:
        words = [
            "system",
            "output",
            "SYSTEM, jack audio connection kit",
            "input",
            "nothing",
            "input",
            "9",
            "output",
        ]
        exact, full, unknown, index = ask(ASK, *words, server=server)
        (ambiguous,) = ask(ASK, "s", "output", server=server)
        lasting, rate_hz, other_rate, too_many = ask(OPEN, server=server)
    assert exact == full == lasting == "system, JACK Audio Connection Kit"
    for text, name in ((unknown, "nothing"), (index, "9")):
        assert f"device fits '{name}'" in text
        assert "system, JACK Audio Connection Kit" in text
    assert "system" in ambiguous  # one card, or the list of those that fit
    assert rate_hz == "44100"
    assert "cannot run at 48000 Hz, but at 44100. Give one" in other_rate
    assert "has 10 output channels; channel 11 was asked for" in too_many


def test_several_cards_that_fit_are_listed_with_their_index() -> None:
    with run_server() as server:
        names = ask(
            "from rtsep.io import cards\nfor c in cards.list_cards(): print(c.index, c.full_name)",
            server=server,
        )
        if len(names) < 2:
            pytest.skip("there is only one card here")
        (text,) = ask(ASK, "a", "output", server=server)  # every host API has an a in its name
    assert f"{len(names)} output devices fit 'a'" in text
    for line in names:
        index, name = line.split(" ", 1)
        assert f"{index}: {name}" in text


def test_without_a_card_the_message_says_what_to_do() -> None:
    (text,) = ask(ASK, "nothing", "output")
    assert "no output device fits 'nothing'" in text or "--clock real --output mix.wav" in text
    command = [
        sys.executable,
        "-m",
        "rtsep",
        "live",
        "--output",
        "device:nothing",
        "--input",
        "device:nothing",
    ]
    env = {**os.environ, "JACK_DEFAULT_SERVER": "no-such-server", "JACK_NO_START_SERVER": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PortAudio raises its own threads")
def test_the_threads_of_a_card_are_raised_if_they_do_not_do_so_themselves() -> None:
    with run_server() as server:
        (counted,) = ask(START, server=server)
    n_new, n_raised, how = counted.split(" ", 2)
    assert int(n_new) >= 1
    if "SCHED_FIFO" in how:
        assert n_raised == n_new


def test_cards_are_shown_with_their_rates_and_what_would_be_taken() -> None:
    with run_server() as server:
        env = {**os.environ, "JACK_DEFAULT_SERVER": server, "JACK_NO_START_SERVER": "1", "COLUMNS": "80"}
        run = [sys.executable, "-c", LIST]
        done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert "system, JACK Audio Connection Kit" in done.stdout
    assert "2 inputs in " in done.stdout
    assert "10 outputs in " in done.stdout
    assert "[44.1] kHz" in done.stdout
    assert "`rtsep live` takes the music from" in done.stderr


def test_in_its_shared_mode_wasapi_may_convert_rates_and_nobody_else_is_told_to() -> None:
    sounddevice = pytest.importorskip("sounddevice", exc_type=OSError)

    def card(host_api: str) -> Card:
        return Card(0, "Speakers", host_api, 0, 2, 48000, 0.0, 0.003, False, True)

    info = card("Windows WASAPI").settings()._streaminfo
    assert info.hostApiType == sounddevice._lib.paWASAPI
    assert info.flags == sounddevice._lib.paWinWasapiAutoConvert
    for host_api in ("ALSA", "Core Audio", "MME", "Windows DirectSound", "Windows WDM-KS"):
        assert card(host_api).settings() is None


def test_a_card_that_somebody_else_has_is_told_from_one_that_refuses() -> None:
    error = portaudio().PortAudioError
    assert is_busy(error("Error opening Stream: Device unavailable", -9985))
    assert not is_busy(error("Error opening Stream: Invalid sample rate", -9997))
    assert not is_busy(ValueError("no such device"))
