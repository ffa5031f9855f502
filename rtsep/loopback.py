"""The round trip of a card, measured: bursts of noise out of an output, through a cable, into an input.

They leave through the same callback and driver as music does, so what is found is what a session has: the way from the
moment in which the callback hands over a sample to the one in which it is handed it back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtsep.callback import FADE_SAMPLES
from rtsep.card_latency import RoundTrip, key_of
from rtsep.chain import MEMORY_S, Chain
from rtsep.desk import Cable, Desk
from rtsep.dsp.delay import BURST_SAMPLES, Found, burst, find_burst
from rtsep.ends import Ends, open_ends
from rtsep.errors import DeviceError, UsageError
from rtsep.io.card_driver import CardDriver
from rtsep.io.cards import PREFERRED_RATE_HZ, Card
from rtsep.mix import MAIN, Bus, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.rig import open_card
from rtsep.settings import FIRST_CHANNELS, LiveSettings
from rtsep.stream import N_CHANNELS, Audio
from rtsep.tape import Tape

N_BURSTS = 8
LEAD_S = 0.6  # what a card loses while it is only starting is no matter here
EVERY_S = 0.6  # from one burst to the next, and the longest way that is looked for
LENGTH_S = LEAD_S + N_BURSTS * EVERY_S + 0.2
STALLED_S = 10.0
QUIET_DBFS = -60.0
FULL_SCALE = 0.999
MOST_SPREAD_S = 0.001
ROW = N_CHANNELS  # of the input tape: the first direct input


@dataclass(frozen=True)
class Loop:
    """Two ends of a cable: the channels count from 1, as people do."""

    inputs: Card
    outputs: Card
    input_channel: int
    output_channel: int
    sample_rate_hz: int
    block_samples: int

    @property
    def key(self) -> str:
        """What a measurement is kept under."""
        return key_of(self.inputs, self.outputs, self.sample_rate_hz, self.block_samples)


def open_loop(settings: LiveSettings) -> tuple[Loop, Ends]:
    """The cards of a session and the channels that the cable is for: the first that each is used with.

    Raises
    ------
    UsageError
        An end is no card.
    DeviceError
        A card is not to be had.
    """
    if settings.input.endpoint.is_file or settings.output.endpoint.is_file:
        raise UsageError("--measure-latency is of cards: name them with --input and --output, and no file")
    ends, output = open_ends(settings, PREFERRED_RATE_HZ), settings.output
    if ends.inputs is None or ends.outputs is None:
        raise UsageError("--measure-latency is of cards, which give the time themselves; leave out --clock")
    if ends.has_two_clocks or settings.input.endpoint.is_desktop:
        raise UsageError(
            "--measure-latency is of one card with one clock for both; name it with --input and --output"
        )
    channels = (settings.input.channels or FIRST_CHANNELS)[0], (output.channels or FIRST_CHANNELS)[0]
    return Loop(ends.inputs, ends.outputs, *channels, ends.sample_rate_hz, output.block_samples), ends


def measure_loop(loop: Loop, ends: Ends) -> RoundTrip:
    """Play the bursts and find them again, which takes `LENGTH_S`.

    Raises
    ------
    DeviceError
        Nothing comes back, or not what was played, or the card loses sound; the message says what to do.
    """
    desk = _make_desk(loop)
    driver = open_card(ends, desk, loop.block_samples)
    try:
        driver.start()
        _wait(driver, desk)
    finally:
        driver.stop()
    return judge(loop, _heard(desk), loop.sample_rate_hz, sum(driver.latency_parts.values()))


def starts(sample_rate_hz: int) -> list[int]:
    """The positions at which bursts are played."""
    return [round((LEAD_S + k * EVERY_S) * sample_rate_hz) for k in range(N_BURSTS)]


def bursts(sample_rate_hz: int) -> Audio:
    """All that is played, ``(samples,)``."""
    played = np.zeros(round((LENGTH_S + 1) * sample_rate_hz), np.float32)
    for k, start in enumerate(starts(sample_rate_hz)):
        played[start : start + BURST_SAMPLES] = burst(k)
    return played


def judge(loop: Loop, heard: Audio, sample_rate_hz: int, reported_samples: int) -> RoundTrip:
    """The round trip in ``heard (samples,)``, which begins with what was played.

    Raises
    ------
    DeviceError
        There is none that can be trusted.
    """
    found = [each for each in _find(heard, sample_rate_hz) if each is not None]
    cable = f"output {loop.output_channel} of {loop.outputs.full_name} to input {loop.input_channel}"
    peak = float(np.abs(heard).max())
    if peak >= FULL_SCALE:
        raise DeviceError(f"what came back was clipped. Turn the input or the output down; {cable}.")
    if not found:
        level = f"{20 * math.log10(peak):.0f} dBFS" if peak > 0 else "silent"
        what = "nothing came back" if peak < 10 ** (QUIET_DBFS / 20) else "something else came back"
        raise DeviceError(
            f"{what} ({level} at most). Connect {cable} of {loop.inputs.full_name} with a cable, and raise the level."
        )
    if len(found) < N_BURSTS:
        raise DeviceError(
            f"only {len(found)} of {N_BURSTS} bursts were found in what came back: too quiet, or too much noise "
            f"beside it ({20 * math.log10(peak):.0f} dBFS at most). Raise the level; {cable}."
        )
    delays = [each.delay_samples for each in found]
    spread = max(delays) - min(delays)
    if spread > MOST_SPREAD_S * sample_rate_hz:
        raise DeviceError(
            f"the way is not always the same: {min(delays)} to {max(delays)} samples. The card loses sound, or input "
            f"and output have clocks of their own. Close other programs, or use one card for both."
        )
    return RoundTrip(samples=int(np.median(delays)), reported_samples=reported_samples, spread_samples=spread)


def _find(heard: Audio, sample_rate_hz: int) -> Iterator[Found | None]:
    reach = round(EVERY_S * sample_rate_hz)
    for k, start in enumerate(starts(sample_rate_hz)):
        yield find_burst(burst(k), heard[start : start + reach])


def _make_desk(loop: Loop) -> Desk:
    """Bursts in place of the mixture, which goes to one output with no offset; the input as a silent direct input."""
    rate_hz, output = loop.sample_rate_hz, loop.output_channel - 1
    mixer = Mixer(
        Mix({"none": Strip()}, {MAIN: Bus((output,))}, directs={"cable": Strip(gain_db=-math.inf)}),
        output + 1,
    )
    chain = Chain(mixer.open(("none",)), 1, 0, rate_hz, FADE_SAMPLES)
    channel = loop.input_channel - 1
    desk = Desk(
        chain,
        Tape(2 * N_CHANNELS, round(MEMORY_S * rate_hz)),
        rate_hz,
        (output,),
        cables=(Cable(channel, ROW), Cable(channel, ROW + 1)),
        n_card_inputs=channel + 1,
        n_card_outputs=output + 1,
        has_source=True,
    )
    desk.state["bypass"] = 1
    assert desk.source_tape is not None
    desk.source_tape.append(np.tile(bursts(rate_hz), (N_CHANNELS, 1)))
    return desk


def _heard(desk: Desk) -> Audio:
    block = desk.input_tape.read(0, round(LENGTH_S * desk.sample_rate_hz))
    assert block is not None  # the tape is longer than all of it
    heard: Audio = block[ROW]
    return heard


def _wait(driver: CardDriver, desk: Desk) -> None:
    """Return when all of it was played."""
    n_samples = round(LENGTH_S * desk.sample_rate_hz)
    moved_s, before = time.monotonic(), 0
    while (position := desk.position) < n_samples:
        if driver.error is not None:
            raise driver.error
        if position > before:
            moved_s, before = time.monotonic(), position
        elif time.monotonic() - moved_s > STALLED_S:
            raise DeviceError(f"the sound card has stood still for {STALLED_S:.0f} s; try again")
        time.sleep(0.02)
