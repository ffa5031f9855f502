"""``rtsep parameters``: everything that can be moved, by its address."""

from __future__ import annotations

from rtsep.cli.console import out

EPILOG = """
Every surface has the same addresses: OSC sends them as they are, a map for a MIDI controller binds to them, a scene is
a list of them, and Python has them as `host.board["/stem/vocals/gain_db"] = -12`. `{stem}` stands for each stem of the
model that plays, `{bus}`, `{group}` and `{direct}` for what the settings name.
"""


def parameters() -> None:
    """List everything that can be moved while it plays: addresses, values, defaults."""
    from rich.table import Table

    from rtsep.parameters import TABLE

    table = Table(box=None, header_style="bold")
    table.add_column("address", min_width=max(len(row.address) for row in TABLE))  # to be typed, so never cut
    for title in ("values", "default", "what it does"):
        table.add_column(title)
    for row in TABLE:
        default = "" if row.kind == "momentary" else row.scale.tell(row.default)
        what = f"{row.what} (only told)" if row.kind == "told" else row.what
        table.add_row(f"[bold]{row.address}[/]", row.scale.allowed, default, what)
    out.print(table)
