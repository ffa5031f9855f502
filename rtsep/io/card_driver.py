"""Sound cards that run a compiled callback: one stream, or two with a clock each."""

from __future__ import annotations

import atexit
import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Literal

from rtsep import realtime
from rtsep.errors import CardBusyError, DeviceError
from rtsep.io.cards import Card, Direction, born_with_it, is_busy, portaudio
from rtsep.io.watchdog import Watchdog

CLOSE_S = 5.0
PLAY_OUT_LOOK_S = 0.1  # longer than a card takes from one block to the next
MOST_PLAY_OUT_S = 1.0
#: Who may have asked for a channel.
WHERE: dict[Direction, str] = {
    "input": "in the settings, with input.channels or the channels of mixer.direct",
    "output": "for a stem with --route, else in the settings, with output.channels or the channels of mixer.buses",
}


class CardDriver:
    """A card that runs a compiled callback.

    Parameters
    ----------
    inputs, outputs
        The cards, None for none; one of them must be there.
    n_inputs, n_outputs
        Channels to open.
    sample_rate_hz
        The rate.
    block_samples
        Samples a block; 0: as the card likes it, which costs the least latency.
    function_address, state_address
        The C callback (``PaStreamCallback``) and its user data. Both must live until `stop` has returned.
    position
        Gives what grows with every call, as the samples delivered so far. It must hold all that the callback works on:
        if the card is lost, PortAudio does not say whether it calls again, and this is kept as long as the process.
    longest_block_samples
        The most that the card may move at once, for the watchdog to be patient.
    latency_s
        What is asked of the card, each way; ``low``: its own idea of it.

    Raises
    ------
    DeviceError
        A card has not that many channels, or refuses; `CardBusyError` if somebody else has it.
    """

    def __init__(
        self,
        inputs: Card | None,
        outputs: Card | None,
        n_inputs: int,
        n_outputs: int,
        sample_rate_hz: int,
        block_samples: int,
        function_address: int,
        state_address: int,
        position: Callable[[], int],
        longest_block_samples: int,
        latency_s: float | Literal["low"] = "low",
    ) -> None:
        self._position = position
        self._watchdog = Watchdog(position, longest_block_samples / sample_rate_hz)
        self._stopping = threading.Event()
        self._sd = sd = portaudio()
        self.sample_rate_hz = sample_rate_hz
        _check_channels(inputs, "input", n_inputs)
        _check_channels(outputs, "output", n_outputs)
        ends = [(inputs, n_inputs), (outputs, n_outputs)]
        used = [(card.index, n, card.settings()) for card, n in ends if card is not None]
        kind = "duplex" if len(used) == 2 else "input" if inputs is not None else "output"
        device, channels, settings = zip(*used, strict=True) if kind == "duplex" else used[0]
        ffi = sd._ffi
        try:
            # As rtmixer does: PortAudio calls the compiled function itself, Python is not in between. Threads that are
            # born already are those of ALSA's pulse plugin, which every block goes through.
            with realtime.new_natives() as self._born:
                self._stream = sd._StreamBase(
                    kind=kind,
                    samplerate=sample_rate_hz,
                    blocksize=block_samples,
                    device=device,
                    channels=channels,
                    dtype="float32",
                    latency=latency_s,
                    callback=ffi.cast("PaStreamCallback*", function_address),
                    userdata=ffi.cast("void*", state_address),
                    extra_settings=settings,
                    prime_output_buffers_using_stream_callback=False,
                )
        except (sd.PortAudioError, ValueError) as error:
            names = " and ".join(card.full_name for card, _ in ends if card is not None)
            raise (CardBusyError if is_busy(error) else DeviceError)(
                f"{names} cannot be opened with {n_inputs} inputs and {n_outputs} outputs at {sample_rate_hz} Hz: "
                f"{error}. `rtsep devices` shows what each can do.{_advice(inputs, outputs)}"
            ) from error
        latency = self._stream.latency
        pair = latency if kind == "duplex" else (latency, 0.0) if kind == "input" else (0.0, latency)
        parts_s = zip(("card input", "card output"), pair, strict=True)
        self.latency_parts = {name: round(part_s * sample_rate_hz) for name, part_s in parts_s}
        self._is_running = self._is_over = False

    def start(self) -> None:
        """Begin to play."""
        try:
            with realtime.new_natives() as born:
                self._stream.start()
            realtime.system().raise_natives(born_with_it | self._born | born)
        except self._sd.PortAudioError as error:
            raise DeviceError(f"the sound card does not start: {error}") from error
        self._is_running = True
        watch = threading.Thread(
            target=self._watchdog.run, args=(self._stopping,), name="rtsep-watchdog", daemon=True
        )
        watch.start()

    def stop(self) -> None:
        """Stop, and return when the callback is not called any more. May come before `start`, and twice.

        A card that does not call even now is left alone: PortAudio would wait for it, ten minutes for a JACK server.
        """
        if self._is_over:
            return
        self._is_over = True
        is_lost = self._is_running and (self.error is not None or not self._watchdog.sees_a_move())
        self._stopping.set()
        if is_lost:
            self._abandon()
            return
        self._is_running = False
        if sys.platform == "win32":  # whose cards belong to the thread that has opened them
            self._close()
            return
        closing = threading.Thread(target=self._close, name="rtsep-closing", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():  # its server was lost right now
            self._abandon()

    def _close(self) -> None:
        self._stream.stop(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _abandon(self) -> None:
        """Never touch PortAudio again, not at the end of the process either; it may still touch our memory."""
        atexit.unregister(self._sd._exit_handler)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._position))

    @property
    def error(self) -> Exception | None:
        """That the card does not call any more, though nobody stopped it."""
        if self._is_running and self._watchdog.error is None and not self._stream.active:
            self._watchdog.find()
        return self._watchdog.error


