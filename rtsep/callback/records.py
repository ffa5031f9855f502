"""The memory of the callback: two records of addresses and numbers, and how compiled code reaches them."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, njit, types
from numba.extending import intrinsic

CHUNK_SAMPLES = 256
FADE_SAMPLES = 64  # linear: the two signals are nearly the same, equal power would bump by 3 dB
SPLICE_SAMPLES = 256  # of a file's tape: two places of a song are not the same, and shall not click

REEL_SAMPLES, REEL_WRITTEN, REEL_MASK, REEL_START, N_REEL_WORDS = range(5)
"""The words of a reel (`rtsep.reels`): a tape, and the position from which on it is played."""


def _tape(name: str) -> list[tuple[str, type]]:
    """A tape: address of the samples, of the published word, and capacity − 1; address 0 is no tape."""
    return [(f"{name}_{part}", np.int64) for part in ("samples", "written", "mask")]


CHAIN = np.dtype(
    [
        *_tape("stem"),
        ("n_stems", np.int64),
        ("n_directs", np.int64),
        ("n_rows", np.int64),
        ("n_outputs", np.int64),
        ("offset", np.int64),
        # The matrix: what is published, and where the gains are on their way there.
        ("slots", np.int64),
        ("word", np.int64),
        ("front", np.int64),
        ("gains", np.int64),
        ("steps", np.int64),
        ("ramp_samples", np.int64),
        ("ramp_left", np.int64),
        # Scratch and meters.
        ("rows", np.int64),
        ("outputs", np.int64),
        ("peaks", np.int64),
        ("squares", np.int64),
        # The fade between stems and mixture.
        ("fade", np.float64),
        ("checked", np.int64),
        ("late_now", np.int64),
        ("late_start", np.int64),
    ],
    align=True,
)
"""What is played: stems at an offset, through a matrix. Arrays: `slots` ``(3, rows, outputs)``, `gains` and `steps`
``(rows, outputs)``, `rows` ``(rows, chunk)``, `outputs` ``(outputs, chunk)``, `peaks` and `squares` ``(rows,)``."""

STATE = np.dtype(
    [
        ("position", np.int64),
        ("settled_position", np.int64),
        # Of two cards with a clock each: the follower, the input's clock, and what is mixed for a chunk of output.
        ("follower", np.int64),
        ("input_clock", np.int64),
        # Words that the input writes: how many xruns, and where the last one was; how many samples a file did not have
        # in time, and where the last of them ended.
        ("input_xruns", np.int64),
        ("input_xrun_at", np.int64),
        ("input_starved", np.int64),
        ("input_starved_end", np.int64),
        ("mixed", np.int64),
        ("most_mixed", np.int64),
        ("converted", np.int64),
        # What comes in: cables ``(n, 2)`` of card channel and tape row, and their gains.
        *_tape("input"),
        ("n_input_rows", np.int64),
        ("n_card_inputs", np.int64),
        ("n_cables", np.int64),
        ("cables", np.int64),
        ("cable_gains", np.int64),
        # A file: the reel that plays, the next one while it fades in, and words for the transport; 0 is no file.
        ("reel", np.int64),
        ("next_reel", np.int64),
        ("incoming_reel", np.int64),
        ("playing_reel", np.int64),
        ("spliced", np.int64),
        # What is played: the address of a chain, that of the next one while it fades in, and words for the host.
        ("chain", np.int64),
        ("next_chain", np.int64),
        ("incoming", np.int64),
        ("playing", np.int64),
        ("cross", np.int64),
        ("cross_samples", np.int64),
        ("bypass", np.int64),
        # What goes out.
        *_tape("sink"),
        ("n_outputs", np.int64),
        ("n_card_outputs", np.int64),
        ("peaks", np.int64),
        ("squares", np.int64),
        ("peak_fall", np.float64),
        ("rms_fall", np.float64),
        # The limiter of the main bus; see `rtsep.callback.limiter`.
        ("main_left", np.int64),
        ("main_right", np.int64),
        ("ceiling", np.float32),
        ("limiter_release", np.float64),
        ("limiter_gain", np.float64),
        ("limiter_window", np.int64),
        ("limiter_at", np.int64),
        ("limiter_busy", np.int64),
        ("limiter_sum", np.int64),
        ("limiter_needs", np.int64),
        ("limiter_leaves", np.int64),
        ("limiter_now", np.int64),
        ("limiter_head", np.int64),
        ("limiter_tail", np.int64),
        ("limiter_gains", np.int64),
        ("limiter_delays", np.int64),
        # What is counted.
        ("events", np.int64),
        ("events_written", np.int64),
        ("n_blocks", np.int64),
        # What the card moves at once, in one call or several: since when by its clock, how much, and the most.
        ("block_time_s", np.float64),
        ("block_samples", np.int64),
        ("longest_block", np.int64),
        ("n_late_blocks", np.int64),
        ("n_late_samples", np.int64),
        ("n_xruns", np.int64),
        ("n_input_xruns", np.int64),
        ("n_xruns_at_start", np.int64),
        ("n_starved_samples", np.int64),
        ("n_limited_samples", np.int64),
        ("n_switches", np.int64),
        ("durations", np.int64),
        ("longest_ns", np.int64),
    ],
    align=True,
)
"""One card, or what stands in for it. Arrays: `cables` int64 ``(cables, 2)``, `cable_gains` ``(cables,)``, `peaks` and
`squares` ``(outputs,)``; those of the limiter, `events` and `durations` are described where they are used."""

STATE_POINTER = types.CPointer(from_dtype(STATE))
_CHAIN_POINTER = types.CPointer(from_dtype(CHAIN))

#: How everything in this room is compiled. All becomes one function, so that LLVM sees that nothing in it raises and
#: leaves out numba's branch for that, which takes the interpreter's lock. Only the whole is kept on the disk.
inner = njit(error_model="numpy", nogil=True, forceinline=True)


@intrinsic
def chain_pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer to a `CHAIN`, for `numba.carray`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(_CHAIN_POINTER))

    return _CHAIN_POINTER(types.int64), generate


@intrinsic
def word_pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer to int64, for `numba.carray`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), generate
