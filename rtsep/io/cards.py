"""Sound cards, through PortAudio. The only room that sees sounddevice.

- find out what there is: `list_cards`, `find_card`, `has_output`
- choose a rate: `choose_rate_hz`, `check_rate_hz`, `rates_hz`
- run a compiled callback on a card: `CardDriver`
"""

from __future__ import annotations

import atexit
import ctypes
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from rtsep import realtime
from rtsep.errors import DeviceError
from rtsep.io.watchdog import Watchdog

Direction = Literal["input", "output"]
#: What to do without one.
WITHOUT_CARD: dict[Direction, str] = {
    "input": "Give a file to take apart: `rtsep live song.mp3`.",
    "output": "Write the mix to a file instead: add `--clock real --output mix.wav`.",
}
DEFAULT_CARD = "default"  # the system's choice
WASAPI = "Windows WASAPI"  # PortAudio's name of it
PREFERRED_RATE_HZ = 44100  # the models' own: nothing need be converted
CLOSE_S = 5.0
USUAL_RATES_HZ = (8000, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176400, 192000)


@dataclass(frozen=True)
class Card:
    """A device as PortAudio names it.

    `latency_s` are its own default (low, high) latencies, input then output where it has them.
    """

    index: int
    name: str
    host_api: str
    n_inputs: int
    n_outputs: int
    sample_rate_hz: int
    input_latency_s: float
    output_latency_s: float
    is_default_input: bool
    is_default_output: bool

    @property
    def full_name(self) -> str:
        """Name and host API, which together are unique more often than the name."""
        return f"{self.name}, {self.host_api}"

    def shares_clock(self, other: Card) -> bool:
        """Whether both certainly go by one clock: devices of JACK are all of one server."""
        return self.host_api == other.host_api and self.host_api.startswith("JACK")

    def n_channels(self, direction: Direction) -> int:
        """Channels in one direction."""
        return self.n_inputs if direction == "input" else self.n_outputs

    def settings(self) -> Any:
        """What its host API wants to know beside the usual; None: nothing.

        In its shared mode WASAPI takes no rate but the one that is set in the system's mixer, unless it may convert.
        """
        return _portaudio().WasapiSettings(auto_convert=True) if self.host_api == WASAPI else None


_born: set[int] = set()  # the threads that PortAudio began when it was loaded, as JACK's are


@cache
def _portaudio() -> Any:
    try:
        with realtime.new_natives() as born:
            import sounddevice
    except OSError as error:
        raise DeviceError(
            f"PortAudio is missing ({error}). Install it: apt install libportaudio2, dnf install portaudio, "
            f"or brew install portaudio. Or run without a card: --output FILE --clock real."
        ) from error
    _born.update(born)
    return sounddevice


def list_cards() -> list[Card]:
    """All devices of all host APIs.

    Raises
    ------
    DeviceError
        PortAudio is not there, or fails.
    """
    sd = _portaudio()
    try:
        default_in, default_out = sd.default.device
        apis, devices = sd.query_hostapis(), sd.query_devices()
    except sd.PortAudioError as error:
        raise DeviceError(f"PortAudio cannot list the sound cards: {error}") from error
    api = next(iter(apis), None)
    if api is not None and default_in < 0 and default_out < 0:
        default_in, default_out = api["default_input_device"], api["default_output_device"]
    return [
        Card(
            index,
            device["name"],
            apis[device["hostapi"]]["name"],
            device["max_input_channels"],
            device["max_output_channels"],
            round(device["default_samplerate"]),
            device["default_low_input_latency"],
            device["default_low_output_latency"],
            index == default_in,
            index == default_out,
        )
        for index, device in enumerate(devices)
    ]


def has_output() -> bool:
    """Whether there is any card to play on."""
    try:
        return any(card.n_outputs for card in list_cards())
    except DeviceError:
        return False


def find_card(name: str, direction: Direction) -> Card:
    """The card that is meant by an index, a name, or a part of ``name, host API``.

    Parameters
    ----------
    name
        `DEFAULT_CARD` is the system's choice.
    direction
        What it must be able to do.

    Raises
    ------
    DeviceError
        None or several fit; the message lists the candidates.
    """
    cards = [card for card in list_cards() if card.n_channels(direction)]
    if not cards:
        raise DeviceError(f"there is no sound card with {direction}s. {WITHOUT_CARD[direction]}")
    if name == DEFAULT_CARD:
        flag = f"is_default_{direction}"
        return next((card for card in cards if getattr(card, flag)), cards[0])
    if name.isdigit():
        fits = [card for card in cards if card.index == int(name)]
    else:
        wanted = name.casefold()
        exact = [card for card in cards if wanted in (card.name.casefold(), card.full_name.casefold())]
        fits = exact or [card for card in cards if wanted in card.full_name.casefold()]
    if len(fits) == 1:
        return fits[0]
    problem = (
        f"{len(fits)} {direction} devices fit {name!r}" if fits else f"no {direction} device fits {name!r}"
    )
    candidates = "\n".join(f"  {card.index}: {card.full_name}" for card in fits or cards)
    raise DeviceError(f"{problem}. Name one by its index or more of its name:\n{candidates}")


