"""A controller on a JACK server: a client that says bytes, and hears what its lights are told."""

from __future__ import annotations

from collections import deque

from jack_server import jack_module


class Pad:
    """A MIDI output `knobs` and an input `lamps`."""

    def __init__(self, server: str, name: str) -> None:
        self._client = jack_module().Client(name, servername=server, no_start_server=True)
        self._knobs = self._client.midi_outports.register("knobs")
        self._lamps = self._client.midi_inports.register("lamps")
        self._said: deque[bytes] = deque()
        self.lit: list[bytes] = []
        self._client.set_process_callback(self._process)
        self._client.activate()

    def _process(self, n_samples: int) -> None:
        self._knobs.clear_buffer()
        while self._said:
            self._knobs.write_midi_event(0, self._said.popleft())
        self.lit += [bytes(data) for _, data in self._lamps.incoming_midi_events()]

    def say(self, *messages: bytes) -> None:
        """In the next cycle, or one a cycle later."""
        self._said.extend(messages)

    def unplug(self) -> None:
        """It is gone; again it does nothing."""
        if self._client is not None:
            self._client.deactivate()
            self._client.close()
            self._client = None

    def __enter__(self) -> Pad:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
