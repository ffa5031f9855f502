"""``rtsep train``: a model from songs with known stems."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from rtsep.cli.console import say
from rtsep.cli.interrupts import interruptible
from rtsep.cli.options import DeviceOption, read_device
from rtsep.config import read_value
from rtsep.errors import UsageError

EPILOG = """
**Examples**

`rtsep train -p configs/train/demo-2stems.yaml -d songs -o runs/1`

Interrupted (Ctrl-C, `--max-minutes`, a power cut), the same command goes on where it stopped.

`rtsep train -p recipe.yaml -d songs -o runs/2 --start-from runs/1/demo-2stems --set training.learning_rate=1e-4`

Fine-tuning, with one key of the recipe changed.

`rtsep train -p recipe.yaml -d songs -o runs/mean --steps 0 --start-from runs/1/NAME --start-from runs/2/NAME`

The mean of two runs, which is often better than either.
"""

ConfigOption = Annotated[
    Path, typer.Option("-p", "--params", metavar="CONFIG", help="The recipe: YAML, or Spleeter's JSON.")
]
DataOption = Annotated[
    Path, typer.Option("-d", "--data", metavar="DIR", help="Folder of the songs, or of what CSV files name.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output-dir", metavar="DIR", help="Checkpoints and model; else runs/NAME."),
]
RestartOption = Annotated[bool, typer.Option("--restart", help="Begin anew instead of going on.")]
StepsOption = Annotated[int | None, typer.Option(min=0, metavar="N", help="Instead of the recipe's number.")]
MinutesOption = Annotated[
    float | None,
    typer.Option("--max-minutes", min=0.0, metavar="M", help="Stop then; the same command goes on."),
]
StartOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME|FOLDER", help="Begin with this model's weights; of several, with their mean."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Another value for a key of the recipe: training.seed=7."
    ),
]


def train(
    params: ConfigOption,
    data: DataOption,
    output_dir: OutputOption = None,
    restart: RestartOption = False,
    steps: StepsOption = None,
    max_minutes: MinutesOption = None,
    start_from: StartOption = None,
    set_: SetOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train a model; it can be stopped and goes on."""
    place, changes = read_device(device), dict(_read_change(text) for text in set_ or ())
    from rtsep.train.loop import open_run

    run = open_run(
        params,
        data,
        output_dir,
        device=place,
        resume=not restart,
        steps=steps,
        start_from=start_from or (),
        changes=changes,
    )
    say(run.summary)
    stop = Event()
    with interruptible(stop.set):
        model = run.go(max_minutes, stop.is_set)
    if model is not None:
        say(f"The model is in {model}. Use it: `rtsep live song.mp3 -m {model}`.")
    if not run.is_done:
        say(f"Stopped at step {run.trainer.n_done}; the same command goes on from there.")


def _read_change(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f"--set {text}: write KEY=VALUE, such as --set training.seed=7.")
    return key.strip(), read_value(value)