def lasting_name(card: Card, direction: Direction) -> str:
    """What finds a card again when others came or went: its full name, or its index where two are called alike."""
    alike = [one for one in list_cards() if one.full_name == card.full_name and one.n_channels(direction)]
    return card.full_name if len(alike) == 1 else str(card.index)


def choose_rate_hz(inputs: Card | None, outputs: Card | None, preferred: Sequence[int]) -> int:
    """The first rate of `preferred` that the cards take, else the card's own; without cards the first."""
    card = outputs or inputs
    fits = (rate_hz for rate_hz in preferred if card is None or _takes(inputs, outputs, rate_hz))
    return next(fits, card.sample_rate_hz if card else preferred[0])


def check_rate_hz(inputs: Card | None, outputs: Card | None, rate_hz: int) -> None:
    """Refuse a rate that the cards do not take; without cards any will do.

    Raises
    ------
    DeviceError
        They do not; the message lists the usual rates that they take.
    """
    cards = [card for card in (inputs, outputs) if card is not None]
    if not cards or _takes(inputs, outputs, rate_hz):
        return
    own_hz = {card.sample_rate_hz for card in cards}
    there = [hz for hz in sorted({*USUAL_RATES_HZ, *own_hz}) if _takes(inputs, outputs, hz)]
    names = " and ".join(dict.fromkeys(card.full_name for card in cards))
    has = ", ".join(map(str, there)) or "no usual rate (of two cards, none in common)"
    raise DeviceError(
        f"{names} cannot run at {rate_hz} Hz, but at {has}. Give one of these, or no sample_rate_hz."
    )


def rates_hz(card: Card, direction: Direction) -> list[int]:
    """The usual rates for music, and its own, at which a card runs in one direction."""
    if not card.n_channels(direction):
        return []
    inputs, outputs = (card, None) if direction == "input" else (None, card)
    asked_hz = {card.sample_rate_hz, *(hz for hz in USUAL_RATES_HZ if hz >= PREFERRED_RATE_HZ)}
    return [hz for hz in sorted(asked_hz) if _takes(inputs, outputs, hz)]


def _takes(inputs: Card | None, outputs: Card | None, rate_hz: int) -> bool:
    """Whether both cards, as far as they are there, run at a rate."""
    sd = _portaudio()
    try:
        if inputs is not None:
            sd.check_input_settings(inputs.index, samplerate=rate_hz, extra_settings=inputs.settings())
        if outputs is not None:
            sd.check_output_settings(outputs.index, samplerate=rate_hz, extra_settings=outputs.settings())
    except (sd.PortAudioError, ValueError):
        return False
    return True


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
        A card has not that many channels, or refuses.
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
        self._sd = sd = _portaudio()
        self.sample_rate_hz = sample_rate_hz
        _check_channels(inputs, "input", n_inputs)
        _check_channels(outputs, "output", n_outputs)
        ends = [(inputs, n_inputs), (outputs, n_outputs)]
        used = [(card.index, n, card.settings()) for card, n in ends if card is not None]
        kind = "duplex" if len(used) == 2 else "input" if inputs is not None else "output"
        device, channels, settings = zip(*used, strict=True) if kind == "duplex" else used[0]
        ffi = sd._ffi
        try:
            # As rtmixer does: PortAudio calls the compiled function itself, Python is not in between.
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
            raise DeviceError(
                f"{names} cannot be opened with {n_inputs} inputs and {n_outputs} outputs at {sample_rate_hz} Hz: "
                f"{error}. `rtsep devices` shows what each can do; both ends must be of one host API."
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
            realtime.system().raise_natives(_born | born)
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
            f"channel {n_wanted} was asked for. Choose others with --route, or another card."
        )


class TwoCardsDriver:
    """Two cards, each with a compiled callback of its own.

    Parameters
    ----------
    source, sink
        The drivers of the input and of the output.
    """

    def __init__(self, source: CardDriver, sink: CardDriver) -> None:
        self._drivers = (source, sink)

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
        """Stop both; see `CardDriver.stop`."""
        for driver in reversed(self._drivers):
            driver.stop()
