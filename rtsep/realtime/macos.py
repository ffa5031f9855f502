"""macOS: a thread that computes so much in every so long, as Core Audio's own are; else the quality of service.

The audio workgroup of a device would have to come from PortAudio, which does not ask for it. Written from
``<mach/thread_policy.h>`` and ``<pthread/qos.h>``.
"""

from __future__ import annotations

import ctypes
import threading
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from rtsep.realtime.grant import Grant, Level, nothing

TIME_CONSTRAINT, STANDARD = 2, 1  # THREAD_TIME_CONSTRAINT_POLICY, THREAD_STANDARD_POLICY
USER_INTERACTIVE = 0x21  # QOS_CLASS_USER_INTERACTIVE
SHARE = {
    "audio": 0.25,
    "engine": 0.5,
    "helper": 0.5,
}  # of the period: the most that a burst is expected to take
MOST_S = 0.05  # the kernel takes no longer bursts


class Constraint(ctypes.Structure):
    """``thread_time_constraint_policy_data_t``, in ticks of `mach_absolute_time`."""

    _fields_ = (
        ("period", ctypes.c_uint32),
        ("computation", ctypes.c_uint32),
        ("constraint", ctypes.c_uint32),
        ("preemptible", ctypes.c_int32),
    )


class Timebase(ctypes.Structure):
    """``mach_timebase_info_data_t``: nanoseconds per tick are numer / denom."""

    _fields_ = (("numer", ctypes.c_uint32), ("denom", ctypes.c_uint32))


def constraint(level: Level, period_s: float, ticks_per_s: float) -> Constraint:
    """What a thread of a level is going to need: `SHARE` of its period, any time within it."""
    computation_s = min(SHARE[level] * period_s, MOST_S)
    ticks = [min(round(s * ticks_per_s), 2**32 - 1) for s in (period_s, computation_s, period_s)]
    return Constraint(*ticks, 1)


@cache
def _system() -> Any:
    """The C library, its types declared."""
    library = ctypes.CDLL("/usr/lib/libSystem.B.dylib")
    library.pthread_mach_thread_np.argtypes = [ctypes.c_void_p]
    library.pthread_mach_thread_np.restype = ctypes.c_uint32
    library.thread_policy_set.argtypes = [ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32]
    library.thread_policy_set.restype = ctypes.c_int
    library.pthread_set_qos_class_self_np.argtypes = [ctypes.c_uint, ctypes.c_int]
    library.pthread_set_qos_class_self_np.restype = ctypes.c_int
    library.mach_timebase_info.argtypes, library.mach_timebase_info.restype = [ctypes.c_void_p], ctypes.c_int
    return library


class MacOS:
    """See `rtsep.realtime.grant.System`."""

    def ask(self, level: Level, thread: threading.Thread, period_s: float) -> Grant:
        """Raise a thread; the quality of service only a thread itself may choose."""
        base = Timebase()
        _system().mach_timebase_info(ctypes.byref(base))
        needs = constraint(level, period_s, 1e9 * base.denom / base.numer)
        code = _set_policy(thread, TIME_CONSTRAINT, needs)
        if code == 0:
            return Grant("time constraint", True)
        refused = f"a time constraint was refused by the kernel ({code})"
        if thread is threading.current_thread():
            code = _system().pthread_set_qos_class_self_np(USER_INTERACTIVE, 0)
            if code == 0:
                return Grant("user-interactive quality of service", False, refused)
            refused += f", the quality of service too ({code})"
        return Grant(refused=refused)

    def give_back(self, thread: threading.Thread) -> None:
        """Make it an ordinary one."""
        if thread.is_alive():
            _set_policy(thread, STANDARD, Constraint())

    def prepared(self) -> AbstractContextManager[Grant]:
        """The timer needs nothing, and memory cannot be locked as a whole."""
        return nothing("macOS locks no memory")

    def native_ids(self) -> set[int]:
        """Core Audio raises its own."""
        return set()

    def raise_natives(self, ids: set[int]) -> None:
        """Core Audio raises its own."""


def _set_policy(thread: threading.Thread, flavor: int, policy: Constraint) -> int:
    """``thread_policy_set``; the kernel's code, 0 if it agrees."""
    port = _system().pthread_mach_thread_np(thread.ident)
    n_words = 0 if flavor == STANDARD else ctypes.sizeof(policy) // 4
    return int(_system().thread_policy_set(port, flavor, ctypes.byref(policy), n_words))
