"""Words that two threads share: load with acquire, store with release, exchange.

What is written before a release is seen by whoever acquires the word after it, on ARM as on x86. LLVM's atomics do
it; numba compiles them into whatever calls them. Addresses are plain integers, the words are int64 and aligned.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

FRESH = 4  # in an exchanged word, beside the number of a slot: not taken yet
SLOT = 3  # the bits of the number
_WORD = ir.IntType(64)
_ALIGN_BYTES = 8


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@intrinsic
def load_acquire(typing_context: Any, address: Any) -> Any:
    """The word at `address`; nothing after this is read before it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0]), "acquire", _ALIGN_BYTES)

    return types.int64(types.int64), generate


@intrinsic
def store_release(typing_context: Any, address: Any, value: Any) -> Any:
    """Put `value` at `address`; all that was written before is seen with it, and nothing written after before it.

    The second half is the fence: a bare release lets later writes pass it, and a tape's reader could meet samples
    whose announcement it has not seen.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[1], _pointer(builder, arguments[0]), "release", _ALIGN_BYTES)
        builder.fence("release")
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def exchange(typing_context: Any, address: Any, value: Any) -> Any:
    """Put `value` at `address` and return what was there, in one step."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("xchg", _pointer(builder, arguments[0]), arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def fence_acquire(typing_context: Any) -> Any:
    """What is read after this is read after all that was read before it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("acquire")
        return context.get_dummy_value()

    return types.void(), generate


@njit("int64(int64)", nogil=True, cache=True)
def load_word(address: int) -> int:
    """`load_acquire` for Python."""
    return load_acquire(address)  # type: ignore[no-any-return]


@njit("void(int64, int64)", nogil=True, cache=True)
def store_word(address: int, value: int) -> None:
    """`store_release` for Python."""
    store_release(address, value)


@njit("int64(int64, int64)", nogil=True, cache=True)
def exchange_word(address: int, value: int) -> int:
    """`exchange` for Python."""
    return exchange(address, value)  # type: ignore[no-any-return]


@njit("int64(int64)", nogil=True, cache=True)
def reload_word(address: int) -> int:
    """A load that comes after all reads before it: how a reader finds out that it was overtaken."""
    fence_acquire()
    return load_acquire(address)  # type: ignore[no-any-return]


@intrinsic
def float_pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer to float32, for `numba.carray`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.FloatType().as_pointer())

    return types.CPointer(types.float32)(types.int64), generate


@intrinsic
def void_pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer to whatever `numba.carray` is told: ``carray(void_pointer(a), 1, RECORD)[0]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate
