"""``rtsep devices``: the sound cards, what rtsep would choose, and what this system grants to threads in a hurry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from rtsep.cli.console import out, say
from rtsep.errors import DeviceError

if TYPE_CHECKING:
    from rtsep.io.cards import Card, Direction
    from rtsep.realtime.finding import Finding

EPILOG = """
`--input` and `--output` of `rtsep live` take an index or a part of a name that fits one device only. They may be
two devices, of two host APIs as well: the output then follows the input's clock. Latency is the card's own default for
small blocks, input and output; `rtsep live` adds its own parts.

`rtsep devices --doctor` asks the system, for real, for what a live session asks, and says what to change.
"""

LEGEND = "ok: nothing to do   --: can be better   !!: heard when the machine is busy"
MARKS = {"good": "[green]ok[/]", "fair": "[yellow]--[/]", "poor": "[bold red]!![/]"}

DoctorOption = Annotated[
    bool, typer.Option("--doctor", help="What this system grants a live session, and what to change.")
]


def devices(doctor: DoctorOption = False) -> None:
    """Show the sound cards: host APIs, channels, rates, latencies, and what rtsep would choose."""
    if doctor:
        show_findings()
        return
    from rtsep.io.cards import list_cards

    cards = list_cards()
    if not cards:
        say(
            "There is no sound card. `rtsep demo` runs without one; `rtsep live` with files and --clock real."
        )
        return
    out.print(table(cards))
    for line in choices(cards):
        say(line)


def table(cards: Sequence[Card]) -> Group:
    """Every card in two lines: what it is called, and what it can do."""
    rows: list[Text] = []
    for card in cards:
        rows.append(
            Text(f"{_mark(card)} {card.index:>2}  {card.full_name}", no_wrap=True, overflow="ellipsis")
        )
        rows.append(Text(f"        {'; '.join(_abilities(card))}", style="dim"))
    return Group(*rows)


def _abilities(card: Card) -> Iterator[str]:
    """Channels, latency and rates of each direction that it has."""
    from rtsep.io.cards import rates_hz

    directions: tuple[tuple[Direction, float], ...] = (
        ("input", card.input_latency_s),
        ("output", card.output_latency_s),
    )
    taken = {direction: rates_hz(card, direction) for direction, _ in directions}
    for direction, latency_s in directions:
        if n_channels := card.n_channels(direction):
            yield f"{n_channels} {direction}s in {1000 * latency_s:.1f} ms"
    rates = list(dict.fromkeys(tuple(hz) for direction, hz in taken.items() if card.n_channels(direction)))
    if len(rates) == 1:
        yield _khz(rates[0], card.sample_rate_hz)
    else:
        yield from (f"{name}s at {_khz(hz, card.sample_rate_hz)}" for name, hz in taken.items() if hz)


def _khz(rates_hz: Sequence[int], own_hz: int) -> str:
    """Rates as people say them, the card's own in brackets."""
    words = [f"[{hz / 1000:g}]" if hz == own_hz else f"{hz / 1000:g}" for hz in rates_hz]
    return f"{' '.join(words)} kHz" if words else "no usual rate (in use?)"


def _mark(card: Card) -> str:
    """What rtsep takes without being told."""
    return (">" if card.is_default_input else " ") + ("<" if card.is_default_output else " ")


def choices(cards: Sequence[Card]) -> Iterator[str]:
    """What `rtsep live` would do without being told, in lines."""
    from rtsep.io.cards import DEFAULT_CARD, PREFERRED_RATE_HZ, choose_rate_hz, find_card

    found: dict[Direction, Card] = {}
    for direction in ("input", "output"):
        try:
            found[direction] = find_card(DEFAULT_CARD, direction)
        except DeviceError as error:
            yield str(error)
    yield "> default input, < default output; latency at small blocks, [its own rate]."
    if (plays := found.get("output")) is not None:
        rate_hz = choose_rate_hz(None, plays, [PREFERRED_RATE_HZ])
        yield f"`rtsep live SONG` plays on {plays.index}, at the song's rate if it can, else at {rate_hz} Hz."
    if plays is None or (takes := found.get("input")) is None:
        return
    leads = plays if takes.shares_clock(plays) else None  # each may have a rate of its own then
    rate_hz = choose_rate_hz(takes, leads, [PREFERRED_RATE_HZ])
    yield f"`rtsep live` takes the music from {takes.index} and plays on {plays.index}, at {rate_hz} Hz."


# ------------------------------------------------------------------ the doctor


def show_findings() -> None:
    """One row a thing, and below it the lines that would change it."""
    from rtsep.realtime.doctor import examine
    from rtsep.realtime.finding import Measurement
    from rtsep.tuning import read_measured

    measured = [
        Measurement(key.split(" on ")[0], timing.load, timing.way.n_threads)
        for key, timing in read_measured().models.items()
    ]
    out.print(findings_table(examine(measured)))


def findings_table(findings: Sequence[Finding]) -> Group:
    """Findings for 80 columns: the rows, then what to change, in lines that can be copied."""
    rows = Table("", "what", "here", "what it means", box=None, pad_edge=False, width=80)
    rows.columns[1].no_wrap = True
    rows.columns[2].ratio, rows.columns[3].ratio = 2, 3
    for finding in findings:
        rows.add_row(MARKS[finding.state], Text(finding.what), Text(finding.found), Text(finding.means))
    changes = [finding for finding in findings if finding.change]
    lines = [Text(f"\n{LEGEND}", style="dim")]
    if changes:
        lines.append(Text("\nWhat to change on this system", style="bold"))
    for finding in changes:
        lines.append(Text(f"\n{finding.what}"))
        lines.extend(Text(f"  {line}") for line in finding.change)
    return Group(rows, *lines)
