"""Reading the settings of a session anew while it plays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from rtsep.errors import RtsepError

if TYPE_CHECKING:
    from rtsep.host import Host
    from rtsep.settings import LiveSettings


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
            self._thread = threading.Thread(target=self._change, name="rtsep-reload", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Wait for what is under way; a session that ends does not keep it."""
        if self._thread is not None:
            self._thread.join()

    def _change(self) -> None:
        before = self._host.latency
        try:
            self._host.change(self._read())
        except RtsepError as error:
            self.message = f"nothing changed: {error}"
            return
        after = self._host.latency
        n_samples = after.total_samples - before.total_samples
        told = f" {after.ms(abs(n_samples)):.0f} ms were {'repeated' if n_samples > 0 else 'left out'}."
        self.message = (
            f"The settings are read anew; {self._host.model_name} plays.{told if n_samples else ''}"
        )
