"""Which ports the maps that ship are for: under the names that systems give them, and not the second ports beside them.

The names are those that programs for these controllers tell of: ALSA's (client, port, numbers), CoreMIDI's, WinMM's.
"""

from __future__ import annotations

import pytest

from rtsep.config import parse
from rtsep.control.midi.known import AUTO, known_maps
from rtsep.control.midi.maps import Map
from rtsep.errors import ConfigError

APC, XL, KORG = "apc_mini_mk2", "launch_control_xl", "nanokontrol2"
PORTS = [
    # Linux
    ("APC mini mk2:APC mini mk2 APC mini mk2 Contr 24:0", APC),
    ("APC mini mk2:APC mini mk2 APC mini mk2 Notes 24:1", None),
    ("Launch Control XL:Launch Control XL MIDI 1 20:0", XL),
    ("Launch Control XL:Launch Control XL Launch Contro 20:0", XL),
    ("Launch Control XL:Launch Control XL MIDI 2 20:1", None),
    ("nanoKONTROL2:nanoKONTROL2 nanoKONTROL2 _ CTR 20:0", KORG),
    ("nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0", KORG),
    ("a2j:nanoKONTROL2 [20] (capture): nanoKONTROL2 MIDI 1", KORG),
    # macOS
    ("APC mini mk2 Control", APC),
    ("APC mini mk2 Notes", None),
    ("Launch Control XL", XL),
    ("Launch Control XL 2", XL),  # told that it is the second one
    ("Launch Control XL HUI", None),
    ("Launch Control XL (HUI)", None),
    ("nanoKONTROL2 SLIDER/KNOB", KORG),
    ("nanoKONTROL2 CTRL", KORG),
    # Windows
    ("APC mini mk2 0", APC),
    ("2- APC mini mk2 2", APC),
    ("MIDIIN2 (APC mini mk2) 1", None),
    ("MIDIOUT2 (APC mini mk2) 2", None),
    ("Launch Control XL 0", XL),
    ("MIDIIN2 (Launch Control XL) 1", None),
    ("MIDIOUT2 (Launch Control XL) 2", None),
    ("nanoKONTROL2 1", KORG),
    # other devices
    ("Launch Control XL MK3", None),
    ("LCXL3 1 MIDI Out", None),
    ("APC MINI", None),
]


@pytest.mark.parametrize(("port", "name"), PORTS)
def test_a_port_gets_the_map_of_what_it_says(
    port: str, name: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    found = known_maps().chosen(AUTO, port)
    assert (found and found.name) == name


def test_a_map_names_the_ports_that_it_is_not_for() -> None:
    map_ = parse({"match": "pad", "unless": "daw|hui"}, Map, "test")
    assert map_.fits("My Pad MIDI")
    assert not map_.fits("My Pad DAW")
    assert not map_.fits("My Keys")
    with pytest.raises(ConfigError, match="no name of a port"):
        parse({"match": "pad", "unless": "("}, Map, "test")
