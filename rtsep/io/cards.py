"""Sound cards, as PortAudio names them; the only file that sees sounddevice. `rtsep.io.card_driver` runs one.

- find out what there is: `list_cards`, `find_card`, `has_output`
- choose a rate: `choose_rate_hz`, `check_rate_hz`, `rates_hz`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from rtsep import realtime
from rtsep.errors import DeviceError
from rtsep.io import alsa

Direction = Literal["input", "output"]
#: What to do without one.
WITHOUT_CARD: dict[Direction, str] = {
    "input": "Give a file to take apart: `rtsep live song.mp3`.",
    "output": "Write the mix to a file instead: add `--clock real --output mix.wav`.",
}
DEFAULT_CARD = "default"  # the system's choice
WASAPI = "Windows WASAPI"  # PortAudio's name of it
DEVICE_UNAVAILABLE = -9985  # paDeviceUnavailable: there, but somebody else has it, perhaps we ourselves
PREFERRED_RATE_HZ = 44100  # the models' own: nothing need be converted
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
        """Whether both certainly go by one clock: as one device, or of JACK, whose devices are all of one server."""
        is_of_one_server = self.host_api == other.host_api and self.host_api.startswith("JACK")
        return self.index == other.index or is_of_one_server

    def n_channels(self, direction: Direction) -> int:
        """Channels in one direction."""
        return self.n_inputs if direction == "input" else self.n_outputs

    def settings(self) -> Any:
        """What its host API wants to know beside the usual; None: nothing.

        In its shared mode WASAPI takes no rate but the one that is set in the system's mixer, unless it may convert.
        """
        return portaudio().WasapiSettings(auto_convert=True) if self.host_api == WASAPI else None


born_with_it: set[int] = set()  # the threads that PortAudio began when it was loaded, as JACK's are


@cache
def portaudio() -> Any:
    """The module sounddevice.

    Raises
    ------
    DeviceError
        PortAudio is not there.
    """
    try:
        with realtime.new_natives() as born:
            import sounddevice
    except OSError as error:
        raise DeviceError(
            f"PortAudio is missing ({error}). Install it: apt install libportaudio2, dnf install portaudio, "
            f"or brew install portaudio. Or run without a card: --output FILE --clock real."
        ) from error
    born_with_it.update(born)
    alsa.hush()
    return sounddevice


def list_cards() -> list[Card]:
    """All devices of all host APIs.

    Raises
    ------
    DeviceError
        PortAudio is not there, or fails.
    """
    sd = portaudio()
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


def is_busy(error: Exception) -> bool:
    """Whether PortAudio refuses a device for somebody else has it."""
    return error.args[1:2] == (DEVICE_UNAVAILABLE,)


def _takes(inputs: Card | None, outputs: Card | None, rate_hz: int) -> bool:
    """Whether both cards, as far as they are there, run at a rate; one that cannot be asked now is trusted to."""
    sd = portaudio()
    for card, check in ((inputs, sd.check_input_settings), (outputs, sd.check_output_settings)):
        if card is None:
            continue
        try:
            check(card.index, samplerate=rate_hz, extra_settings=card.settings())
        except (sd.PortAudioError, ValueError) as error:
            if not is_busy(error):
                return False
    return True
