"""A bench's frame: the machine, one table, `--quick`."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

SHARED = Path(__file__).resolve().parents[3] / "shared"  # reference material; not part of the project


def command_line(question: str) -> argparse.ArgumentParser:
    """The command line of a bench, to which it may add its own; with ``--quick`` it only shows that it runs."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows only that the bench runs")
    return parser


def is_quick(question: str) -> bool:
    """Parse the command line of a bench that has nothing to add."""
    return bool(command_line(question).parse_args().quick)


def machine() -> str:
    """What ran it."""
    names = [line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")]
    cpu = names[0] if names else platform.processor() or platform.machine()
    return (
        f"{cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} used; {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    )


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table; the first column is text, the others are figures."""
    table = Table(title=title, caption=machine(), title_justify="left", caption_justify="left")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    # A pipe has no width: a table is not to be cut for that.
    console = console if console.is_terminal else Console(width=160)
    console.print(table)
