"""Tables in HTML, for a page or a notebook's cell; the best in `<b>`, the second in `<u>`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from vosbench.export import Cell, Table


def render(tables: Sequence[Table]) -> str:
    """The tables, each with its title as caption and its notes below."""
    return "".join(_render(table) for table in tables)


def _render(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.header())
    rows = "".join(
        f'<tr><th scope="row">{_cell(first)}</th>'
        f"{''.join(f'<td>{_cell(cell)}</td>' for cell in others)}</tr>\n"
        for first, *others in table.rows()
    )
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in table.notes)
    return (
        f"<table>\n<caption>{escape(table.title)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n{notes}"
    )


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    text = f"<b>{text}</b>" if cell.bold else f"<u>{text}</u>" if cell.second else text
    return text + (f"<sup>{escape(cell.mark)}</sup>" if cell.mark else "")
