"""``rtsep demo``: a song is taken apart while it plays; the voice goes away and comes back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtsep.cli.console import getting_ready, out, say
from rtsep.cli.options import ModelOption
from rtsep.cli.play import PICTURES_PER_S, play
from rtsep.control.terminal.hands import Hands
from rtsep.control.terminal.steps import LOWEST_GAIN_DB
from rtsep.errors import DeviceError, UsageError
from rtsep.settings import LiveSettings

if TYPE_CHECKING:
    from rtsep.host import Host

EPILOG = """
**Examples**

`rtsep demo`

`rtsep demo song.mp3 -m 2stems` takes your own song, and a better model.
"""

#: Seconds with the voice, on its way out, without it, and on its way back; over and over.
CYCLE_S = (14.0, 2.0, 6.0, 2.0)
RAMP_MS = 1000 / PICTURES_PER_S  # from one step of the fade to the next, so that it glides
COMPUTE_MS = 100

SongArgument = Annotated[
    Path | None, typer.Argument(metavar="[SONG]", help="Your own; else one that rtsep composes and sings.")
]
OutputOption = Annotated[Path, typer.Option("-o", "--output-dir", help="Where the result is kept.")]
SecondsOption = Annotated[
    float | None, typer.Option("--seconds", min=0.5, metavar="S", help="Stop after so much of the song.")
]
ClockOption = Annotated[
    str | None, typer.Option(metavar="device|real|free", help="As in `rtsep live`.", show_default=False)
]


def demo(
    song: SongArgument = None,
    model: ModelOption = None,
    output_dir: OutputOption = Path("demo-out"),
    seconds: SecondsOption = None,
    clock: ClockOption = None,
) -> None:
    """Take a song apart while it plays, on a card if there is one; needs nothing else."""
    if song is not None and not song.is_file():
        problem = f"'{song}' is a folder" if song.is_dir() else f"there is no file '{song}'"
        raise UsageError(f"{problem}. Name a song; without one, rtsep composes its own.")
    from rtsep.io.folders import make_folder

    make_folder(output_dir)
    source = song if song is not None else compose_song(output_dir / "demo-song.wav", seconds)
    settings = demo_settings(source, output_dir, model=model, clock=clock)
    if model is None:
        from rtsep.zoo import default_model

        say(default_model()[1])
    host = open_host(settings, may_change_clock=clock is None)
    play(host, keys=settings.control.keys, turn=VoiceFader(host, seconds).turn)
    host.check()
    tell_how_to_listen(host.stats()["files"])


def demo_settings(source: Path, output_dir: Path, *, model: str | None, clock: str | None) -> LiveSettings:
    """Settings that play a file, on a card if there is one, and keep everything."""
    from rtsep.io.cards import has_output

    if clock is None:
        clock = "device" if has_output() else "real"
    return LiveSettings().with_overrides(
        {
            "input": {"source": f"file:{source}"},
            "model": {"name": model},
            "mixer": {"ramp_ms": RAMP_MS},
            # Nobody plays along with a demo: latency is spent on never being late beside other programs.
            "output": {"record": str(output_dir), "clock": clock, "compute_ms": COMPUTE_MS},
        }
    )


def open_host(settings: LiveSettings, *, may_change_clock: bool) -> Host:
    """The session; on a clock of its own where there is a card that cannot be used, unless it was asked for.

    Raises
    ------
    RtsepError
        Something else is wrong, or the card is and was asked for.
    """
    from rtsep.host import Host

    try:
        with getting_ready():
            return Host(settings)
    except DeviceError as error:
        if not may_change_clock or settings.output.clock != "device":
            raise
        say(f"The sound card cannot be used: {error}\nThe demo runs without it, on a clock of its own.")
        return Host(settings.with_overrides({"output": {"clock": "real"}}))


def compose_song(path: Path, duration_s: float | None) -> Path:
    """Let rtsep write, play and sing its song."""
    import numpy as np

    from rtsep.demo.song import SAMPLE_RATE_HZ, render
    from rtsep.io.files import AudioWriter

    say("Composing a song ...")
    stems = render(duration_s=duration_s)
    mixture = np.sum(list(stems.values()), axis=0)
    with AudioWriter(path, SAMPLE_RATE_HZ, mixture.shape[0], subtype="PCM_24") as writer:
        writer.write(mixture)
    return path


class VoiceFader:
    """Moves the voice as `voice_gain_db` says, until somebody else touches its fader.

    Parameters
    ----------
    host
        The session.
    seconds
        When to end; None: with the song.
    """

    def __init__(self, host: Host, seconds: float | None) -> None:
        self._host, self._seconds = host, seconds
        self._stem = "vocals" if "vocals" in host.stems else next(iter(host.stems))
        self._gain_db = host.stems[self._stem].gain_db
        self._is_mine = True
        self._message = ""

    def turn(self, hands: Hands) -> None:
        """Move on to where the song is now."""
        transport = self._host.transport
        assert transport is not None, "the demo plays a file"
        position_s = transport.position_s
        length_s = transport.duration_s if self._seconds is None else self._seconds
        if self._seconds is not None and position_s >= self._seconds:
            hands.quit = True
        self._is_mine = self._is_mine and self._host.stems[self._stem].gain_db == self._gain_db
        if not self._is_mine:
            if hands.message == self._message:
                hands.message = ""
            return
        gain_db = voice_gain_db(position_s, length_s)
        if gain_db != self._gain_db:
            self._message = (
                f"the demo moves {self._stem}; left and right take the fader over" if gain_db else ""
            )
            hands.message = self._message
            self._host.stems[self._stem].gain_db = gain_db
            self._gain_db = gain_db


def voice_gain_db(position_s: float, length_s: float) -> float:
    """Where the voice's fader stands: on a cycle of `CYCLE_S`, squeezed into a shorter song."""
    squeeze = min(1.0, length_s / sum(CYCLE_S))
    here, leaving, away, returning = (part * squeeze for part in CYCLE_S)
    at_s = position_s % (here + leaving + away + returning) - here
    if at_s < 0:
        return 0.0
    if at_s < leaving:
        return LOWEST_GAIN_DB * at_s / leaving
    if at_s < leaving + away:
        return -math.inf
    return LOWEST_GAIN_DB * (1 - (at_s - leaving - away) / returning)


def tell_how_to_listen(files: Sequence[str]) -> None:
    """Name the files that were made."""
    say("\nListen, with any player:")
    for file in files:
        out.print(file, markup=False, highlight=False)
    say("\nNext: `rtsep live song.mp3 --karaoke`, and `rtsep models pull 2stems` for the real model.")
