"""``rtsep live --measure-latency``: what a card itself adds, through a loop-back cable."""

from __future__ import annotations

from rtsep.cli.console import say
from rtsep.settings import LiveSettings


def measure(settings: LiveSettings) -> None:
    """Measure the cards of a session, tell what was found, and keep it for later sessions.

    Raises
    ------
    RtsepError
        There is no card, or no round trip that can be trusted; nothing is kept then.
    """
    from rtsep.card_latency import store_round_trip
    from rtsep.loopback import N_BURSTS, measure_loop, open_loop

    loop, ends = open_loop(settings)
    say(
        f"{N_BURSTS} bursts of noise leave through output {loop.output_channel} of {loop.outputs.full_name}; a cable "
        f"should bring them to input {loop.input_channel} of {loop.inputs.full_name}. Mind loudspeakers and ears."
    )
    found = measure_loop(loop, ends)
    ms = 1000 / loop.sample_rate_hz
    beyond = found.samples - found.reported_samples
    say(
        f"Round trip at {loop.sample_rate_hz} Hz: {found.samples} samples ({found.samples * ms:.1f} ms), which is "
        f"{beyond:+d} ({beyond * ms:+.1f} ms) against the {found.reported_samples} that the card reports. "
        f"Spread of {N_BURSTS} measurements: {found.spread_samples}."
    )
    path = store_round_trip(loop.key, found)
    say(f"Kept in {path}; sessions on this card at this rate show it as `card measured`.")
