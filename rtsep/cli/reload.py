"""Reading the settings of a session, and reading them anew while it plays."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.config import read_yaml
from rtsep.errors import ConfigError, RtsepError, UsageError
from rtsep.io.feedback import WARNING, may_howl
from rtsep.settings import LiveSettings

if TYPE_CHECKING:
    from rtsep.host import Host


#: Patterns of keys of the settings, and the options that set them.
OPTION_OF = {
    r"input\.source": "--input",
    r"model\.name": "--model",
    r"model\.update_hops": "--update-hops",
    r"model\.latency": "--latency",
    r"model\.lookahead_frames": "--lookahead",
    r"model\.context_frames": "--context",
    r"model\.precision": "--precision",
    r"mixer\.stems\.(\S+)\.gain_db": r"--gain \1",
    r"mixer\.stems\.(\S+)\.route": r"--route \1",
    r"output\.sink": "--output",
    r"output\.record": "--record",
    r"output\.record_format": "--record-format",
    r"output\.clock": "--clock",
    r"control\.stats_json": "--stats-json",
}


def read_settings(config: Path | None, options: Mapping[str, Any]) -> LiveSettings:
    """The settings of a file with the options over them.

    Raises
    ------
    ConfigError, UsageError
        The file, or an option, is not as it should be.
    """
    settings = read_yaml(config, LiveSettings) if config else LiveSettings()
    try:
        return settings.with_overrides(options)
    except ConfigError as error:
        raise UsageError(name_options(str(error))) from None


def name_options(text: str) -> str:
    """A complaint of the settings about the options: with their names in place of those of the keys."""
    for key, option in OPTION_OF.items():
        text = re.sub(rf"\b{key}(\.\d+)?(?=[: ])", option, text)
    return text


class Reloader:
    """Changes a session to what its settings say now, beside whoever looks at it.

    Parameters
    ----------
    host
        The session.
    read
        Gives its settings as they stand now.

    Attributes
    ----------
    message : str
        How far it is, or what went wrong; the music goes on in any case.
    """

    def __init__(self, host: Host, read: Callable[[], LiveSettings]) -> None:
        self._host, self._read = host, read
        self._thread: threading.Thread | None = None
        self.message = ""

    def start(self) -> None:
        """Begin; while one is under way it does nothing."""
        if self._thread is None or not self._thread.is_alive():
            self.message = "reading the settings anew ..."
            self._thread = threading.Thread(target=self._run, name="rtsep-reload", daemon=True)
            self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for what is under way; a session that ends does not keep it, but for a model that is being loaded."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self.message = self._change()
        except RtsepError as error:
            self.message = f"nothing changed: {error}"
        except Exception as error:  # it must not end unseen with its thread
            self.message = f"nothing changed, for an error in rtsep, which should be reported: {error!r}"

    def _change(self) -> str:
        host, cards = self._host, self._host.cards
        n_samples = host.change(self._read())
        ms = host.latency.ms(abs(n_samples))
        moved = f" {ms:.0f} ms were {'repeated' if n_samples > 0 else 'left out'}." if n_samples else ""
        is_odd = host.cards != cards and not host.settings.input.endpoint.is_desktop and may_howl(*host.cards)
        return f"The settings are read anew; {host.model_name} plays.{moved}{f' {WARNING}' if is_odd else ''}"
