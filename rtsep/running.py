"""A rig at work: its driver, its threads, and all that is to be closed when it is over.

A session has one after another, when it is connected otherwise while it plays; see `rtsep.handover`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rtsep.account import add_up, take_stats
from rtsep.callback import CHUNK_SAMPLES
from rtsep.io.clocked import BLOCK_SAMPLES
from rtsep.io.microphone import LISTEN_S, hear
from rtsep.offset import tell_block
from rtsep.rig import Preparation, make_driver, plug_in
from rtsep.stream import Latency


class Run:
    """A rig at work.

    Parameters
    ----------
    preparation
        What was made before; it belongs to this then.

    Attributes
    ----------
    written : LiveSettings
        The settings as a person has written them; those of the rig say how it stood when it began.
    before : callable
        Gives the account of all that has played before in this session, if anything did.
    has_started : bool
        Whether it was ever heard.

    Raises
    ------
    RtsepError
        A file or a card refuses. The preparation is as it was then.
    """

    def __init__(self, preparation: Preparation) -> None:
        self.rig, self.driver = plug_in(preparation)
        self.written = preparation.written
        self.before: Callable[[], Mapping[str, Any] | None] = lambda: None
        self.rig.recording.account = self.stats
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.has_started = self._is_halted = False
        self.has_listened = self.rig.ends.inputs is None
        self.has_told_block = False

    @property
    def is_free(self) -> bool:
        """Whether there is no clock, so that everything runs in line."""
        return self.rig.ends.clock == "free"

    @property
    def latency(self) -> Latency:
        """From input to output: the offset's parts and the card's own."""
        offset = self.rig.latency
        return Latency(offset.sample_rate_hz, {**offset.parts, **self.driver.latency_parts})

    def start(self) -> None:
        """Start the threads, then the clock.

        Raises
        ------
        DeviceError
            The card does not start. No thread is left then.
        """
        self._stop = threading.Event()
        try:
            for name, work in self._workers().items():
                thread = threading.Thread(target=work, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
            if not self.is_free:
                self.rig.separation.start()
            self.driver.start()
        except BaseException:
            self.halt()
            raise
        self.has_started = True

    def _workers(self) -> dict[str, Callable[[], None]]:
        """What runs beside the clock and the engine."""
        rig, stop = self.rig, self._stop
        workers: dict[str, Callable[[], None]] = {}
        if self.is_free:
            return workers
        workers["rtsep-recorder"] = partial(rig.recording.run, stop)  # a take may begin at any time
        if rig.ends.clock == "device" and (transport := rig.transport) is not None:
            rig.feed(2 * BLOCK_SAMPLES)
            workers["rtsep-transport"] = partial(transport.run, stop, lambda: rig.desk.recorded)
        return workers

    def halt(self) -> None:
        """Stop the clock and let go of the card, then end the threads; see `go_on`. Again it does nothing."""
        if self._is_halted:  # and another run may have the card, or the desktop, by now
            return
        self._is_halted = True
        self.driver.stop()
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self.rig.separation.stop()

    def go_on(self) -> None:
        """Open the card again and play on where it stood.

        Raises
        ------
        DeviceError
            It is not to be had any more.
        """
        self.driver = make_driver(self.rig)
        self._is_halted = False
        self.rig.recording.go_on()
        self.start()
        self.rise()

    def close(self) -> None:
        """End it, and finish the files. Again it does nothing."""
        self.halt()
        if self.has_started:
            self.rig.recording.close()
        self.rig.close()

    def fall(self) -> int:
        """Begin to ramp to silence; the position on the tapes at which it is silent, where the files end."""
        chain = self.rig.desk.chain
        fall = partial(self.rig.mixer.fall, chain.coefficients)
        return self.rig.recording.end_after(fall, CHUNK_SAMPLES + int(chain.record["ramp_samples"]))

    def has_fallen(self, end: int) -> bool:
        """Whether the silence after `fall` has left the callback: a block may have come in between, one goes out."""
        return self.rig.heard >= end + 2 * self.rig.ends.largest_block_samples

    def rise(self) -> None:
        """Ramp to the mix as it stands."""
        self.rig.mixer.rise(self.rig.separator.stems, self.rig.desk.chain.coefficients)

    @property
    def error(self) -> Exception | None:
        """What broke first, if anything did; the music may go on."""
        return self.fatal or self.rig.separation.engine.error or self.rig.recording.error

    @property
    def fatal(self) -> Exception | None:
        """What leaves nothing to listen to."""
        transport, recording = self.rig.transport, self.rig.recording
        broken = self.driver.error or (transport.error if transport is not None else None)
        if broken is None and recording.is_wanted and recording.is_over and self.rig.ends.outputs is None:
            return recording.error  # the file was all there was
        return broken

    def news(self) -> list[str]:
        """What has come up that a person should know, each once."""
        return [line for line in (self.hear(), self._tell_block()) if line is not None]

    def _tell_block(self) -> str | None:
        """That the card moves more at once than the latency allows for, once."""
        longest = int(self.rig.desk.state["longest_block"])
        told = None if self.has_told_block else tell_block(longest, self.rig.ends.largest_block_samples)
        self.has_told_block |= told is not None
        return told

    def hear(self) -> str | None:
        """What the first seconds of the input tell a person, once."""
        tape, n_samples = self.rig.desk.input_tape, round(LISTEN_S * self.rig.ends.sample_rate_hz)
        if self.has_listened or tape.written < n_samples:
            return None
        self.has_listened = True
        first = tape.read(0, n_samples)
        return hear(sys.platform, first) if first is not None else None

    def stats(self) -> dict[str, Any]:
        """The account of the session up to here, for `--stats-json`."""
        return add_up(self.before(), take_stats(self.rig, self.written, self.latency))
