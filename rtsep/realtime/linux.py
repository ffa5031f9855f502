"""Linux: ``SCHED_FIFO`` within the user's limits, else from rtkit, else a better nice value.

Any real-time priority goes before every ordinary thread; the number only says who of the real-time threads yields to
whom. So the engine takes a low one. The threads that feed the card stand at 5 (PulseAudio, and clients of a JACK server
with its default of 10) to 88 (PipeWire), and must come first: an update takes ten milliseconds, a block perhaps one.

A real-time thread that never sleeps takes the whole core. Against that there is a limit of its own, ``RLIMIT_RTTIME``,
which rtkit demands as well: whoever computes for longer than that without sleeping gets a signal, which is answered
here by making that thread an ordinary one (`_demote`).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from rtsep.realtime import rtkit
from rtsep.realtime.grant import Grant, Level

assert sys.platform == "linux"  # for the type checker: the rest is for no other

PRIORITY: dict[Level, int] = {"audio": 8, "engine": 3, "helper": 3}
NICE: dict[Level, int] = {"audio": -15, "engine": -11, "helper": -11}
HARD_US = 200_000  # without sleeping, at a real-time priority: what rtkit grants at most by default,
SOFT_US = 150_000  # and when a thread that is on the way to it is demoted
ORDINARY = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK  # who has no privileges must leave the flag where it is

_TASKS = Path("/proc/self/task")
_LOCK_CURRENT, _LOCK_FUTURE, _LOCK_ON_FAULT = 1, 2, 4  # <sys/mman.h>
# What the handler hands to the kernel, for as long as it may be called: a sched_param, and two limits.
_no_priority, _limit = ctypes.c_int(0), (ctypes.c_ulong * 2)()
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mlockall.argtypes, _libc.mlockall.restype = [ctypes.c_int], ctypes.c_int
_libc.munlockall.argtypes, _libc.munlockall.restype = [], ctypes.c_int
_libc.signal.argtypes, _libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p


class Linux:
    """See `rtsep.realtime.grant.System`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_prepared = 0

    def ask(self, level: Level, thread: threading.Thread, period_s: float) -> Grant:
        """Raise a thread."""
        return _raise(level, thread.native_id or 0)

    def give_back(self, thread: threading.Thread) -> None:
        """Make it an ordinary one."""
        tid = thread.native_id or 0
        try:
            os.sched_setscheduler(tid, ORDINARY, os.sched_param(0))
            if os.getpriority(os.PRIO_PROCESS, tid) < 0:
                os.setpriority(os.PRIO_PROCESS, tid, 0)
        except OSError:  # it has ended
            pass

    @contextmanager
    def prepared(self) -> Iterator[Grant]:
        """Keep what is in memory there, and be ready to demote whoever does not sleep."""
        guard()
        with self._lock:
            self._n_prepared += 1
            grant = _lock_memory()
        try:
            yield grant
        finally:
            with self._lock:
                self._n_prepared -= 1
                if self._n_prepared == 0:
                    _libc.munlockall()

    def native_ids(self) -> set[int]:
        """All threads of this process that are not Python's."""
        known = {thread.native_id for thread in threading.enumerate()}
        return {int(entry.name) for entry in _TASKS.iterdir()} - known if _TASKS.is_dir() else set()

    def raise_natives(self, ids: set[int]) -> None:
        """PortAudio leaves its thread for ALSA an ordinary one; JACK and PipeWire raise their own.

        Where one of them is raised already, their library knows what it does.
        """
        ids &= self.native_ids()  # others may have ended
        if not any(_is_realtime(tid) for tid in ids):
            for tid in ids:
                _raise("audio", tid)


def _raise(level: Level, tid: int) -> Grant:
    """Try one way after the other."""
    guard()
    priority, nice = PRIORITY[level], NICE[level]
    by_limits = _fifo(tid, priority)
    if by_limits is None:
        return Grant(f"SCHED_FIFO {priority}", True)
    by_rtkit = _by_rtkit(tid, priority)
    if by_rtkit is None:
        return Grant(f"SCHED_RR {priority} by rtkit", True)
    refused = f"real time was refused by the limits: {by_limits}, by rtkit: {by_rtkit}"
    if _nice(tid, nice) is None:
        return Grant(f"nice {nice}", False, refused)
    if rtkit.make_nice(tid, nice) is None:
        return Grant(f"nice {nice} by rtkit", False, refused)
    return Grant(refused=refused)


def _fifo(tid: int, priority: int) -> str | None:
    """The real-time class, within RLIMIT_RTPRIO; why not, if not. What the thread starts is ordinary again."""
    try:
        os.sched_setscheduler(tid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return error.strerror or str(error)
    return None


def _nice(tid: int, nice: int) -> str | None:
    """On Linux every thread has a nice value of its own."""
    try:
        os.setpriority(os.PRIO_PROCESS, tid, nice)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _is_realtime(tid: int) -> bool:
    try:
        return os.sched_getscheduler(tid) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_FIFO, os.SCHED_RR)
    except OSError:  # it has ended
        return False


def may_lock_memory() -> bool:
    """Whether all memory that this process will ever have may be kept in RAM: a part of it would not do."""
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY


def _lock_memory() -> Grant:
    """Have no page written out any more, once it is there."""
    if not may_lock_memory():
        limit_bytes = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        return Grant(
            refused=f"memory is not locked: RLIMIT_MEMLOCK is {limit_bytes // 1024} KiB, not unlimited"
        )
    if _libc.mlockall(_LOCK_CURRENT | _LOCK_FUTURE | _LOCK_ON_FAULT):
        return Grant(refused=f"memory is not locked: {os.strerror(ctypes.get_errno())}")
    return Grant("memory locked", True)


@cache  # the handler stays for ever
def guard() -> None:
    """Have a real-time thread that computes for too long without sleeping demoted."""
    _libc.signal(signal.SIGXCPU, _demote().address)
    _set_limit(resource.getrlimit(resource.RLIMIT_RTTIME)[1])


def _set_limit(hard_us: int) -> None:
    """RLIMIT_RTTIME: the signal well before the end."""
    soft_us = SOFT_US if hard_us == resource.RLIM_INFINITY else min(SOFT_US, 3 * hard_us // 4)
    _limit[:] = [soft_us, hard_us & ctypes.c_ulong(-1).value]
    resource.setrlimit(resource.RLIMIT_RTTIME, (soft_us, hard_us))


def _by_rtkit(tid: int, priority: int) -> str | None:
    """The real-time class from rtkit, which wants a process that the kernel would kill if it did not let go."""
    hard_us = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
    if hard_us == resource.RLIM_INFINITY or hard_us > HARD_US:
        _set_limit(HARD_US)
    return rtkit.make_realtime(tid, priority)


def _demote() -> Any:
    """The handler of SIGXCPU: compiled, for the interpreter may be what the thread is waiting for.

    The kernel sends the signal to the thread that has earned it (0 is whoever calls), and moves the soft limit, which
    is put back for the others.
    """
    from numba import cfunc, types

    set_scheduler = types.ExternalFunction(
        "sched_setscheduler", types.int32(types.int32, types.int32, types.intp)
    )
    set_limit = types.ExternalFunction("setrlimit", types.int32(types.int32, types.intp))
    ordinary, parameters = ORDINARY, ctypes.addressof(_no_priority)
    which, limit = resource.RLIMIT_RTTIME, ctypes.addressof(_limit)

    @cfunc("void(int32)")
    def demote(number: int) -> None:
        set_scheduler(0, ordinary, parameters)
        set_limit(which, limit)

    return demote
