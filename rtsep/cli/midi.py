"""``rtsep midi``: controllers, what they say, what they move, and how to teach them something else."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from rtsep.cli.console import out, say
from rtsep.errors import DeviceError, UsageError

app = typer.Typer(
    help="List MIDI controllers, watch what they say, teach them, and check their maps.",
    no_args_is_help=True,
    epilog="`rtsep live song.mp3 --midi auto` plays with all controllers that have a map; maps of your own are kept in "
    "the folder `midi` of your settings.",
)

LOOK_S = 0.005

PortArgument = Annotated[
    str | None, typer.Argument(metavar="PORT", help="A part of a port's name; else all.")
]


@app.command("list")
def list_() -> None:
    """Show the ports there are, and the map that each would get."""
    from rich.table import Table

    from rtsep.control.midi.controllers import AUTO, chosen, known_maps
    from rtsep.control.midi.ports import Ports

    maps, ports = known_maps(), Ports()
    outputs = ports.outputs()
    table = Table("port", "lights", "map", box=None, pad_edge=False)
    for name in ports.inputs():
        found = chosen(AUTO, name, maps)
        table.add_row(
            name, "yes" if name in outputs else "", found.name if found else "generic, if it is named"
        )
    ports.close()
    out.print(table)
    say(f"Maps: {', '.join(maps)}.")


@app.command()
def monitor(
    port: PortArgument = None, seconds: Annotated[float | None, typer.Option(hidden=True)] = None
) -> None:
    """Print what controllers say, until Ctrl-C."""
    from rtsep.control.midi.maps import expression
    from rtsep.control.midi.messages import Assembler, Parser
    from rtsep.control.midi.ports import Ports

    ports = Ports()
    wanted = [name for name in ports.inputs() if port is None or expression(port).search(name)]
    if not wanted:
        there = ", ".join(ports.inputs()) or "none"
        ports.close()
        raise DeviceError(f"there is no MIDI port {port or 'at all'}; there are: {there}")
    opened = [(name, ports.open_input(name), Parser(), Assembler()) for name in wanted]
    say(f"Listening to {', '.join(wanted)}; Ctrl-C ends it.")
    until_s = None if seconds is None else time.monotonic() + seconds
    try:
        while until_s is None or time.monotonic() < until_s:
            for name, input_, parser, assembler in opened:
                while (data := input_.take()) is not None:
                    for message in parser.feed(data):
                        for whole in assembler.assemble(message):
                            out.print(f"{name}  {whole}", markup=False, highlight=False)
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        pass
    finally:
        for _, input_, _, _ in opened:
            input_.close()
        ports.close()


@app.command()
def learn(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Like /stem/1/gain_db; `rtsep parameters`.")
    ],
    port: PortArgument = None,
) -> None:
    """Wait for a control to be moved, and keep in a map that it moves this address."""
    from rtsep.config import user_folder
    from rtsep.control.midi.controllers import AUTO, FOLDER, GENERIC, chosen, known_maps
    from rtsep.control.midi.learn import Learner, file_of, save, with_line
    from rtsep.control.midi.maps import Line, expression, told
    from rtsep.control.midi.messages import Assembler, Parser
    from rtsep.control.midi.ports import Ports
    from rtsep.parameters import row_of

    if row_of(address).kind == "told":
        raise UsageError(f"{address} tells something; no control can move it")
    ports, maps = Ports(), known_maps()
    names = [name for name in ports.inputs() if port is None or expression(port).search(name)]
    if not names:
        ports.close()
        raise DeviceError(
            f"there is no MIDI port {port or 'at all'}; `rtsep midi list` shows those there are"
        )
    done: list[Path] = []

    def learnt(address: str, name: str, found: dict[str, object]) -> None:
        line = Line.model_validate({**found, "to": address})
        map_, conflicts = with_line(chosen(AUTO, name, maps) or maps[GENERIC], line, name)
        path = user_folder() / FOLDER / file_of(name)
        save(map_, path)
        for conflict in conflicts:
            say(f"Before, {conflict}; not any more.")
        say(f"{told(next(line.bindings()).key)} of {name} moves {address}. Kept in {path}.")
        done.append(path)

    learner = Learner(learnt, say)
    opened = [(name, ports.open_input(name), Parser(), Assembler()) for name in names]
    learner.arm(address)
    try:
        while not done:
            for name, input_, parser, assembler in opened:
                while (data := input_.take()) is not None:
                    learner.hear(name, [w for m in parser.feed(data) for w in assembler.assemble(m)])
            learner.settle()
            time.sleep(LOOK_S)
    finally:
        for _, input_, _, _ in opened:
            input_.close()
        ports.close()


@app.command()
def check(
    map_: Annotated[str, typer.Argument(metavar="MAP", help="A file, or the name of a map that ships.")],
) -> None:
    """Read a map as `live` does: print what moves what, and what cannot work as it was meant."""
    from rtsep.control.midi.controllers import known_maps
    from rtsep.control.midi.maps import problems, read_map, told

    maps = known_maps()
    found = maps[map_] if map_ in maps else read_map(Path(map_))
    for binding in found.each():
        shift = f" (with shift: {binding.shift})" if binding.shift else ""
        out.print(f"{told(binding.key)}: {binding.to}{shift}", markup=False, highlight=False)
    wrong = list(problems(found))
    for text in wrong:
        say(f"warning: {text}")
    say(f"{found.name}: {len(found.each())} controls, {len(wrong)} to look at.")
