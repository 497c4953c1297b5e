"""Tables for programs: csv and JSON, at full precision and without any markup."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from vosbench.export import Table


def render_csv(tables: Sequence[Table]) -> str:
    """One table as plain csv; several one after the other, each below a line `# title`."""
    if len(tables) == 1:
        return _csv(tables[0])
    return "\n".join(f"# {table.title}\n{_csv(table)}" for table in tables)


def _csv(table: Table) -> str:
    """As csv; text that a spreadsheet would take for a formula gets an apostrophe in front."""
    frame = table.frame.rename(index=_harmless, columns=_harmless)
    return frame.map(_harmless).to_csv()


def _harmless(value: Any) -> Any:
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def render_json(tables: Sequence[Table]) -> str:
    """A list of `{title, columns, rows, notes}`; unknown values are null."""
    document = [
        {
            "title": table.title,
            "columns": table.header(),
            "rows": [
                [_plain(label), *map(_plain, values)]
                for label, values in zip(
                    table.frame.index,
                    table.frame.itertuples(index=False, name=None),
                    strict=True,
                )
            ],
            "notes": list(table.notes),
        }
        for table in tables
    ]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> str | float | int | None:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float)) else str(value)
