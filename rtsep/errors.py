"""The error tree: everything that a person can mend.

Every message says what was given, what is allowed and what to do. The command line prints the message
alone and exits with the class's ``exit_code``: 1 failed, 2 used wrongly.

::

    RtsepError                  1
    ├── UsageError              2   the command or the call was put together wrongly
    │   └── ConfigError         2   a key or a value of a YAML or JSON file
    ├── AudioFileError          1   a file that cannot be read or written
    ├── ModelError              1   a model that is not there or not usable
    │   ├── CheckpointError     1   a checkpoint that is damaged, foreign or mismatched
    │   └── DownloadError       1   a download that did not arrive whole
    ├── DeviceError             1   a sound card or a computing device
    │   ├── CardBusyError       1   a sound card that somebody else has, perhaps we ourselves
    │   └── CardLostError       1   a sound card that played and does not any more
    └── TrainingError           1   data that cannot be trained on
"""

from __future__ import annotations


class RtsepError(Exception):
    """Something a person can mend; the message says how."""

    exit_code = 1


class UsageError(RtsepError, ValueError):
    """The command or the call was put together wrongly."""

    exit_code = 2


class ConfigError(UsageError):
    """A key or a value of a configuration file is not allowed."""


class AudioFileError(RtsepError):
    """An audio file cannot be read or written."""


class ModelError(RtsepError):
    """A model is missing, or is not what it says it is."""


class CheckpointError(ModelError):
    """A checkpoint is truncated, damaged, foreign or does not fit the network."""


class DownloadError(ModelError):
    """A download did not arrive, or not whole."""


class DeviceError(RtsepError):
    """A sound card or a computing device is missing, or refuses what was asked of it."""


class CardBusyError(DeviceError):
    """A sound card cannot be opened for it is open already, by another program or by another stream of this one."""


class CardLostError(DeviceError):
    """A sound card that played does not play any more.

    Parameters
    ----------
    message
        What happened, and what to do.
    since_s
        When it played last, as far as is known, by `time.monotonic`.
    """

    def __init__(self, message: str, since_s: float) -> None:
        super().__init__(message)
        self.since_s = since_s


class TrainingError(RtsepError):
    """Training data or a training checkpoint cannot be used."""
