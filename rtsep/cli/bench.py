"""``rtsep bench``: how fast this machine runs a model, and what a live session should do with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from rtsep.cli.console import err, out, say
from rtsep.cli.options import DeviceOption, ModelOption, read_device
from rtsep.settings import ModelSettings

if TYPE_CHECKING:
    from rtsep.tuning import Timing

EPILOG = """
**Examples**

`rtsep bench` measures the default model; `rtsep live` starts with what it finds best.

`rtsep bench -m 4stems --json` prints every figure for a program.

An update covers its hops of 23.2 ms each, which is its deadline. What keeps within half of that at the 99th
percentile is fast enough.

Where there is a GPU it is what is measured; `rtsep bench --device cpu` measures the processor.
"""

N_UPDATES = 24
PERCENT = 100

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DryOption = Annotated[bool, typer.Option("--dry", help="Measure only; leave what is stored as it is.")]


def bench(
    model: ModelOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    dry: DryOption = False,
) -> None:
    """Measure this machine, in under a minute, and remember the best settings for `rtsep live`."""
    settings = ModelSettings(name=model, device=read_device(device))
    from rtsep import tuning
    from rtsep.separator import load

    if model is None:
        from rtsep.zoo import default_model

        say(default_model()[1])
    name = load(model, device=settings.device).name
    with err.status(f"Measuring {name}; leave the machine alone for this minute ...") as status:

        def tell(timing: Timing) -> None:
            status.update(f"Measuring {name}: {describe(timing)} took {timing.p50_ms:.1f} ms ...")

        timings = tuning.measure_all(settings, threads(settings), N_UPDATES, tell)
    best = tuning.choose(timings)
    if as_json:
        out.print_json(json.dumps(report(name, timings, best)))
    else:
        out.print(table(name, timings, best))
    if best is None:
        say(tuning.too_slow(name, min(timings, key=lambda timing: timing.load)))
        raise typer.Exit(1)
    if not as_json:
        least = f"{best.latency_ms:.0f} ms with --latency low, before the card's own and the reserve"
        say(f"Best: {describe(best)}; latency from {least}.")
    if not dry:
        say(f"`rtsep live` starts with that: {tuning.store_measured(tuning.key_of(name, settings), best)}")


def threads(settings: ModelSettings) -> list[int | None]:
    """On a CPU one thread, and as many as there are cores; on a GPU it is all the same."""
    from rtsep.nets.crew import all_threads
    from rtsep.nets.runner import choose_device

    return [*sorted({1, all_threads()})] if choose_device(settings.device).type == "cpu" else [None]


def describe(timing: Timing) -> str:
    """A way to run, in words."""
    way = timing.way
    hops = "hop" if way.update_hops == 1 else f"{way.update_hops} hops"
    cores = (
        "" if way.n_threads is None else ", 1 thread" if way.n_threads == 1 else f", {way.n_threads} threads"
    )
    return f"{way.precision} on {timing.device}{cores}, an update every {hops}"


def table(name: str, timings: list[Timing], best: Timing | None) -> Table:
    """All ways, the best of them marked."""
    columns = (
        "",
        "device",
        "precision",
        "threads",
        "hops",
        "p50 ms",
        "p99",
        "max",
        "deadline",
        "load",
        "latency",
    )
    shown = Table(*columns, title=name, title_justify="left", box=None, pad_edge=False)
    for i, column in enumerate(shown.columns):
        column.no_wrap, column.justify = True, "right" if i > 2 else "left"
    for timing in timings:
        way = timing.way
        shown.add_row(
            ">" if timing is best else "",
            timing.device,
            way.precision,
            "-" if way.n_threads is None else str(way.n_threads),
            str(way.update_hops),
            f"{timing.p50_ms:.1f}",
            f"{timing.p99_ms:.1f}",
            f"{timing.max_ms:.1f}",
            f"{timing.deadline_ms:.1f}",
            f"{PERCENT * timing.load:.0f} %",
            f"{timing.latency_ms:.0f}",
            style="bold" if timing is best else None,
        )
    return shown


def report(name: str, timings: list[Timing], best: Timing | None) -> dict[str, Any]:
    """The same for programs."""
    from rtsep.tuning import machine

    return {
        "machine": machine(),
        "model": name,
        "timings": [timing.model_dump() for timing in timings],
        "best": best.model_dump() if best is not None else None,
    }
