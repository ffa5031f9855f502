"""Where sound comes from and goes to, and who gives the time: files and cards, found and opened."""

from __future__ import annotations

from dataclasses import dataclass

from rtsep.card_latency import RoundTrip, key_of, read_round_trips
from rtsep.errors import DeviceError, UsageError
from rtsep.follower import JITTER_S
from rtsep.io.cards import DEFAULT_CARD, Card, Direction, check_rate_hz, choose_rate_hz, find_card
from rtsep.io.clocked import BLOCK_SAMPLES
from rtsep.io.desktop import BURST_S, plugin_card
from rtsep.io.encode import CODECS
from rtsep.io.files import AudioReader
from rtsep.settings import FIRST_CHANNELS, Clock, LiveSettings


@dataclass(frozen=True)
class Ends:
    """What is open: None is a file or nothing.

    Attributes
    ----------
    reader
        The input file.
    inputs, outputs
        The cards.
    clock
        ``device``: the card's, ``real``: the wall's, ``free``: none.
    sample_rate_hz
        The rate of the session: of its tapes, and of the input.
    output_rate_hz
        Of the output; another one only if that has a clock of its own.
    has_two_clocks
        Whether input and output are cards that each go by their own.
    largest_block_samples
        The most that one call of the callback moves.
    jitter_s
        How late the input's callbacks may be before it is heard, with two clocks.
    round_trip
        What a loop-back cable has shown of the cards, if there was one.
    """

    reader: AudioReader | None
    inputs: Card | None
    outputs: Card | None
    clock: Clock
    sample_rate_hz: int
    largest_block_samples: int
    output_rate_hz: int
    has_two_clocks: bool
    jitter_s: float = JITTER_S
    round_trip: RoundTrip | None = None

    @property
    def card_latency_s(self) -> float:
        """What the cards add by themselves: as measured, else as they say."""
        if self.round_trip is not None:
            return self.round_trip.samples / self.sample_rate_hz
        incoming = self.inputs.input_latency_s if self.inputs is not None else 0.0
        return incoming + (self.outputs.output_latency_s if self.outputs is not None else 0.0)

    def with_channels(self, settings: LiveSettings) -> LiveSettings:
        """The same settings, with those channels of these cards that are meant where they name none."""
        return settings.on_channels(channels_of(self.inputs, "input"), channels_of(self.outputs, "output"))


def channels_of(card: Card | None, direction: Direction) -> tuple[int, ...]:
    """Those that are meant where a person names none: the first two, or the only one of a microphone."""
    n_there = len(FIRST_CHANNELS) if card is None else card.n_channels(direction)
    return FIRST_CHANNELS[:n_there]


def open_ends(settings: LiveSettings, model_rate_hz: int) -> Ends:
    """Find cards, choose the clock and the rate, open the input file.

    Raises
    ------
    UsageError
        The clock does not fit the ends, or this system has no desktop to listen to.
    DeviceError, AudioFileError
        A card or a file is not to be had, or a card does not have the rate that was asked for.
    """
    source, output = settings.input.endpoint, settings.output
    clock = choose_clock(settings)
    inputs, outputs = _find_cards(settings) if clock == "device" else (None, None)
    reader = AudioReader(source.path) if source.is_file else None
    largest = output.max_block_samples if clock == "device" else BLOCK_SAMPLES
    has_two = _has_two_clocks(settings, inputs, outputs)
    leads = None if has_two else outputs
    try:
        rate_hz = _choose_rate_hz(settings.input.sample_rate_hz, reader, model_rate_hz, inputs, leads)
        output_rate_hz = choose_rate_hz(None, outputs, [rate_hz]) if has_two else rate_hz
    except DeviceError:
        if reader is not None:
            reader.close()
        raise
    largest = output.block_samples or largest
    round_trip = None
    if inputs is not None and outputs is not None and not has_two:
        round_trip = read_round_trips().get(key_of(inputs, outputs, rate_hz, output.block_samples))
    jitter_s = BURST_S if source.is_desktop else JITTER_S
    return Ends(
        reader, inputs, outputs, clock, rate_hz, largest, output_rate_hz, has_two, jitter_s, round_trip
    )


def _has_two_clocks(settings: LiveSettings, inputs: Card | None, outputs: Card | None) -> bool:
    """Two devices do, if nobody says otherwise; but for those of one JACK server. A desktop's sinks are two."""
    if inputs is None or outputs is None:
        return False
    if settings.input.own_clock is not None:
        return settings.input.own_clock
    if settings.input.endpoint.is_desktop:
        return True
    return not inputs.shares_clock(outputs)


def _find_cards(settings: LiveSettings) -> tuple[Card | None, Card | None]:
    """The cards at both ends; the desktop's one card leads to all sinks of the sound server."""
    source, sink = settings.input.endpoint, settings.output.endpoint
    if sink.is_desktop:
        raise UsageError(
            "--output desktop: the desktop is an input only. Leave --output out, or name a sink."
        )
    if source.is_desktop:
        card = plugin_card()
        return card, None if sink.is_file else card
    found = {way: find_card(name, way) for way, name in settings.cards.items()}
    return found.get("input"), found.get("output")


def _choose_rate_hz(
    asked_hz: int | None, reader: AudioReader | None, model_rate_hz: int, *cards: Card | None
) -> int:
    """The rate that was asked for, else the file's, else the model's: one rule, that all clocks be alike."""
    inputs, outputs = cards
    if asked_hz is not None:
        check_rate_hz(inputs, outputs, asked_hz)
        return asked_hz
    file_rates_hz = [reader.sample_rate_hz] if reader else []
    return choose_rate_hz(inputs, outputs, [*file_rates_hz, model_rate_hz])


def choose_clock(settings: LiveSettings) -> Clock:
    """The clock that was asked for, if it fits; else the card's if there is one, or the wall's."""
    source, sink, clock = settings.input.endpoint, settings.output.endpoint, settings.output.clock
    needs_card = not source.is_file or not sink.is_file or bool(settings.mixer.direct)
    if clock is None:
        return "device" if needs_card else "real"
    if clock == "device" and not needs_card:
        raise UsageError("--clock device: both ends are files, so no card gives the time. Use real or free.")
    if clock != "device" and not source.is_file:
        raise UsageError(
            f"--clock {clock}: the input is a card, which gives the time itself. Give a file, or no --clock."
        )
    if clock != "device" and settings.mixer.direct:
        raise UsageError(
            f"--clock {clock}: {', '.join(settings.mixer.direct)} of mixer.direct would be inputs of a card, which is "
            "not used then. Give no --clock, or leave them out."
        )
    if clock != "device" and not sink.is_file and sink.name != DEFAULT_CARD:
        raise UsageError(
            f"--clock {clock}: the output {sink.name!r} would be a card, which is not used then. Give a file "
            f"({', '.join('.' + codec for codec in CODECS)}), or no --output, or no --clock."
        )
    return clock
