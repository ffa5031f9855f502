"""A card that runs a callback while nobody else gets the interpreter: prints how many blocks it moved and lost.

In a process of its own: PortAudio finds the JACK server by an environment variable. Arguments: the server's name, its
period in samples, and ``compiled`` for the callback of rtsep or ``python`` for one that needs the interpreter.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time

import jack
from jack_server import RATE_HZ
from small_desk import small_desk

from rtsep.desk import CALLBACK, Desk, _function
from rtsep.io.card_driver import CardDriver
from rtsep.io.cards import find_card

WATCH_S = 0.5  # many periods
N_SUMMED = 60_000_000  # a second or two, in one call that never lets go of the interpreter


def n_blocks(desk: Desk) -> int:
    return int(desk.state["n_blocks"])


@CALLBACK
def python_callback(*arguments: int) -> int:
    """The same, through the interpreter."""
    return int(_function(*arguments))


def lead(client: jack.Client, desk: Desk, period_samples: int) -> int:
    """How many cycles of the server were more than blocks of ours, at a moment when this cycle's block is done."""
    until_s = time.monotonic() + WATCH_S
    leads = []
    while time.monotonic() < until_s:
        leads.append(client.last_frame_time // period_samples - n_blocks(desk))
    return min(leads)


def main(server: str, period_samples: int, kind: str) -> None:
    desk = small_desk(RATE_HZ, is_from_card=True, n_card_outputs=2)
    address = (
        ctypes.cast(python_callback, ctypes.c_void_p).value if kind == "python" else desk.function_address
    )
    inputs, outputs = find_card("system", "input"), find_card("system", "output")
    state = desk.state_address
    driver = CardDriver(inputs, outputs, 2, 2, RATE_HZ, 0, address or 0, state, lambda: n_blocks(desk), 1024)
    client = jack.Client("watch", servername=server, no_start_server=True)
    driver.start()
    while n_blocks(desk) < 10:
        time.sleep(0.01)
    lead_before, blocks_before = lead(client, desk, period_samples), n_blocks(desk)
    sum(range(N_SUMMED))
    n_held = n_blocks(desk) - blocks_before
    n_lost = lead(client, desk, period_samples) - lead_before
    print(json.dumps({"n_lost": n_lost, "n_held": n_held}))
    driver.stop()
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
