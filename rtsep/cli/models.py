"""``rtsep models``: what separates, where it is, and how to get it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from rtsep.cli.console import err, out, say

MEGABYTE = 1e6

app = typer.Typer(
    help="List, fetch, convert and remove models.",
    no_args_is_help=True,
    epilog="A model is a folder with `card.yaml` and `model.safetensors`. They live in the user's cache folder, "
    "or in the one that RTSEP_MODELS names.",
)


@app.command("list")
def list_() -> None:
    """Show the models that `-m` can name, and those that can be had."""
    from rtsep.zoo import ARCHIVES, list_models, store_folder

    entries = list_models()
    table = Table("name", "stems", "size", "from", box=None, pad_edge=False)
    for entry in entries:
        stems = ", ".join(entry.card.stems) if entry.card else f"not usable: {entry.problem}"
        table.add_row(entry.name, stems, f"{entry.weights_bytes / MEGABYTE:.0f} MB", entry.origin)
    out.print(table)
    missing = [name for name in ARCHIVES if name not in {entry.name for entry in entries}]
    if missing:
        say(f"`rtsep models pull NAME` gets {', '.join(missing)}.")
    say(f"Models are kept in {store_folder()}.")


@app.command()
def info(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="A name of `rtsep models list`, or a model folder.")
    ],
) -> None:
    """Show a model's card and check its weights."""
    from rtsep import zoo
    from rtsep.errors import ModelError

    entry = zoo.info(name)
    lines = {"folder": entry.path, "size": f"{entry.weights_bytes / MEGABYTE:.1f} MB", "from": entry.origin}
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in {**lines, **(entry.card.model_dump(mode="json") if entry.card else {})}.items():
        table.add_row(key, _as_text(value).replace("[", "\\["))
    out.print(table)
    if entry.problem:
        raise ModelError(entry.problem)
    say("The weights are whole: their checksum is that of the card.")


def _as_text(value: object) -> str:
    """A value of a card: a line for each name of several, for each key of a group; numbers side by side."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {', '.join(map(str, _several(inner)))}" for key, inner in value.items())
    return "\n".join(map(str, _several(value)))


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


@app.command(
    epilog="""
**Examples**

`rtsep models pull 2stems`

`rtsep models pull 4stems --from ~/Downloads/4stems.tar.gz` installs an archive fetched by hand.
"""
)
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="2stems, 4stems, 5stems, or one with -16kHz.")],
    from_file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take this archive; download nothing.")
    ] = None,
) -> None:
    """Fetch one of Spleeter's models, verify it and install it."""
    from rtsep import zoo

    with _DownloadBar(name) as bar:
        folder = zoo.pull(name, from_file=from_file, progress=bar.show)
    say(f"{folder.card.name} is in {folder.path}. Use it: `rtsep live song.mp3 -m {folder.card.name}`.")


@app.command(
    epilog="""
**Examples**

`rtsep models convert pretrained_models/2stems my-2stems --config spleeter:2stems`

`rtsep models convert my_training/model.ckpt-1000 my-model --config my_config.json`
"""
)
def convert(
    src: Annotated[Path, typer.Argument(help="A checkpoint of Spleeter: its folder, or one in it.")],
    dest: Annotated[Path, typer.Argument(help="The model folder to make.")],
    config: Annotated[
        str | None,
        typer.Option(
            metavar="JSON", help="Spleeter's configuration (or spleeter:NAME) where none lies beside it."
        ),
    ] = None,
) -> None:
    """Make a model folder of a Spleeter checkpoint; TensorFlow is not needed."""
    from rtsep import zoo

    folder = zoo.convert(src, dest, config)
    say(f"{folder.path}: {', '.join(folder.card.stems)}. Use it: `rtsep separate -m {folder.path} song.mp3`.")


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="An installed one.")]) -> None:
    """Delete an installed model."""
    from rtsep import zoo

    say(f"removed {zoo.remove(name)}")


class _DownloadBar:
    """A bar of received bytes."""

    def __init__(self, name: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
        self._task: TaskID = self._bar.add_task(name.replace("[", "\\["), total=None)

    def __enter__(self) -> _DownloadBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, n_received_bytes: int, n_total_bytes: int | None) -> None:
        """Move the bar to where the download stands."""
        self._bar.update(self._task, completed=n_received_bytes, total=n_total_bytes)
