"""``rtsep train``: a model from songs with known stems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtsep.cli.console import say
from rtsep.cli.options import DeviceOption, read_device

EPILOG = """
**Examples**

`rtsep train -p configs/train/demo-2stems.yaml -d songs -o runs/demo-2stems`

Interrupted, the same command goes on where it stopped, exactly.
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
StepsOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="Instead of the recipe's number.")]
MinutesOption = Annotated[
    float | None,
    typer.Option("--max-minutes", min=0.0, metavar="M", help="Stop then; the same command goes on."),
]
StartOption = Annotated[
    str | None,
    typer.Option(metavar="NAME|FOLDER", help="Begin with this model's weights: fine-tuning."),
]


def train(
    params: ConfigOption,
    data: DataOption,
    output_dir: OutputOption = None,
    restart: RestartOption = False,
    steps: StepsOption = None,
    max_minutes: MinutesOption = None,
    start_from: StartOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train a model; it can be stopped and goes on."""
    place = read_device(device)
    from rtsep.train.loop import train as run

    model = run(
        params,
        data,
        output_dir,
        device=place,
        resume=not restart,
        steps=steps,
        max_minutes=max_minutes,
        start_from=start_from,
    )
    if model is not None:
        say(f"The model is in {model}. Use it: `rtsep live song.mp3 -m {model}`.")
