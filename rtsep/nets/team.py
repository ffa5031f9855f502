"""Threads that work on one call together and meet without the interpreter.

A thread of Python's that waits for another takes the interpreter's lock when it wakes up, and beside a busy thread
that takes milliseconds each time. The helpers here enter compiled code once and stay there: they sleep on, and are
woken by, the plain locks of Python's own thread library (``PyThread_acquire_lock``, part of the stable ABI), which
know nothing of the interpreter::

    caller    wake ───────────▶ its share ─────────────▶ wait for all
    helpers   sleep ─▶ share, meeting the others ─▶ tell, sleep

Where the shares of one job depend on each other, the threads `meet`: each counts up a word of its own and waits until
all words are there, awake for the microseconds that it takes, then asleep: the other may be waiting for this core.

All that compiled code needs of a team stands in one array, its *board*::

    members | acquire, release: addresses of functions | 2 locks per helper: wake, done | a word per member
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rtsep.atomics import load_acquire, store_release
from rtsep.realtime import HELPER_NAME, start_helper

STOP = 0
"""The word of an order that tells helpers to return."""

_MEMBERS, _ACQUIRE, _RELEASE, _LOCKS = range(4)  # places on a board
_LINE_WORDS = 8  # every member's word has a cache line of its own
_WORD_BYTES = 8
_N_SPINS = 20_000  # some ten microseconds
_NAP_US = 50
_I32, _I64 = ir.IntType(32), ir.IntType(64)

_python = ctypes.pythonapi
_python.PyThread_allocate_lock.restype = ctypes.c_void_p


def _address(function: Any) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


@intrinsic
def _acquire(typing_context: Any, function: Any, lock: Any, microseconds: Any) -> Any:
    """``PyThread_acquire_lock_timed(lock, microseconds, 0)`` at an address; below 0 is for ever."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_I32, [_I64, _I64, _I32]).as_pointer()
        function, lock, microseconds = arguments
        builder.call(builder.inttoptr(function, kind), [lock, microseconds, ir.Constant(_I32, 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic
def _release(typing_context: Any, function: Any, lock: Any) -> Any:
    """``PyThread_release_lock(lock)`` at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_I64]).as_pointer()
        builder.call(builder.inttoptr(arguments[0], kind), [arguments[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


_inner = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True)  # called by compiled code only


@_inner
def wake(board: Any) -> None:
    """Let all helpers begin."""
    for helper in range(board[_MEMBERS] - 1):
        _release(board[_RELEASE], board[_LOCKS + 2 * helper])


@_inner
def wait(board: Any) -> None:
    """Sleep until all helpers are done."""
    for helper in range(board[_MEMBERS] - 1):
        _acquire(board[_ACQUIRE], board[_LOCKS + 2 * helper + 1], -1)


@_inner
def sleep(board: Any, member: int) -> None:
    """A helper: wait until there is something to do."""
    _acquire(board[_ACQUIRE], board[_LOCKS + 2 * (member - 1)], -1)


@_inner
def tell(board: Any, member: int) -> None:
    """A helper: say that it is done."""
    _release(board[_RELEASE], board[_LOCKS + 2 * (member - 1) + 1])


@_inner
def meet(board: Any, member: int, n_members: int) -> None:
    """Go on when all members have come here."""
    if n_members == 1:
        return
    words = board.ctypes.data + _WORD_BYTES * (_LOCKS + 2 * (board[_MEMBERS] - 1))
    mine = words + _WORD_BYTES * _LINE_WORDS * member
    count = load_acquire(mine) + 1
    store_release(mine, count)
    for other in range(n_members):
        n_spins = 0
        while load_acquire(words + _WORD_BYTES * _LINE_WORDS * other) < count:
            n_spins += 1
            if n_spins > _N_SPINS:  # the last lock is nobody's: to wait for it is to sleep
                _acquire(board[_ACQUIRE], board[len(board) - 1], _NAP_US)


class Team:
    """A caller and its helpers.

    Parameters
    ----------
    n_members
        Threads in all, the caller's included.

    Attributes
    ----------
    board
        For `wake`, `wait`, `sleep`, `tell` and `meet`.
    """

    def __init__(self, n_members: int) -> None:
        self.n_members = n_members
        self._locks = [_new_lock() for _ in range(2 * (n_members - 1) + 1)]
        *pairs, nobodys = self._locks
        functions = [_address(_python.PyThread_acquire_lock_timed), _address(_python.PyThread_release_lock)]
        words = [0] * (_LINE_WORDS * n_members)
        self.board: NDArray[np.int64] = np.array([n_members, *functions, *pairs, *words, nobodys], np.int64)
        self._threads: list[threading.Thread] = []

    def start(self, serve: Callable[[int], None]) -> None:
        """Let every helper run `serve` with its number, from 1 on."""
        for member in range(1, self.n_members):
            thread = threading.Thread(target=serve, args=(member,), name=HELPER_NAME, daemon=True)
            start_helper(thread)
            self._threads.append(thread)

    def end(self) -> None:
        """Wake the helpers, who know that they shall return, and free what they slept on."""
        for lock in self._locks[: 2 * (self.n_members - 1) : 2]:
            _python.PyThread_release_lock(ctypes.c_void_p(lock))
        for thread in self._threads:
            thread.join()
        for lock in self._locks:
            _python.PyThread_free_lock(ctypes.c_void_p(lock))
        self._locks.clear()


def _new_lock() -> int:
    """A lock that is taken: whoever acquires it sleeps until it is released."""
    lock = _python.PyThread_allocate_lock()
    _python.PyThread_acquire_lock(ctypes.c_void_p(lock), 1)
    return int(lock)


def end_team(order: NDArray[np.int64], team: Team) -> None:
    """Let a team's helpers return; for `weakref.finalize`, which does it once."""
    order[STOP] = 1
    team.end()


def compile_apart(*functions: tuple[Any, tuple[Any, ...]]) -> None:
    """Compile functions for the types of their arguments, in a thread that no signal interrupts.

    Ctrl-C in the midst of numba's own bookkeeping leaves that broken, and comes out as another error.
    """
    errors: list[Exception] = []

    def work() -> None:
        try:
            for function, signature in functions:
                function.compile(signature)
        except Exception as error:  # raised again where somebody can answer it
            errors.append(error)

    thread = threading.Thread(target=work, name="rtsep-compile", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
