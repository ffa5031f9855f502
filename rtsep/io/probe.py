"""Whether sound cards are there, asked in a process of its own.

PortAudio lists the cards once in a process, and waits without end for a server that hangs; a process can be ended.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from rtsep.errors import DeviceError
from rtsep.io.cards import Direction, find_card

MOST_S = 10


class Probe:
    """Asks once.

    Parameters
    ----------
    wanted
        Direction to name, as for `find_card`.
    """

    def __init__(self, wanted: Mapping[Direction, str]) -> None:
        self._until_s = time.monotonic() + MOST_S
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *(word for pair in wanted.items() for word in pair)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def answer(self) -> bool | None:
        """Whether all are there; None: no answer yet."""
        code = self._process.poll()
        if code is None and time.monotonic() < self._until_s:
            return None
        self.close()
        return code == 0

    def close(self) -> None:
        """Do not wait for an answer any more."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Look for the cards of the command line: directions and names in turn; exit code 0: all are there."""
    if hasattr(signal, "alarm"):
        signal.alarm(MOST_S)  # also without whoever asked
    wanted = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    try:
        for direction, name in wanted:
            find_card(name, "input" if direction == "input" else "output")
    except DeviceError:
        sys.exit(1)


if __name__ == "__main__":
    main()
