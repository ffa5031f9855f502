"""``rtsep midi``: controllers, what they say, what they move, and how to teach them something else."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from rtsep.cli.console import out, say
from rtsep.cli.interrupts import interruptible

if TYPE_CHECKING:
    from rtsep.control.midi.known import Maps
    from rtsep.control.midi.learn import Wish
    from rtsep.control.midi.maps import Binding
    from rtsep.control.midi.messages import Message

app = typer.Typer(
    help="List MIDI controllers, watch what they say, teach them, and check their maps.",
    no_args_is_help=True,
    epilog="`rtsep live song.mp3 --midi auto` plays with all controllers that have a map; maps of your own are kept in "
    "the folder `midi` of your settings.",
)

PortArgument = Annotated[
    str | None, typer.Argument(metavar="PORT", help="A part of a port's name; else all.", show_default=False)
]


@app.command("list")
def list_() -> None:
    """Show the controllers that are plugged in, and the map that each would get."""
    from rtsep.control.midi.known import AUTO, GENERIC, known_maps
    from rtsep.control.midi.ports import Ports, steady

    maps, ports = known_maps(), Ports()
    maps.tell_broken(say)
    inputs, outputs = ports.inputs(), ports.outputs()
    ports.close()
    table = Table("port", "lights", "map", box=None, pad_edge=False, header_style="bold")
    for name in inputs:
        found = maps.chosen(AUTO, name)
        is_lit = any(steady(o) == steady(name) or (found and found.map.fits(o)) for o in outputs)
        map_ = Text(found.map.name) if found else Text(f"{GENERIC}, if it is named", "dim")
        table.add_row(Text(name), "yes" if is_lit else "", map_)
    if inputs:
        out.print(table)
    say(f"Maps: {', '.join(maps.by_name)}." if inputs else "No MIDI controller is plugged in.")


@app.command()
def monitor(port: PortArgument = None) -> None:
    """Print what controllers say, and what that would move, until Ctrl-C."""
    from rtsep.control.midi.known import known_maps
    from rtsep.control.midi.listening import Listening

    over, maps, speaker = threading.Event(), known_maps(), ""
    maps.tell_broken(say)
    meanings = _Meanings(maps)
    with Listening(port, say) as ears, interruptible(over.set):
        say(f"Listening to {', '.join(ears.names)}; Ctrl-C ends it.")
        for heard in ears.rounds():
            for name, messages in heard:
                if name != speaker and (speaker or len(ears.names) > 1):
                    out.print(Text(name, "bold"))
                speaker = name
                for line in meanings.of(name, messages):
                    out.print(line)
            if over.is_set():
                return


@app.command()
def learn(
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS", help="Like /stem/1/gain_db, or /scene/recall=karaoke; `rtsep parameters`."
        ),
    ],
    port: PortArgument = None,
) -> None:
    """Wait for a control to be moved, and keep in a map that it moves this address."""
    from rtsep.control.midi.known import known_maps
    from rtsep.control.midi.learn import keep, read_wish, teach

    wish, maps = read_wish(address), known_maps()
    maps.tell_broken(say)
    name, found = _moved(wish, port)
    learnt = teach(maps.of(name), wish, name, found)
    say(f"{learnt.text}.")
    say(f"{keep(learnt)}.")


def _moved(wish: Wish, port: str | None) -> tuple[str, dict[str, Any]]:
    """The port whose control is moved for a wish, and what was recognised."""
    from rtsep.control.midi.learn import Learner
    from rtsep.control.midi.listening import Listening

    done: list[tuple[str, dict[str, Any]]] = []
    learner = Learner(lambda _, name, found: done.append((name, found)), say)
    with Listening(port, say) as ears:
        say(f"Listening to {', '.join(ears.names)}; Ctrl-C ends it.")
        learner.arm(wish)
        for heard in ears.rounds():
            for name, messages in heard:
                learner.hear(name, messages)
            learner.settle()
            if done:
                break
    return done[0]


@app.command()
def check(
    map_: Annotated[str, typer.Argument(metavar="MAP", help="A file, or the name of a map that there is.")],
) -> None:
    """Read a map as `live` does: print what moves what, and what cannot work as it was meant."""
    from rtsep.control.midi.known import known_maps
    from rtsep.control.midi.maps import problems, told

    found = known_maps().named(map_)
    table = Table(show_header=False, box=None, pad_edge=False)
    for binding in found.each():
        table.add_row(Text(told(binding.key)), Text(_does(binding)))
    if found.each():
        out.print(table)
    wrong = list(problems(found))
    for text in wrong:
        say(f"warning: {text}")
    say(f"{found.name}: {len(found.each())} controls, {len(wrong) or 'nothing'} to look at.")


class _Meanings:
    """What messages of controllers mean, by the maps that they would get."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._last: deque[tuple[str, int, int]] = deque(maxlen=2)  # port, channel and number of controllers

    def of(self, port: str, messages: Iterable[Message]) -> Iterator[Text]:
        """A line for each message, and for what several make together."""
        from rtsep.control.midi.maps import bound

        map_ = self._maps.of(port).map
        bindings = map_.by_key()
        for message in messages:
            if message.kind == "cc":
                self._last.append((port, message.channel, message.number))
            does = [_does(binding) for binding in bound(bindings, message)]
            if map_.shift is not None and map_.shift.is_meant(message):
                does = ["shift"]
            if does or message.kind != "cc14" or self._is_pair(port, message):
                yield Text.assemble(str(message), (f"  → {', '.join(does)}" if does else "", "cyan"))

    def _is_pair(self, port: str, message: Message) -> bool:
        """Whether both halves have just been said, not one and at some other time the other."""
        from rtsep.control.midi.messages import FINE

        halves = (message.number, message.number + FINE)
        return list(self._last) == [(port, message.channel, number) for number in halves]


def _does(binding: Binding) -> str:
    """What a control moves, and how."""
    from rtsep.parameters import row_of

    line = binding.line
    value = "" if binding.value is None else f"={row_of(binding.to).scale.tell(binding.value)}"
    how = [word for word in (line.press, line.encoder, "inverted" if line.invert else None) if word]
    how += [f"with shift {binding.shift}"] if binding.shift else []
    return f"{binding.to}{value}" + (f" ({', '.join(how)})" if how else "")