def _check_channels(card: Card | None, direction: Direction, n_wanted: int) -> None:
    if card is not None and card.n_channels(direction) < n_wanted:
        raise DeviceError(
            f"{card.full_name} has {card.n_channels(direction)} {direction} channels; "
            f"channel {n_wanted} was asked for. Choose others {WHERE[direction]}, or another card."
        )


def _advice(inputs: Card | None, outputs: Card | None) -> str:
    """What two cards of two host APIs, which no one stream can join, need."""
    if inputs is None or outputs is None or inputs.host_api == outputs.host_api:
        return ""
    return " With own_clock: false both must be of one host API: leave it out, or name others."


class TwoCardsDriver:
    """Two cards, each with a compiled callback of its own.

    Parameters
    ----------
    source, sink
        The drivers of the input and of the output.
    place
        Gives how far the output has come in what the input has brought.
    """

    def __init__(self, source: CardDriver, sink: CardDriver, place: Callable[[], int]) -> None:
        self._drivers, self._place = (source, sink), place

    @property
    def latency_parts(self) -> dict[str, int]:
        """What the cards add by themselves, in samples of the input."""
        source, sink = self._drivers
        ratio = source.sample_rate_hz / sink.sample_rate_hz
        card_output = round(sink.latency_parts["card output"] * ratio)
        return {"card input": source.latency_parts["card input"], "card output": card_output}

    @property
    def error(self) -> Exception | None:
        """That one of them does not call any more."""
        return next((driver.error for driver in self._drivers if driver.error is not None), None)

    def start(self) -> None:
        """Begin to record, and to play."""
        for driver in self._drivers:
            driver.start()

    def stop(self) -> None:
        """Stop both; see `CardDriver.stop`. If only the input is lost, what it has brought is played to its end."""
        source, sink = self._drivers
        if source.error is not None and sink.error is None:
            self._play_out()
        sink.stop()
        source.stop()

    def _play_out(self) -> None:
        """Until the output has nothing left to follow, which it tells by standing still; it has faded then."""
        until_s, before = time.monotonic() + MOST_PLAY_OUT_S, -1
        while (place := self._place()) != before and time.monotonic() < until_s:
            before = place
            time.sleep(PLAY_OUT_LOOK_S)
