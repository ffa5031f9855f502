"""``rtsep recover``: recordings whose process was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtsep.cli.console import out, say
from rtsep.errors import UsageError

EPILOG = """
`rtsep live --record DIR` does the same by itself when the next take goes to DIR. What a running session writes is left
alone, and nothing is replaced.
"""

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder given to --record.")]


def recover(folder: FolderArgument) -> None:
    """Finish recordings that were broken off: power cut, crash, kill. Their last second is missing, or a few."""
    from rtsep.io.part import is_being_filled
    from rtsep.recover import recover as finish
    from rtsep.recover import takes_of

    if not folder.is_dir():
        raise UsageError(f"there is no folder {str(folder)!r}. Name the one that was given to --record.")
    folders = takes_of(folder)
    found = [done for one in folders for done in finish(one)]
    for line in (line for done in found for line in done.tell()):
        out.print(line, markup=False, highlight=False)
    failed = {part for done in found for part in done.failed}
    if not found:
        busy = [one for one in folders if is_being_filled(one)]
        say(
            f"A recording is being made in {busy[0]} now."
            if busy
            else f"Nothing is left to recover in {folder}."
        )
    if failed:
        raise typer.Exit(1)
