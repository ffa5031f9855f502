"""What a loop-back cable has shown: the round trip of each pair of cards, kept in the user's configuration.

Cards report their latency as their drivers see it; converters, resamplers of the system and buffers of a USB chip are
often missing there. ``rtsep live --measure-latency`` leaves here what it found, and sessions on the same cards, at the
same rate and block, tell that in place of what the card reports.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rtsep.config import Strict, read_yaml, user_folder, write_yaml
from rtsep.errors import ConfigError
from rtsep.io.cards import Card

FILE_NAME = "cards.yaml"


class RoundTrip(Strict):
    """From an output of a card through a cable to an input, in samples of its rate.

    `reported_samples` is what the cards said of themselves, `spread_samples` the largest difference between
    measurements of which `samples` is the median.
    """

    samples: int
    reported_samples: int
    spread_samples: int = 0


class RoundTrips(Strict):
    """What the file holds: by the key of `key_of`."""

    cards: dict[str, RoundTrip] = Field(default_factory=dict)


def key_of(inputs: Card, outputs: Card, sample_rate_hz: int, block_samples: int) -> str:
    """What a measurement is of; `block_samples` as the settings say it, 0 where the card decides."""
    return f"{outputs.full_name} to {inputs.full_name}, {sample_rate_hz} Hz, block {block_samples or 'free'}"


def cards_path() -> Path:
    """Where the measurements of this user lie."""
    return user_folder() / FILE_NAME


def read_round_trips() -> dict[str, RoundTrip]:
    """All that was measured; nothing if there is no file."""
    path = cards_path()
    try:
        return read_yaml(path, RoundTrips).cards if path.is_file() else {}
    except ConfigError:  # of an older or a newer rtsep: measured again
        return {}


def store_round_trip(key: str, found: RoundTrip) -> Path:
    """Keep a measurement, in place of an earlier one.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    path, before = cards_path(), read_round_trips()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_yaml(path, RoundTrips(cards={**before, key: found}))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}. $RTSEP_CONFIG names another folder."
        ) from error
    return path
