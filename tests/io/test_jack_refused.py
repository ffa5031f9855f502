"""Two streams of which the second is refused: the first is let go of, so that whoever comes next can have it."""

from __future__ import annotations

import json
import subprocess
import sys

import jack
from jack_server import run_server
from live_session import environment

ATTEMPT = """
import json, sys
from rtsep import rig
from rtsep.errors import DeviceError
from rtsep.host import Host
from rtsep.settings import LiveSettings
host = Host(LiveSettings().with_overrides(json.loads(sys.argv[1])))
print("ready", flush=True)
input()
host._rig.desk.state["n_card_outputs"] = 60
try:
    rig.make_driver(host._rig)
except DeviceError as error:
    print(error, flush=True)
input()
"""


def n_inputs_taken(server: str) -> int:
    """Ports into programs, which are not the server's own."""
    with jack.Client("counter", servername=server, no_start_server=True) as counter:
        return len(counter.get_ports(is_audio=True, is_input=True, is_physical=False))


def test_a_card_of_two_that_is_refused_leaves_the_other_free() -> None:
    settings = {
        "input": {"source": "device:system", "own_clock": True},
        "model": {"name": "midside"},
        "output": {"sink": "device:system"},
    }
    with run_server(2, 2) as server:
        pipe, command = subprocess.PIPE, [sys.executable, "-c", ATTEMPT, json.dumps(settings)]
        with subprocess.Popen(
            command, env=environment(server), stdin=pipe, stdout=pipe, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "ready\n"
            n_before = n_inputs_taken(server)
            process.stdin.write("\n")
            process.stdin.flush()
            assert "has 2 output channels; channel 60 was asked for" in process.stdout.readline()
            assert n_inputs_taken(server) == n_before
            process.communicate("\n")
