"""What the callback works on, in memory that stays where it is: tapes, cables, limiter, meters, counters, and a chain.

The record `rtsep.callback.records.STATE` holds addresses; this owns what they point to, and is kept until the card has
let go.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsep.atomics import load_word, reload_word, store_word
from rtsep.callback import CHUNK_SAMPLES, callback, halves
from rtsep.callback.durations import N_STEPS, percentile_us
from rtsep.callback.events import JUMP, LATE, N_EVENTS, STARVED, SWITCH, XRUN
from rtsep.callback.limiter import ONE
from rtsep.callback.meters import falls, in_dbfs
from rtsep.callback.records import STATE
from rtsep.chain import MEMORY_S, Chain, put_tape
from rtsep.follower import Follower
from rtsep.reels import Reels
from rtsep.tape import Tape

REEL_S = 6.0  # the most of a file that may lie ready
SETTLING_S = 0.5  # xruns of a card that is only starting are counted apart
CROSS_FADE_S = 0.02

#: Fields of the state that point to a word of their own, which two threads look at.
WORDS = (
    "events_written",
    "incoming",
    "playing",
    "input_xruns",
    "input_xrun_at",
    "input_starved",
    "input_starved_end",
)

EVENT_NAMES = {LATE: "late", XRUN: "xrun", STARVED: "starved", SWITCH: "switch", JUMP: "jump"}


class Event(NamedTuple):
    """Something that happened.

    Attributes
    ----------
    position
        On the tapes: of what came in (xrun, starved), or of what is heard (late, switch).
    kind
        ``late``: stems were not there; ``xrun``: the card lost sound; ``starved``: the file was read too late;
        ``switch``: another chain plays from here on.
    n_samples
        For how long; of a switch, by how much the offset has grown.
    """

    position: int
    kind: str
    n_samples: int


@dataclass(frozen=True)
class Cable:
    """From a channel of the card, from 0, to a row of the input tape: 0 and 1 are the mixture, then direct inputs."""

    channel: int
    row: int
    gain: float = 1.0


@dataclass(frozen=True)
class Limit:
    """The limiter of the main bus; see `rtsep.callback.limiter`."""

    ceiling: float = 1.0
    lookahead_samples: int = 0
    release_s: float = 0.1


class Desk:
    """All that one card needs.

    Parameters
    ----------
    chain
        What is played first.
    input_tape
        Where it comes in: two rows for the mixture, and two for every direct input of the chain.
    sample_rate_hz
        The rate of all tapes.
    main
        Output channels of the main bus, from 0, one or two.
    cables
        From the card's inputs; none: no card input.
    n_card_inputs, n_card_outputs
        Channels of the card; 0: none.
    has_source
        Whether the mixture is a file, on reels.
    limit
        The main bus' limiter; None: none.
    follower
        Of two cards with a clock each: what leads the output to the input's tape. None: one clock.
    """

    def __init__(
        self,
        chain: Chain,
        input_tape: Tape,
        sample_rate_hz: int,
        main: tuple[int, ...],
        *,
        cables: tuple[Cable, ...] = (),
        n_card_inputs: int = 0,
        n_card_outputs: int = 0,
        has_source: bool = False,
        limit: Limit | None = None,
        follower: Follower | None = None,
    ) -> None:
        self.chain, self.sample_rate_hz = chain, sample_rate_hz
        self.n_outputs = chain.n_outputs
        self.main = main
        self._next: Chain | None = None
        memory = chain.offset_samples + round(MEMORY_S * sample_rate_hz)
        self.input_tape = input_tape
        self.sink_tape = Tape(self.n_outputs, memory)
        self.reels = Reels(round(REEL_S * sample_rate_hz)) if has_source else None
        self._records = np.zeros(1, STATE)
        self.state = self._records[0]
        self._n_told, self._late_told = 0, 0
        self._make_inputs(cables, n_card_inputs)
        self._make_outputs(n_card_outputs)
        self._make_limiter(limit or Limit(), main if limit else (-1,))
        self._make_words()
        self.follower = follower
        if follower is not None:
            self._make_follower(follower)

    def _make_follower(self, follower: Follower) -> None:
        state = self.state
        self._mixed = np.zeros((self.n_outputs, follower.most_in_samples), np.float32)
        self._converted = np.zeros((self.n_outputs, CHUNK_SAMPLES), np.float32)
        state["follower"], state["input_clock"] = follower.address, follower.input_clock.address
        state["mixed"], state["converted"] = self._mixed.ctypes.data, self._converted.ctypes.data
        state["most_mixed"] = follower.most_in_samples

    def _make_inputs(self, cables: tuple[Cable, ...], n_card_inputs: int) -> None:
        state = self.state
        put_tape(state, "input", self.input_tape)
        if self.reels is not None:
            state["reel"], state["playing_reel"] = self.reels.newest.address, self.reels.playing_address
            state["incoming_reel"] = self.reels.incoming_address
        self._cables = np.array([(cable.channel, cable.row) for cable in cables], np.int64).reshape(-1, 2)
        self._cable_gains = np.array([cable.gain for cable in cables], np.float32)
        state["n_input_rows"], state["n_card_inputs"] = self.input_tape.n_channels, n_card_inputs
        state["n_cables"] = len(cables)
        state["cables"], state["cable_gains"] = self._cables.ctypes.data, self._cable_gains.ctypes.data

    def _make_outputs(self, n_card_outputs: int) -> None:
        state = self.state
        put_tape(state, "sink", self.sink_tape)
        self._peaks = np.zeros(self.n_outputs, np.float32)
        self._squares = np.zeros_like(self._peaks)
        state["n_outputs"], state["n_card_outputs"] = self.n_outputs, n_card_outputs
        state["peaks"], state["squares"] = self._peaks.ctypes.data, self._squares.ctypes.data
        state["peak_fall"], state["rms_fall"] = falls(self.sample_rate_hz)

    def _make_limiter(self, limit: Limit, main: tuple[int, ...]) -> None:
        state, window = self.state, limit.lookahead_samples + 1
        self._needs, self._leaves = np.ones(window, np.float32), np.zeros(window, np.int64)
        self._gains = np.full(window, ONE, np.int64)
        self._delays = np.zeros((self.n_outputs, window), np.float32)
        state["main_left"], state["main_right"] = main[0], main[-1]
        state["ceiling"], state["limiter_gain"] = limit.ceiling, 1.0
        state["limiter_release"] = np.exp(-1 / (limit.release_s * self.sample_rate_hz))
        state["limiter_window"], state["limiter_sum"] = window, ONE * window
        for name in ("needs", "leaves", "gains", "delays"):
            state[f"limiter_{name}"] = getattr(self, f"_{name}").ctypes.data

    def _make_words(self) -> None:
        state = self.state
        self._events = np.zeros((N_EVENTS, 3), np.int64)
        self._durations = np.zeros(N_STEPS, np.int64)
        state["durations"] = self._durations.ctypes.data
        state["events"] = self._events.ctypes.data
        self._words = np.zeros(len(WORDS), np.int64)
        for k, name in enumerate(WORDS):
            state[name] = self._words[k:].ctypes.data
        state["chain"] = self.chain.address
        store_word(int(state["playing"]), self.chain.address)
        state["cross_samples"] = max(1, round(CROSS_FADE_S * self.sample_rate_hz))
        state["settled_position"] = round(SETTLING_S * self.sample_rate_hz)

    @property
    def function_address(self) -> int:
        """The C function, for a card with both ends, or the only one."""
        return int(callback.address or 0)

    @property
    def half_addresses(self) -> tuple[int, int]:
        """The C functions for two cards, input and output."""
        capture, playback = halves()
        return int(capture.address or 0), int(playback.address or 0)

    @property
    def state_address(self) -> int:
        """Its user data."""
        return int(self._records.ctypes.data)

    @property
    def source_tape(self) -> Tape | None:
        """Of a file: the tape that plays, or shall play next."""
        return self.reels.newest.tape if self.reels is not None else None

    @property
    def position(self) -> int:
        """Samples delivered so far."""
        return self.sink_tape.written

    @property
    def recorded(self) -> int:
        """Samples of the input so far; with two clocks the output does not follow at once."""
        return self.input_tape.written

    @property
    def lookahead_samples(self) -> int:
        """By how much the limiter delays all outputs."""
        return int(self.state["limiter_window"]) - 1

    @property
    def following_samples(self) -> int:
        """By how much an output with a clock of its own follows the input's tape; 0 with one clock."""
        return int(self.follower.states[0]["offset"]) if self.follower is not None else 0

    @property
    def offset_samples(self) -> int:
        """From the card's position back to what is heard."""
        return self.chain.offset_samples + self.lookahead_samples

    def call(self, n_samples: int) -> None:
        """Move one block without a card, on this thread and without the interpreter's lock."""
        _function(None, None, n_samples, None, 0, self.state_address)

    def fade_to(self, chain: Chain) -> None:
        """Have another chain take over, with a fade; `has_switched` says when it has. One at a time."""
        self._next = chain
        store_word(int(self.state["incoming"]), chain.address)

    def has_switched(self) -> bool:
        """Whether the chain that was handed over plays, and the one before is let go of."""
        if self._next is not None and load_word(int(self.state["playing"])) == self._next.address:
            self.chain, self._next = self._next, None
        return self._next is None

    def levels_dbfs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Peak and RMS in dBFS of the output channels."""
        return in_dbfs(self._peaks, self._squares)

    def durations_us(self) -> dict[str, float]:
        """How long the callback took: median, 99th percentile (both to 9 %) and longest call, in microseconds."""
        return {
            "p50": percentile_us(self._durations, 50),
            "p99": percentile_us(self._durations, 99),
            "max": int(self.state["longest_ns"]) / 1000,
        }

    def new_events(self) -> Iterator[Event]:
        """What has happened since the last call; of many more than a thousand events the oldest are left out.

        A late span that is not over yet comes in parts, and as a whole when it is.
        """
        position = self.position  # before the look at the chain: what goes on later did so here
        written = int(load_word(int(self.state["events_written"])))
        first = max(self._n_told, written - N_EVENTS)
        rows = [self._events[k % N_EVENTS].copy() for k in range(first, written)]
        oldest = int(reload_word(int(self.state["events_written"]))) - N_EVENTS + 1
        for k, row in enumerate(rows, first):
            if k >= oldest:
                yield Event(int(row[1]), EVENT_NAMES[int(row[0])], int(row[2]))
        self._n_told = written
        yield from self._late_now(position)

    def _late_now(self, position: int) -> Iterator[Event]:
        """The part of a late span up to a position of the card that was not told yet, if there is one."""
        chain = self.chain
        if load_word(int(self.state["playing"])) != chain.address:
            return  # another one has taken over, and its end is among the events
        begun, heard = int(chain.record["late_start"]), position - chain.offset_samples
        start = max(begun, self._late_told)
        if begun >= 0 and start < heard:
            self._late_told = heard
            yield Event(start, "late", heard - start)


CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
)


def c_function(address: int) -> Callable[..., int]:
    """A C callback for whoever calls it from Python: blocks, samples, time, flags, and the address of a state."""
    return CALLBACK(address)


_function = c_function(int(callback.address or 0))
