"""Tables for the terminal: aligned columns, the best in bold, the second best underlined."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from vosbench.export import Cell, Table


def render(tables: Sequence[Table]) -> str:
    """The tables as text with ANSI escapes for bold; print it with `click.echo`, which drops the
    escapes where the output is no terminal. Lines are never wrapped or cut."""
    return "\n".join(_render(table) for table in tables)


def _style(cell: Cell) -> str:
    return "bold" if cell.bold else "underline" if cell.second else ""


def _render(table: Table) -> str:
    grid = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="")
    for position, heading in enumerate(table.header()):
        grid.add_column(Text(heading), justify="right" if position else "left", no_wrap=True)
    rows = table.rows()
    for position, row in enumerate(rows):
        if position in table.sections:
            grid.add_section()
        grid.add_row(*(Text(c.text + c.mark, style=_style(c)) for c in row))
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=100_000,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        _environ={},
    )
    console.print(Text(table.title, style="bold"), soft_wrap=True)
    console.print(grid)
    for note in table.notes:
        console.print(Text(note), soft_wrap=True)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
