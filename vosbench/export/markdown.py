"""Tables in GitHub-flavoured Markdown, the best as `**value**`, the second as `_value_`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vosbench.export import Cell, Table


def render(tables: Sequence[Table]) -> str:
    """The tables, each below its title in bold and above its notes."""
    return "\n".join(_render(table) for table in tables)


def escape(text: str) -> str:
    """`text` with the characters that are special inside a Markdown table escaped."""
    return re.sub(r"([\\`*_\[\]<>|~])", r"\\\1", text).replace("\n", " ")


def _render(table: Table) -> str:
    header = [escape(heading) for heading in table.header()]
    body = [[_cell(cell) for cell in row] for row in table.rows()]
    widths = [max(3, *map(len, column)) for column in zip(header, *body, strict=True)]
    lines = [f"**{escape(table.title)}**", "", _line(header, widths)]
    lines.append(_line(["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])], widths))
    lines += [_line(row, widths) for row in body]
    for note in table.notes:
        lines += ["", escape(note)]
    return "\n".join(lines) + "\n"


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    text = f"**{text}**" if cell.bold else f"_{text}_" if cell.second else text
    return text + escape(cell.mark)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
    return f"| {' | '.join(padded)} |"
