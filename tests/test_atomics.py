"""What the compiler is told about the words that threads share."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from machine_code import compile_for
from numba import njit

from rtsep.atomics import exchange_word, load_word, reload_word, store_word

AARCH64 = "aarch64-unknown-linux-gnu"


def llvm(function: Any, signature: str) -> str:
    """The instructions of a fresh compile: code from the cache cannot be looked into."""
    return "\n".join(njit(signature)(function.py_func).inspect_llvm().values())


def test_a_load_acquires() -> None:
    assert "load atomic i64, ptr" in llvm(load_word, "int64(int64)")
    assert "acquire, align 8" in llvm(load_word, "int64(int64)")


def test_a_reload_comes_after_all_reads_before_it() -> None:
    code = llvm(reload_word, "int64(int64)")
    assert code.index("fence acquire") < code.index("load atomic i64")


def test_a_store_releases_and_nothing_passes_it() -> None:
    code = llvm(store_word, "void(int64, int64)")
    store = code.index("store atomic i64")
    assert " release, align 8" in code[store : store + 80]
    assert "fence release" in code[store:]


def test_an_exchange_is_one_instruction() -> None:
    assert "atomicrmw xchg" in llvm(exchange_word, "int64(int64, int64)")
    assert "acq_rel" in llvm(exchange_word, "int64(int64, int64)")


@pytest.mark.parametrize(
    ("function", "signature", "instructions"),
    [
        (load_word, "int64(int64)", r"ldap?r\s"),
        (reload_word, "int64(int64)", r"dmb\s+ishld\n(.*\n)*?\s+ldap?r\s"),
        (store_word, "void(int64, int64)", r"stlr\s.*\n(\s+(?!ld|st).*\n){0,4}?\s+dmb\s+ish\n"),
        (exchange_word, "int64(int64, int64)", r"ldaxr\s.*\n(.*\n){0,3}?\s+stlxr\s|swpal\s"),
    ],
)
def test_on_arm_too_words_are_ordered(function: Any, signature: str, instructions: str) -> None:
    """x86 does it by itself; ARM only what it is told."""
    assert re.search(rf"\s({instructions})", compile_for(AARCH64, llvm(function, signature)))


@pytest.mark.parametrize("value", [0, -1, 2**62])
def test_words_hold_what_was_put_there(value: int) -> None:
    words = np.array([5, 7, 9], np.int64)
    address = words.ctypes.data + words.itemsize
    assert exchange_word(address, 8) == 7
    store_word(address, value)
    assert load_word(address) == reload_word(address) == value
    assert words.tolist() == [5, value, 9]
