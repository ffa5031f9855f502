"""When a microphone is warned of, by the names that systems give."""

from __future__ import annotations

import pytest

from rtsep.io.cards import Card
from rtsep.io.feedback import may_howl


def card(name: str, api: str = "ALSA", *, is_default: bool = False) -> Card:
    return Card(0, name, api, 2, 2, 48000, 0.01, 0.01, is_default, is_default)


SPEAKERS = card("MacBook Pro Speakers", "Core Audio")


@pytest.mark.parametrize(
    "name",
    [
        "MacBook Pro Microphone",
        "Mikrofon (Realtek(R) Audio)",
        "Micrófono interno",
        "Built-in Input",
        "USB Mic",
        "HD Webcam C525",
    ],
)
def test_a_microphone_and_loudspeakers_are_warned_of(name: str) -> None:
    assert may_howl(card(name), SPEAKERS)


def test_the_systems_defaults_are_taken_for_a_microphone_and_loudspeakers() -> None:
    assert may_howl(card("HDA Intel PCH: ALC257", is_default=True), card("HDA Intel PCH", is_default=True))
    assert not may_howl(card("HDA Intel PCH: ALC257"), card("HDA Intel PCH", is_default=True))
    assert not may_howl(card("HDA Intel PCH: ALC257", is_default=True), card("HDA Intel PCH"))


@pytest.mark.parametrize("name", ["Scarlett 2i2 USB", "Rodecaster", "Semichord", "MicroKorg"])
def test_a_named_interface_is_not(name: str) -> None:
    assert not may_howl(card(name), card(name))


@pytest.mark.parametrize(
    "name",
    [
        "BlackHole 2ch",
        "CABLE Output (VB-Audio Virtual Cable)",
        "Monitor of Built-in Audio",
        "Loopback: PCM (hw:1,0)",
        "Stereo Mix (Realtek)",
        "Built-in Line In",
    ],
)
def test_a_cable_is_silent_even_as_the_default(name: str) -> None:
    assert not may_howl(card(name, is_default=True), card("Speakers", is_default=True))
    assert not may_howl(card("Microphone", is_default=True), card(name, is_default=True))


@pytest.mark.parametrize("name", ["Headphones (USB)", "Jabra Headset", "Earbuds", "AirPods Pro"])
def test_what_is_worn_on_the_head_is_silent_in_the_room(name: str) -> None:
    assert not may_howl(card("Microphone", is_default=True), card(name, is_default=True))


def test_a_server_that_is_patched_by_hand_is_no_room() -> None:
    both = card("system", "JACK Audio Connection Kit", is_default=True)
    assert not may_howl(both, both)


def test_a_file_is_no_microphone() -> None:
    assert not may_howl(None, SPEAKERS)
    assert not may_howl(card("Microphone"), None)
