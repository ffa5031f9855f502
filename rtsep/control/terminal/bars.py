"""The small pieces of a picture: levels, faders and times as text."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

FLOOR_DBFS = -60.0
#: Where a meter turns yellow and red.
ZONES_DBFS = ((-18.0, "green"), (-6.0, "yellow"), (0.0, "red"))


@dataclass(frozen=True)
class Marks:
    """The characters of a picture, for terminals with and without Unicode."""

    rms: str
    peak: str
    rest: str
    selected: str
    line: str
    playing: str
    paused: str
    knob: str
    cursor: str
    back: str
    on: str
    above: str
    below: str
    more: str


UNICODE = Marks("█", "▒", "·", "▸", "─", "▶", "‖", "┃", "▏", "◂", "▸", "▴", "▾", "…")
ASCII = Marks("#", "=", ".", ">", "-", ">", "|", "|", "_", "<", ">", "^", "v", "..")


def meter(peak_dbfs: float, rms_dbfs: float, width: int, marks: Marks = UNICODE) -> Text:
    """A bar from the floor to 0 dBFS: full up to the RMS, shaded up to the peak."""
    n_rms, n_peak = _columns(rms_dbfs, width), _columns(peak_dbfs, width)
    bar = Text()
    for column in range(width):
        if column >= max(n_rms, n_peak):
            bar.append(marks.rest * (width - column), style="dim")
            break
        at_dbfs = FLOOR_DBFS * (1 - column / width)
        colour = next(colour for top_dbfs, colour in ZONES_DBFS if at_dbfs < top_dbfs)
        bar.append(marks.rms if column < n_rms else marks.peak, style=colour)
    return bar


def _columns(level_dbfs: float, width: int) -> int:
    """How far a level reaches, in columns."""
    share = 1 - max(FLOOR_DBFS, min(level_dbfs, 0.0)) / FLOOR_DBFS
    return round(share * width)


def slider(position: float, width: int, marks: Marks) -> Text:
    """Where a fader without a meter stands: ``────┃─────``."""
    place = round(position * (width - 1))
    bar = Text(marks.line * place, style="dim")
    bar.append(marks.knob, style="bold")
    return bar.append(marks.line * (width - 1 - place), style="dim")


def clock(time_s: float) -> str:
    """Seconds as ``m:ss``, or ``h:mm:ss``."""
    minutes, seconds = divmod(max(0, int(time_s)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
