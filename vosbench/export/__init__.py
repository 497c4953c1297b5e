"""What exporters take and are: `Table`, and `ExporterSpec` for `vosbench compare --format`.

A `Table` keeps full-precision values and says how they are shown; an exporter turns tables into
text. This module imports nothing heavy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

#: (row position, column name); column "" is the row's label.
Place = tuple[int, str]

#: Shown where a value is not known.
UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is shown.

    Attributes:
        scale: factor before printing, e.g. 100 for percent.
        decimals: digits after the point.
        best: whether the largest or the smallest value is set in bold; None for neither.
        signed: print a plus sign before positive values.
        significant: digits that count at least, for values that span decades (FPS).
        least: positive values below it are printed as "<" and it, e.g. a p value as "<0.001".
    """

    scale: float = 1.0
    decimals: int = 1
    best: Literal["max", "min"] | None = None
    signed: bool = False
    significant: int = 0
    least: float = 0.0

    def text(self, value: object) -> str:
        """`value` as it is printed; text is passed through, NaN and None become "-"."""
        if isinstance(value, str):
            return value
        if value is None:
            return UNKNOWN
        number = float(value) * self.scale  # type: ignore[arg-type]
        if not math.isfinite(number):
            return UNKNOWN
        if 0 < number < self.least:
            return f"<{self.least:.{self.decimals}f}"
        sign = "+" if self.signed else ""
        if self.significant and number:
            needed = self.significant - 1 - math.floor(math.log10(abs(number)))
            if needed > self.decimals:
                return f"{number:{sign}.{needed}f}".rstrip("0")
        return f"{number:{sign}.{self.decimals}f}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One printed value: its text without any markup, and how it is set off: the best is bold, the
    second best underlined."""

    text: str
    bold: bool = False
    mark: str = ""
    second: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table ready for any exporter.

    Attributes:
        title: what it shows, one line.
        frame: values at full precision; the index labels the rows.
        columns: how each column is shown; those missing here as plain `Column()`.
        sections: first row of each further block of rows (a rule is drawn above it).
        best_along: whether the best of each column or of each row is set in bold, and the second
            best of three or more underlined.
        parentheses: places set in parentheses; they are not ranked.
        unranked: further places that never count as best.
        marks: place -> footnote signs, e.g. "*".
        notes: footnotes, each beginning with its sign if it has one.
    """

    title: str
    frame: pd.DataFrame
    columns: Mapping[str, Column] = field(default_factory=dict)
    sections: tuple[int, ...] = ()
    best_along: Literal["columns", "rows"] = "columns"
    parentheses: frozenset[Place] = frozenset()
    unranked: frozenset[Place] = frozenset()
    marks: Mapping[Place, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Heading of the column of row labels."""
        return str(self.frame.index.name or "")

    def header(self) -> list[str]:
        """Headings of all columns, the row labels' first."""
        return [self.label, *map(str, self.frame.columns)]

    def rows(self) -> list[list[Cell]]:
        """All cells, row labels first. The best is judged by what is printed, so
        rows that look alike are set alike."""
        names = list(map(str, self.frame.columns))
        texts = [
            [self._column(name).text(value) for name, value in zip(names, values, strict=True)]
            for values in self.frame.itertuples(index=False, name=None)
        ]
        bold, second = self._places(names, texts)
        rows = []
        for row, label in enumerate(self.frame.index):
            cells = [Cell(str(label), mark=self.marks.get((row, ""), ""))]
            for c, name in enumerate(names):
                text = texts[row][c]
                if (row, name) in self.parentheses and text != UNKNOWN:
                    text = f"({text})"
                mark = self.marks.get((row, name), "")
                cells.append(Cell(text, (row, name) in bold, mark, (row, name) in second))
            rows.append(cells)
        return rows

    def _repr_html_(self) -> str:
        return ExporterSpec(name="html", render="vosbench.export.html:render").export([self])

    def _column(self, name: str) -> Column:
        return self.columns.get(name, Column())

    @property
    def leading(self) -> str:
        """The first column that has a best value; "name" if none has."""
        names = map(str, self.frame.columns)
        return next((name for name in names if self._column(name).best), "name")

    def sorted_by(self, column: str) -> Table:
        """The table with the rows of each section in the order of `column`, the best first, and
        unknown values last; with "name", by their labels. Columns without a best value are sorted
        from the largest.

        Raises:
            UsageError: there is no such column.
        """
        from vosbench.errors import UsageError

        names = list(map(str, self.frame.columns))
        if column not in (*names, "name"):
            listed = ", ".join(("name", *names))
            raise UsageError(f"--sort {column}: there is no such column", f"Columns: {listed}.")
        bounds = [0, *self.sections, len(self.frame)]
        order: list[int] = []
        for start, end in itertools.pairwise(bounds):
            rows = list(range(start, end))
            if column == "name":
                rows.sort(key=lambda row: str(self.frame.index[row]))
            else:
                rows.sort(key=lambda row: self._rank(row, column))
            order += rows
        moved = {old: new for new, old in enumerate(order)}
        return replace(
            self,
            frame=self.frame.iloc[order],
            parentheses=frozenset((moved[row], name) for row, name in self.parentheses),
            unranked=frozenset((moved[row], name) for row, name in self.unranked),
            marks={(moved[row], name): sign for (row, name), sign in self.marks.items()},
        )

    def _rank(self, row: int, column: str) -> tuple[bool, float]:
        value = self.frame[column].iloc[row]
        number = float("nan") if value is None or isinstance(value, str) else float(value)
        sign = 1 if self._column(column).best == "min" else -1
        return math.isnan(number), 0.0 if math.isnan(number) else sign * number

    def _places(self, names: list[str], texts: list[list[str]]) -> tuple[set[Place], set[Place]]:
        """Where the best values stand, and the second best of three or more."""
        out = self.parentheses | self.unranked
        rivals: dict[int | str, dict[Place, float]] = {}
        for row, cells in enumerate(texts):
            for name, text in zip(names, cells, strict=True):
                sign = {"max": 1.0, "min": -1.0}.get(self._column(name).best or "")
                if sign and text != UNKNOWN and (row, name) not in out:
                    line = row if self.best_along == "rows" else name
                    rivals.setdefault(line, {})[(row, name)] = sign * float(text)
        best: set[Place] = set()
        second: set[Place] = set()
        for values in rivals.values():
            ranking = sorted(set(values.values()), reverse=True)
            if len(values) > 1:
                best |= {place for place, value in values.items() if value == ranking[0]}
            if len(values) > 2 and len(ranking) > 1:
                second |= {place for place, value in values.items() if value == ranking[1]}
        return best, second


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterSpec:
    """A format of `vosbench compare --format`.

    Attributes:
        name: what users type, e.g. "markdown".
        render: turns tables into text; as "package.module:attribute" it is imported on use.
        summary: one line of help.

    Example:
        >>> ExporterSpec(name="titles", render=lambda tables: "\\n".join(t.title for t in tables))
        ... # doctest: +ELLIPSIS
        ExporterSpec(name='titles', ...)
    """

    name: str
    render: str | Callable[[Sequence[Table]], str]
    summary: str = ""

    def export(self, tables: Sequence[Table]) -> str:
        """`tables` as text. Raises PluginError if `render` cannot be imported."""
        from vosbench.specs import resolve_factory

        text: str = resolve_factory(self.render)(tables)
        return text
