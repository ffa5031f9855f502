"""What the audio thread's machine code may call, and how it publishes: read from the code itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from machine_code import compile_for, compile_fresh, foreign_names, foreign_symbols
from numba import cfunc, njit, types

AARCH64 = "aarch64-unknown-linux-gnu"

# All that the callback may call. Each is a function of its arguments alone, or moves memory that it is given: none
# waits, none asks the system for memory. The clocks do not enter the kernel (vDSO, commpage, shared page).
MEMORY = {"memset", "memcpy", "memmove"}
MATHEMATICS = {
    "pow",
    "exp",
    "exp2",
    "log",
    "log2",
    "log10",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "tanh",
    "fmod",
    "ldexp",
}
CLOCKS = {
    "clock_gettime",
    "clock_gettime_nsec_np",
    "QueryPerformanceCounter",
    "QueryPerformanceFrequency",
}
ALLOWED = MEMORY | MATHEMATICS | {f"{name}f" for name in MATHEMATICS} | CLOCKS

# What must not even be named, in a call or otherwise, and why.
FORBIDDEN = {
    "PyGILState_": "takes the interpreter's lock",
    "numba_gil_": "takes the interpreter's lock: the branch for what a callback raised",
    "PyEval_": "lets go of the lock, or runs Python",
    "PyErr_": "raises, or asks whether something was raised",
    "PyExc_": "an exception's class",
    "PyObject": "an object of the interpreter",
    "Py_": "counts references to one",
    "NRT_": "numba's memory: allocates, or counts references",
    "malloc": "the system's memory: takes a lock, may enter the kernel",
    "calloc": "the same",
    "realloc": "the same",
    "numba_unpickle": "makes an exception's arguments",
    ".const.pickle": "the arguments of an exception that something here can raise",
    "numba_do_raise": "raises",
    "longjmp": "leaves by another way",
    "pthread_": "locks",
}


def complaints(text: str, assembly: str) -> set[str]:
    """What is wrong with a module and the code made of it: names called that may not be, or named at all."""
    # Intrinsics are instructions, or calls that the assembly then shows; not those that unwind or call back.
    called = {name for name in foreign_names(text) if not re.match(r"llvm\.(?!eh\.|coro\.|trap)", name)}
    called |= foreign_symbols(assembly)
    return (called - ALLOWED) | {word for word in FORBIDDEN if word in text or word in assembly}


@pytest.fixture(scope="module")
def callback_code(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return compile_fresh("callback", "rtsep.callback", tmp_path_factory.mktemp("cache"))


def test_the_callback_calls_nothing_that_waits_allocates_or_raises(callback_code: tuple[str, str]) -> None:
    text, assembly = callback_code
    assert complaints(text, assembly) == set()
    assert foreign_symbols(assembly) & MEMORY, "the search must find what is certainly there"
    assert foreign_names(text)


Numbers = types.CPointer(types.float64)


def plain(values: Any, n: int) -> None:
    values[0] = values[0] * min(n, 3) + 2.5 ** float(n)


def raises_where_it_seems_harmless(values: Any, n: int) -> None:
    values[0] = values[0] ** n


def raises(values: Any, n: int) -> None:
    if n > 3:
        raise ValueError("more than 3")


def allocates(values: Any, n: int) -> None:
    values[0] = np.ones(n).sum()


def prints(values: Any, n: int) -> None:
    print(n)


def entry(function: Callable[..., None]) -> tuple[str, str]:
    """Text and assembly of an entry point as the callback is one, around another body."""
    body = njit(error_model="numpy", nogil=True, forceinline=True)(function)

    @cfunc(types.intc(Numbers, types.int64), error_model="numpy", nopython=True)
    def enter(values: Any, n: int) -> int:
        body(values, n)
        return 0

    return enter.inspect_llvm(), enter._library.get_asm_str()


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (plain, set()),
        (raises_where_it_seems_harmless, {".const.pickle", "numba_gil_"}),
        (raises, {".const.pickle", "numba_gil_"}),
        (allocates, {"NRT_"}),
        (prints, {"numba_gil_", "Py_"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_may_not_be_called_is_found(function: Callable[..., None], found: set[str]) -> None:
    wrong = complaints(*entry(function))
    assert wrong >= found
    assert bool(wrong) == bool(found)


def test_the_callback_publishes_with_release_and_looks_with_acquire(callback_code: tuple[str, str]) -> None:
    text, _ = callback_code
    stores = re.findall(r"store atomic i64 .*", text)
    loads = re.findall(r"= load atomic i64.*", text)
    exchanges = re.findall(r"atomicrmw .*", text)
    assert len(stores) >= 2, "the input tape and the sink tape"
    assert len(loads) >= 2, "the source or stem tape, and the coefficients"
    assert len(exchanges) >= 1, "the coefficients"
    assert all(" release, align 8" in line for line in stores)
    assert all(" acquire, align 8" in line for line in loads)
    assert all("xchg" in line and " acq_rel, align 8" in line for line in exchanges)
    # The next chunk's samples must not pass the word: a fence stands right behind every store.
    assert len(re.findall(r"store atomic i64 .*\n\s+fence release\n", text)) == len(stores)


def test_on_arm_too_the_callback_publishes_with_instructions_that_order(
    callback_code: tuple[str, str],
) -> None:
    """x86 keeps this order by itself; ARM does what it is told, and only that."""
    text, _ = callback_code
    assembly = compile_for(AARCH64, text)
    n_stores, n_loads = text.count("store atomic i64"), text.count("load atomic i64")
    assert len(re.findall(r"\sstlr\s.*\n(?:\s+(?!ld|st).*\n){0,4}?\s+dmb\s+ish\n", assembly)) >= n_stores
    assert len(re.findall(r"\sldap?r\s", assembly)) >= n_loads
    assert re.search(r"\sldaxr\s.*\n(.*\n){0,3}?\s+stlxr\s", assembly) or re.search(r"\sswpal\s", assembly)
    assert foreign_symbols(assembly) <= ALLOWED
