"""What every protocol says: which objects count in which frames, what is measured, how it is
averaged, and what the tables look like."""

from __future__ import annotations

import csv
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vosbench.metrics.contour import Shape, boundary_radius
from vosbench.metrics.region import jaccard
from vosbench.metrics.series import statistics

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence

#: Mean of a column over some rows: a number, or an array with one for each draw of a bootstrap.
Mean = Callable[[Sequence["Row"], str], Any]

#: One row of the table of objects: `sequence`, `object`, then scores by column name.
Row = dict[str, Any]

#: The columns of DAVIS's tables, which most benchmarks took over.
DAVIS_COLUMNS = (
    "J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay",
)  # fmt: skip

_SUFFIXES = ("-Mean", "-Recall", "-Decay")


@dataclass(slots=True)
class ObjectScores:
    """One object over the frames in which it is scored.

    Attributes:
        object: its id.
        meta: facts of its sequence, `Sequence.meta`.
        frames: names of the frames, in order.
        values: measure -> one value per frame; "J" and "F" first.
        annotated, predicted: whether the object is there, per frame.
    """

    object: int
    meta: Mapping[str, Any]
    frames: list[str] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    annotated: list[bool] = field(default_factory=list)
    predicted: list[bool] = field(default_factory=list)


class Protocol(ABC):
    """A way to score: J and F per frame, their statistics per object, means over objects.

    A protocol says at least its `name`, its `summary` and, in `plan`, what is scored.

    Attributes:
        name: as in `Dataset.protocol`.
        summary: one line.
        official: whether an official program defines it.
        caveat: what must be said with every score; "" if nothing.
        merged: all ids are one object.
        strict_ids: an id above the annotation's largest is a problem, else it is ignored.
        global_columns, object_columns: of the two csv files.
    """

    name: str
    summary: str
    official = True
    caveat = ""
    merged = False
    strict_ids = True
    global_columns: tuple[str, ...] = DAVIS_COLUMNS
    object_columns: tuple[str, ...] = ("J-Mean", "F-Mean")

    @abstractmethod
    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        """Object id -> indices of the frames in which it is scored.

        Raises:
            DatasetError: the annotation that says which objects there are is broken.
        """

    def measure(self, annotation: Shape, prediction: Shape) -> dict[str, float]:
        """Values of one object in one frame: at least "J" and "F"."""
        radius = boundary_radius(*annotation.mask.shape)
        return {
            "J": jaccard(*annotation.overlap(prediction)),
            "F": annotation.contour_accuracy(prediction, radius),
        }

    def select(self, objects: Sequence[ObjectScores]) -> list[ObjectScores]:
        """The objects, and of each the frames, that count."""
        return [scores for scores in objects if scores.frames]

    def summarise(self, scores: ObjectScores) -> Row:
        """Scores of one object over its frames."""
        row: Row = {}
        for measure, values in scores.values.items():
            mean, recall, decay = statistics(values)
            row[f"{measure}-Mean"] = mean
            if measure in ("J", "F"):
                row |= {f"{measure}-Recall": recall, f"{measure}-Decay": decay}
        return row

    def overall(self, rows: Sequence[Row], mean: Mean | None = None) -> dict[str, Any]:
        """Global scores from the table of objects, official columns first.

        Args:
            mean: how a column is averaged over rows; `mean_of` by default. A bootstrap gives one
                that returns a mean for each of its draws, and gets as many global scores.
        """
        mean = mean or mean_of
        means = {name: mean(rows, name) for name in rows[0] if name.endswith(_SUFFIXES)}
        return {"J&F-Mean": (means["J-Mean"] + means["F-Mean"]) / 2, **means}

    def row_name(self, row: Row) -> str:
        """Name of an object in the official tables."""
        return f"{row['sequence']}_{row['object']}"

    def files(self, rows: Sequence[Row], overall: Mapping[str, float]) -> dict[str, str]:
        """File name -> text of the official tables."""
        table = [("Sequence", *self.object_columns)]
        for row in rows:
            cells = (_cell(row[column]) for column in self.object_columns)
            table.append((self.row_name(row), *cells))
        total = tuple(_cell(overall[column]) for column in self.global_columns)
        return {
            "global_results-val.csv": _csv([self.global_columns, total]),
            "per-sequence_results-val.csv": _csv(table),
        }


def mean_of(rows: Sequence[Row], column: str) -> float:
    """Mean of a column over objects that have a value; nan if none has."""
    values = np.array([row[column] for row in rows if not math.isnan(row[column])])
    return float(values.mean()) if values.size else math.nan


def csv_cell(text: str) -> str:
    """A cell of a csv file: quoted if it holds a comma, quotation mark or line break."""
    return _csv([[text]]).rstrip("\n") if text else text


def _csv(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text; cells that hold a comma or quotation mark are quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
