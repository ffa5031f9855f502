"""The command line: parse, call, print; nothing else.

A command imports what is heavy (torch, numba) when it runs, so that ``rtsep --help`` answers at once.
Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted, or 128 and the number of another signal that
ended it (`live` and `demo` end with 0 after Ctrl-C: that is how one leaves them).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rtsep.cli import bench, demo, devices, live, midi, models, parameters, recover, separate, train
from rtsep.cli.console import err, never_refuse, out
from rtsep.cli.interrupts import Ended, end_like_ctrl_c
from rtsep.early import INTERRUPTED, begun
from rtsep.errors import RtsepError, UsageError
from rtsep.settings import AUDIO_SUFFIXES

EPILOG = """
**First steps**

`rtsep demo` takes a song apart while it plays; no model, no file and no card are needed.

`rtsep live song.mp3 --karaoke` plays a song without its voice.

`rtsep models pull 2stems` fetches the real model; from then on it is the default.

`rtsep separate song.mp3` writes its stems to files.

`rtsep COMMAND --help` has examples.
"""


class Commands(TyperGroup):
    """Commands whose mendable errors are one message and an exit code, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        begun()
        try:
            return super().invoke(ctx)
        except RtsepError as error:
            err.print(f"[bold red]error:[/] {_plain(str(error))}")
            raise typer.Exit(error.exit_code) from error
        except OSError as error:
            if error.filename is None:
                raise
            # Of a name that it was given, the system says itself what is wrong with it.
            err.print(f"[bold red]error:[/] {_plain(f'{error.filename}: {error.strerror}')}")
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            err.print("interrupted")
            raise typer.Exit(128 + error.number if isinstance(error, Ended) else INTERRUPTED) from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is meant; a song is none."""
        if self.get_command(ctx, args[0]) is None and Path(args[0]).suffix.lower() in AUDIO_SUFFIXES:
            raise UsageError(
                f"{args[0]!r} is a song, and before it comes what to do with it: `rtsep live {args[0]}` plays it "
                f"in stems, `rtsep separate {args[0]}` writes them to files."
            )
        return super().resolve_command(ctx, args)


def _plain(text: str) -> str:
    """A message in which rich finds no markup."""
    return text.replace("[", "\\[")


app = typer.Typer(
    cls=Commands,
    help="Takes music apart into stems, offline or while it plays, and mixes them.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=demo.EPILOG)(demo.demo)
app.command(epilog=live.EPILOG)(live.live)
app.command(epilog=separate.EPILOG)(separate.separate)
app.command(epilog=recover.EPILOG)(recover.recover)
app.command(epilog=devices.EPILOG)(devices.devices)
app.command(epilog=parameters.EPILOG)(parameters.parameters)
app.command(epilog=bench.EPILOG)(bench.bench)
app.command(epilog=train.EPILOG)(train.train)
app.add_typer(models.app, name="models")
app.add_typer(midi.app, name="midi")


def _print_version(wanted: bool) -> None:
    if wanted:
        import rtsep

        out.print(f"rtsep {rtsep.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    end_like_ctrl_c()
    never_refuse(sys.stdout)
    try:
        try:
            app(prog_name="rtsep")
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:  # no stream, but a file: an error in rtsep
            raise
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # Python would try once more at the end
        err.print(f"[bold red]error:[/] the output cannot be written: {error.strerror or error}")
        sys.exit(1)
