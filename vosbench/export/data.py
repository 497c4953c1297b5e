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
        return tables[0].frame.to_csv()
    return "\n".join(f"# {table.title}\n{table.frame.to_csv()}" for table in tables)


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
