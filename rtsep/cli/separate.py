"""``rtsep separate``: files to stems."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from rtsep.cli.console import err, open_model, say
from rtsep.cli.options import DeviceOption, ExtensionOption, MaskOption, ModelOption, read_names, read_time_s
from rtsep.control.terminal.bars import clock
from rtsep.errors import UsageError

if TYPE_CHECKING:
    from rtsep.offline import FileResult

EPILOG = """
**Examples**

`rtsep separate song.mp3` writes separated/song/vocals.wav and accompaniment.wav.

`rtsep separate -m 4stems -c flac -o stems *.mp3`

`rtsep separate --stems vocals --mask direct song.wav` runs the network of the voice alone.

`rtsep separate -s 1:00 -d 30 -f "{foldername}/{filename} {instrument}.{codec}" song.m4a`
"""

FILES = "Output"
BITRATE_HELP = (
    "Of the other kinds, else 192k: "
    "mp3 8k to 320k, ogg 64k to 500k, opus 6k to 510k, m4a 16k to 512k, wma 32k to 320k."
)


FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="Music, or films with sound.")]
OutputOption = Annotated[
    Path, typer.Option("-o", "--output-dir", help="Folder of the stems.", rich_help_panel=FILES)
]
FormatOption = Annotated[
    str,
    typer.Option(
        "-f",
        "--filename-format",
        rich_help_panel=FILES,
        help="Their names, with {filename}, {foldername}, {instrument} and {codec}.",
    ),
]
CodecOption = Annotated[
    str,
    typer.Option(
        "-c", "--codec", metavar="wav|flac|mp3|ogg|opus|m4a|wma", help="Their kind.", rich_help_panel=FILES
    ),
]
SubtypeOption = Annotated[
    str | None,
    typer.Option(
        metavar="PCM_16|PCM_24|FLOAT", help="Depth of WAV and FLAC; else PCM_16.", rich_help_panel=FILES
    ),
]
BitrateOption = Annotated[
    str | None,
    typer.Option("-b", "--bitrate", metavar="RATE", help=BITRATE_HELP, rich_help_panel=FILES),
]
OffsetOption = Annotated[
    str | None,
    typer.Option("-s", "--offset", metavar="TIME", help="Begin at 90 or 1:30.", rich_help_panel=FILES),
]
DurationOption = Annotated[
    str | None,
    typer.Option("-d", "--duration", metavar="TIME", help="And take so much.", rich_help_panel=FILES),
]
StemsOption = Annotated[
    list[str] | None, typer.Option("--stems", metavar="NAMES", help="Only these, like vocals,drums.")
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        metavar="float32|tf32|float16|bfloat16",
        help="Of the networks: bfloat16 is faster where the processor has it; masks are up to 0.1 off. "
        "tf32 and float16 are for GPUs.",
    ),
]
MwfOption = Annotated[bool, typer.Option("--mwf", hidden=True)]


def separate(
    files: FilesArgument,
    model: ModelOption = None,
    output_dir: OutputOption = Path("separated"),
    filename_format: FormatOption = "{filename}/{instrument}.{codec}",
    codec: CodecOption = "wav",
    subtype: SubtypeOption = None,
    bitrate: BitrateOption = None,
    offset: OffsetOption = None,
    duration: DurationOption = None,
    stems: StemsOption = None,
    mask: MaskOption = "card",
    extension: ExtensionOption = "card",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "float32",
    mwf: MwfOption = False,
) -> None:
    """Separate files into stems, as Spleeter does, at any length and rate."""
    if mwf:
        raise UsageError(
            "--mwf: multichannel Wiener filtering comes with a later version of rtsep. Leave the option out."
        )
    from rtsep.offline import OfflineSettings, check_request, separate_files

    wanted = read_names(stems) if stems is not None else None
    settings = OfflineSettings(
        output_dir,
        filename_format,
        codec.lower(),
        subtype.upper() if subtype else None,
        bitrate,
        read_time_s(offset) or 0.0,
        read_time_s(duration),
        wanted,
    )
    check_request(files, settings)
    separator = open_model(
        model, device=device, mask=mask, extension=extension, stems=wanted, precision=precision
    )
    say(separator.summary)
    with FileBars() as bars:
        results = separate_files(files, separator, settings, bars)
    if any(result.error for result in results):
        raise typer.Exit(1)


class SpeedColumn(ProgressColumn):
    """How many times faster than real time; tasks count seconds of audio."""

    def render(self, task: Task) -> Text:
        """The speed so far, as text."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}x" if speed else "", style="cyan")


class FileBars:
    """A bar per file on a terminal, a line per file when it is done, and the outputs on a pipe."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        self._bars = Progress(
            *columns,
            TimeRemainingColumn(),
            SpeedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task: TaskID | None = None
        self._sample_rate_hz = 1

    def __enter__(self) -> FileBars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, path: Path, n_samples: int | None, sample_rate_hz: int) -> None:
        """Begin the bar of a file."""
        self._sample_rate_hz = sample_rate_hz
        total_s = n_samples / sample_rate_hz if n_samples else None
        self._task = self._bars.add_task(path.name.replace("[", "\\["), total=total_s)

    def advance(self, n_samples: int) -> None:
        """Move it on."""
        if self._task is not None:
            self._bars.advance(self._task, n_samples / self._sample_rate_hz)

    def finish(self, result: FileResult) -> None:
        """Take the bar away and say what became of the file."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        if result.error is not None:
            say(f"error: {result.error}")
            return
        for notice in result.notices:
            say(f"{result.path}: {notice}")
        length_s = result.n_samples / result.sample_rate_hz
        say(f"{result.path}: {clock(length_s)} in {result.elapsed_s:.1f} s, {result.speed:.1f}x real time")
        for output in result.outputs.values():
            sys.stdout.write(f"{output}\n")
