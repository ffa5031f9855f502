"""Windows: the Multimedia Class Scheduler for a thread that asks for itself, the highest priority for its helpers.

MMCSS runs a thread of the task "Pro Audio" at 23 to 26 and sees to it that others get a fifth of the time; an
ordinary process has 15 at most (``THREAD_PRIORITY_TIME_CRITICAL``). The system's timer, 15.6 ms unless asked, is set
to one millisecond while a session runs. Written from ``<avrt.h>``, ``<processthreadsapi.h>`` and ``<timeapi.h>``.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from rtsep.realtime.grant import Grant, Level

TASK = "Pro Audio"
MMCSS_PRIORITY = {"audio": 1, "engine": 0, "helper": 0}  # AVRT_PRIORITY_HIGH, AVRT_PRIORITY_NORMAL
TIME_CRITICAL, NORMAL = 15, 0  # THREAD_PRIORITY_*
SET_INFORMATION = 0x0020  # THREAD_SET_INFORMATION
TIMER_MS = 1


@cache
def _library(name: str) -> Any:
    """A DLL of the system, its types declared."""
    library = ctypes.WinDLL(name, use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    handle, word, flag = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int
    signatures: dict[str, dict[str, tuple[Any, list[Any]]]] = {
        "avrt": {
            "AvSetMmThreadCharacteristicsW": (handle, [ctypes.c_wchar_p, ctypes.POINTER(word)]),
            "AvSetMmThreadPriority": (flag, [handle, ctypes.c_int]),
            "AvRevertMmThreadCharacteristics": (flag, [handle]),
        },
        "kernel32": {
            "OpenThread": (handle, [word, flag, word]),
            "SetThreadPriority": (flag, [handle, ctypes.c_int]),
            "CloseHandle": (flag, [handle]),
        },
        "winmm": {"timeBeginPeriod": (word, [ctypes.c_uint]), "timeEndPeriod": (word, [ctypes.c_uint])},
    }
    for function, (result, arguments) in signatures[name].items():
        getattr(library, function).restype, getattr(library, function).argtypes = result, arguments
    return library


class Windows:
    """See `rtsep.realtime.grant.System`."""

    def __init__(self) -> None:
        self._tasks: dict[int, int] = {}  # native id -> what MMCSS gave

    def ask(self, level: Level, thread: threading.Thread, period_s: float) -> Grant:
        """Raise a thread: with MMCSS if it is the caller."""
        refused = ""
        if thread is threading.current_thread():
            task = _library("avrt").AvSetMmThreadCharacteristicsW(TASK, ctypes.byref(ctypes.c_ulong(0)))
            if task:
                self._tasks[thread.native_id or 0] = task
                _library("avrt").AvSetMmThreadPriority(task, MMCSS_PRIORITY[level])
                return Grant(f"{TASK} by MMCSS", True)
            refused = f"MMCSS refused {TASK} (error {_last_error()}): does its service run?"
        if _set_priority(thread.native_id or 0, TIME_CRITICAL):
            return Grant("time-critical", True, refused)
        also = f"the priority time-critical was refused (error {_last_error()})"
        return Grant(refused=f"{refused}; {also}" if refused else also)

    def give_back(self, thread: threading.Thread) -> None:
        """Make it an ordinary one; MMCSS wants that from the thread itself, which is who calls."""
        task = self._tasks.pop(thread.native_id or 0, None)
        if task is not None:
            _library("avrt").AvRevertMmThreadCharacteristics(task)
        elif thread.is_alive():
            _set_priority(thread.native_id or 0, NORMAL)

    @contextmanager
    def prepared(self) -> Iterator[Grant]:
        """A timer of one millisecond; Windows counts who wants it."""
        code = _library("winmm").timeBeginPeriod(TIMER_MS)
        try:
            yield Grant("timer of 1 ms", True) if code == 0 else Grant(refused=f"no timer of 1 ms ({code})")
        finally:
            if code == 0:
                _library("winmm").timeEndPeriod(TIMER_MS)

    def native_ids(self) -> set[int]:
        """PortAudio raises its own."""
        return set()

    def raise_natives(self, ids: set[int]) -> None:
        """PortAudio raises its own."""


def _set_priority(native_id: int, priority: int) -> bool:
    handle = _library("kernel32").OpenThread(SET_INFORMATION, False, native_id)
    if not handle:
        return False
    try:
        return bool(_library("kernel32").SetThreadPriority(handle, priority))
    finally:
        _library("kernel32").CloseHandle(handle)


def _last_error() -> int:
    return int(ctypes.get_last_error())  # type: ignore[attr-defined,unused-ignore]
