"""What compiled code says and calls: LLVM's text of it, and the assembly, here and for another processor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

_NAME = r"([A-Za-z_][\w.$]*)"
# How a symbol stands in assembly: x86 `callq pow`, `movabsq $pow, %rax`, `pow@GOTPCREL`; ARM `bl pow`,
# `movz x8, #:abs_g3:pow`, `:got:pow`.
_SYMBOLS = (
    rf"^\s+(?:callq?|jmp|bl?)\s+_?{_NAME}",
    rf"\${_NAME}",
    rf"{_NAME}@",
    rf":(?:abs_g\d\w*|got\w*):_?{_NAME}",
)


def compile_fresh(names: str, module: str, cache_dir: Path) -> tuple[str, str]:
    """LLVM's text and the assembly of an entry point, made anew by a process of its own."""
    code = (
        f"from {module} import {names} as f\nprint(f.inspect_llvm(), '\\0', f._library.get_asm_str(), sep='')"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache_dir)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    text, assembly = run.stdout.split("\0")
    return text, assembly


def compile_for(triple: str, text: str) -> str:
    """The assembly that LLVM makes of a module for another system; skipped where its compiler is not built in."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError as error:
        pytest.skip(f"this llvmlite does not know {triple}: {error}")
    machine = target.create_target_machine()
    text = re.sub(r"^target triple = .*", f'target triple = "{triple}"', text, flags=re.M)
    text = re.sub(
        r"^target datalayout = .*", f'target datalayout = "{machine.target_data}"', text, flags=re.M
    )
    module = llvm.parse_assembly(text)
    module.verify()
    return str(machine.emit_assembly(module))


def foreign_names(text: str) -> set[str]:
    """Functions and variables that a module uses and does not hold."""
    declared = re.findall(r"^declare .*?@\"?([\w.$]+)", text, flags=re.M)
    external = re.findall(r"^@\"?([\w.$]+)\"? = external", text, flags=re.M)
    return {*declared, *external}


def foreign_symbols(assembly: str) -> set[str]:
    """The same of assembly: there may be more, where an instruction became a call."""
    own = {name.removeprefix("_") for name in re.findall(rf"^{_NAME}:", assembly, flags=re.M)}
    used = {name for pattern in _SYMBOLS for name in re.findall(pattern, assembly, flags=re.M)}
    return {name for name in used if not name.startswith((".L", "L")) and name.removeprefix("_") not in own}
