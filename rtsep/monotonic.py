"""A clock for compiled code: no lock, no memory, no object of the interpreter.

`now_ns` calls the system's monotonic clock by its name, which numba keeps; an address would be another one in the
next process. It is the clock of `time.perf_counter_ns`::

    Linux     clock_gettime(CLOCK_MONOTONIC)
    macOS     clock_gettime_nsec_np(CLOCK_UPTIME_RAW), which is mach_absolute_time in nanoseconds
    Windows   QueryPerformanceCounter over QueryPerformanceFrequency
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_INT = ir.IntType(32)
_WORD = ir.IntType(64)
_NS_PER_S = _WORD(1_000_000_000)
# <time.h> of Linux and macOS; a 64-bit system's timespec is two words, seconds and nanoseconds.
_CLOCK_MONOTONIC = _INT(1)
_CLOCK_UPTIME_RAW = _INT(8)


def _declare(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _linux(builder: Any) -> Any:
    function = _declare(builder, "clock_gettime", _INT, _INT, _WORD.as_pointer())
    # In the entry block: a loop around the clock must not grow the stack.
    timespec = cgutils.alloca_once(builder, _WORD, size=2)
    builder.call(function, [_CLOCK_MONOTONIC, timespec])
    seconds, nanoseconds = (builder.load(builder.gep(timespec, [_INT(i)])) for i in range(2))
    return builder.add(builder.mul(seconds, _NS_PER_S), nanoseconds)


def _macos(builder: Any) -> Any:
    function = _declare(builder, "clock_gettime_nsec_np", _WORD, _INT)
    return builder.call(function, [_CLOCK_UPTIME_RAW])


def _windows(builder: Any) -> Any:
    values = []
    for name in ("QueryPerformanceCounter", "QueryPerformanceFrequency"):
        word = cgutils.alloca_once(builder, _WORD)
        builder.call(_declare(builder, name, _INT, _WORD.as_pointer()), [word])
        values.append(builder.load(word))
    ticks, ticks_per_s = values
    # Ticks times 10⁹ would overflow after a quarter of an hour: whole seconds first.
    seconds, rest = builder.sdiv(ticks, ticks_per_s), builder.srem(ticks, ticks_per_s)
    return builder.add(
        builder.mul(seconds, _NS_PER_S), builder.sdiv(builder.mul(rest, _NS_PER_S), ticks_per_s)
    )


#: `sys.platform` to what makes the call, given an llvmlite builder.
SYSTEMS = {"linux": _linux, "darwin": _macos, "win32": _windows}


@intrinsic
def now_ns(typing_context: Any) -> Any:
    """Nanoseconds since some moment before the program began; never less than before. For compiled code only."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return SYSTEMS[sys.platform](builder)

    return types.int64(), generate
