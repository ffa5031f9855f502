"""A controller on a JACK server: a client that says bytes, and hears what its lights are told.

It is a process of its own: rtmidi keeps the interpreter while it calls JACK, and JACK waits for all of its clients.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

from jack_server import jack_module

PATIENCE_S = 60.0


def until(is_so: Callable[[], object]) -> None:
    """Wait for what others do in their own time."""
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.01)


class Pad:
    """A MIDI output `knobs` and an input `lamps`."""

    def __init__(self, server: str, name: str) -> None:
        jack_module()
        pipe = subprocess.PIPE
        command = [sys.executable, __file__, server, name]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        self.lit: list[bytes] = []
        assert self._process.stdout.readline() == "ready\n"
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lit.append(bytes.fromhex(line))

    def say(self, *messages: bytes) -> None:
        """In the next cycle, or one a cycle later."""
        self._write("".join(f"{message.hex()}\n" for message in messages))

    def connect(self, port: str) -> None:
        """Lay a cable from the knobs."""
        self._write(f"connect {port}\n")

    def hear(self, port: str) -> None:
        """Lay a cable to the lamps."""
        self._write(f"hear {port}\n")

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def __enter__(self) -> Pad:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def main(server: str, name: str) -> None:
    import jack

    client = jack.Client(name, servername=server, no_start_server=True)
    knobs, lamps = client.midi_outports.register("knobs"), client.midi_inports.register("lamps")
    said: list[bytes] = []
    lit: list[bytes] = []

    def process(n_samples: int) -> None:
        knobs.clear_buffer()
        while said:
            knobs.write_midi_event(0, said.pop(0))
        lit.extend(bytes(data) for _, data in lamps.incoming_midi_events())

    def tell() -> None:
        while True:
            while lit:
                print(lit.pop(0).hex(), flush=True)
            time.sleep(0.005)

    client.set_process_callback(process)
    client.activate()
    print("ready", flush=True)
    threading.Thread(target=tell, daemon=True).start()
    for line in sys.stdin:
        if line.startswith("connect "):
            client.connect(f"{name}:knobs", line.split(" ", 1)[1].strip())
        elif line.startswith("hear "):
            client.connect(line.split(" ", 1)[1].strip(), f"{name}:lamps")
        else:
            said.append(bytes.fromhex(line))
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
