"""The clock of compiled code against the interpreter's, and what it would be on other systems."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir
from machine_code import compile_for, foreign_names
from numba import cfunc, njit, types

from rtsep.monotonic import SYSTEMS, now_ns

WORD = ir.IntType(64)
TRIPLES = {
    "linux": ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"),
    "darwin": ("x86_64-apple-darwin", "arm64-apple-darwin"),
    "win32": ("x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc"),
}
CALLS = {
    "linux": {"clock_gettime"},
    "darwin": {"clock_gettime_nsec_np"},
    "win32": {"QueryPerformanceCounter", "QueryPerformanceFrequency"},
}


@njit(nogil=True)
def read_clock() -> int:
    return now_ns()  # type: ignore[no-any-return]


@njit(nogil=True)
def read_often(times_ns: Any) -> None:
    for i in range(len(times_ns)):
        times_ns[i] = now_ns()


def test_it_is_the_clock_of_the_interpreter() -> None:
    for _ in range(1000):
        before_ns = time.perf_counter_ns()
        ours_ns = read_clock()
        after_ns = time.perf_counter_ns()
        assert before_ns <= ours_ns <= after_ns + 1  # each may round


def test_it_runs_forwards_and_a_loop_around_it_needs_no_more_stack() -> None:
    times_ns = np.zeros(1_000_000, np.int64)  # 16 bytes of each would be more than any thread's stack
    read_often(times_ns)
    steps_ns = np.diff(times_ns)
    assert (steps_ns >= 0).all()
    assert times_ns[-1] > times_ns[0]


def test_a_c_callback_reads_it() -> None:
    @cfunc(types.int64(), nopython=True)
    def clock() -> int:
        return now_ns()  # type: ignore[no-any-return]

    function = ctypes.CFUNCTYPE(ctypes.c_int64)(clock.address)
    before_ns = time.perf_counter_ns()
    assert before_ns <= function() <= time.perf_counter_ns() + 1
    assert foreign_names(clock.inspect_llvm()) == CALLS[sys.platform]


KEPT = """
import time
from numba import cfunc, types
from rtsep.monotonic import now_ns
@cfunc(types.int64(), nopython=True, cache=True)
def clock():
    return now_ns()
before = time.perf_counter_ns()
assert before <= clock.ctypes() <= time.perf_counter_ns() + 1
print(clock.cache_hits)
"""


def test_code_with_the_clock_in_it_can_be_kept_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "kept.py"
    path.write_text(KEPT, encoding="utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, str(path)]
    hits = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert hits == ["0", "1"]


def clock_module(system: str, name: str) -> str:
    """LLVM's text of a function that returns the time, in a loop, as a callback reads it."""
    module = ir.Module(name)
    function = ir.Function(module, ir.FunctionType(WORD, [WORD]), name)
    entry, body, end = (function.append_basic_block(block) for block in ("entry", "body", "end"))
    ir.IRBuilder(entry).branch(body)
    builder = ir.IRBuilder(body)
    left = builder.phi(WORD)
    left.add_incoming(function.args[0], entry)
    time_ns = SYSTEMS[system](builder)
    fewer = builder.sub(left, WORD(1))
    left.add_incoming(fewer, body)
    builder.cbranch(builder.icmp_signed(">", fewer, WORD(0)), body, end)
    ir.IRBuilder(end).ret(time_ns)
    return str(module)


@pytest.mark.parametrize(
    ("system", "triple"), [(s, triple) for s, all_ in TRIPLES.items() for triple in all_]
)
def test_every_system_has_one_that_its_compiler_takes(system: str, triple: str) -> None:
    text = clock_module(system, "clock")
    assembly = compile_for(triple, text)
    assert foreign_names(text) == CALLS[system]
    for name in CALLS[system]:
        assert re.search(rf"\b_?{name}\b", assembly)
    body = text[text.index("body:") :]
    assert "alloca" not in body


class FakeCounter:
    """Windows' two functions, under names of their own, so that what is made of them can run anywhere."""

    def __init__(self) -> None:
        self.ticks, self.ticks_per_s = 0, 1
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int64))
        self._functions = (kind(self._count), kind(self._frequency))
        text = clock_module("win32", "windows_clock")
        for name, function in zip(("Counter", "Frequency"), self._functions, strict=True):
            address = ctypes.cast(function, ctypes.c_void_p).value
            llvm.add_symbol(f"Fake{name}", address)
            text = text.replace(f"QueryPerformance{name}", f"Fake{name}")
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
        self._engine.finalize_object()
        address = self._engine.get_function_address("windows_clock")
        self.now_ns = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)

    def _count(self, out: Any) -> int:
        out[0] = self.ticks
        return 1

    def _frequency(self, out: Any) -> int:
        out[0] = self.ticks_per_s
        return 1


@pytest.fixture(scope="module")
def counter() -> FakeCounter:
    return FakeCounter()


@given(
    ticks_per_s=st.sampled_from([1, 3_579_545, 10_000_000, 24_000_000, 3_400_000_000]),
    seconds=st.integers(0, 9_000_000_000),
    rest=st.integers(0, 2**62),
)
def test_windows_ticks_become_nanoseconds_without_overflow(
    counter: FakeCounter, ticks_per_s: int, seconds: int, rest: int
) -> None:
    counter.ticks = min(seconds * ticks_per_s + rest % ticks_per_s, 2**63 - 1)
    counter.ticks_per_s = ticks_per_s
    expected_ns = counter.ticks * 10**9 // ticks_per_s
    assert counter.now_ns(1) == expected_ns
