"""One measure of several runs over sequences or objects of a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from vosbench.analysis.attributes import (
    DAVIS_TAGS,
    OF_OBJECTS,
    OF_SEQUENCES,
    object_classes,
    sequence_classes,
)
from vosbench.analysis.compare import known_columns, label, measure_column, measure_values
from vosbench.analysis.scored import ScoredRun
from vosbench.errors import RunError
from vosbench.export import Column, Table

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset


def attribute_table(
    runs: Sequence[ScoredRun],
    dataset: str,
    by: str,
    measure: str,
    open_data: Callable[[], Dataset],
    tags: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """A row for each class or tag: the mean of `measure` over the objects of that class, or over
    the sequences that carry the tag, each counting once whatever its length.

    Args:
        by: one of `vosbench.analysis.attributes.ATTRIBUTES`.
        open_data: gives the dataset, for attributes that are measured.
        tags: sequence -> tags, for `by` "attribute".

    Raises:
        RunError: no sequence of the runs has a tag, or a run has no such measure.
    """
    unit = "object" if by in OF_OBJECTS else "sequence"
    groups: dict[str, list[Any]]
    values = pd.DataFrame({s.name: measure_values(s, measure, unit) for s in runs})
    if by in OF_OBJECTS:
        classes = object_classes(open_data(), by)
        groups = {name: [k for k, c in classes.items() if c == name] for name in OF_OBJECTS[by]}
    else:
        known = (tags or {}) if by == "attribute" else sequence_classes(open_data(), by)
        order = OF_SEQUENCES.get(by) or sorted({tag for every in known.values() for tag in every})
        groups = {tag: [n for n, every in known.items() if tag in every] for tag in order}
    members = {name: values.index.intersection(list(keys)) for name, keys in groups.items()}
    members = {name: index for name, index in members.items() if len(index)}
    if not members:
        raise RunError(
            f"no sequence of {dataset} has a tag",
            "--tags FILE gives some; --by size, speed, occlusion, objects and length need none.",
        )
    frame = pd.DataFrame({name: values.loc[index].mean() for name, index in members.items()}).T
    counted = "Objects" if unit == "object" else "Sequences"
    frame.insert(0, counted, [len(index) for index in members.values()])
    frame.index.name = by.capitalize()
    shown = measure_column(measure, known_columns(runs))
    meanings = [f"{tag}: {DAVIS_TAGS[tag]}" for tag in members if tag in DAVIS_TAGS]
    remarks = [f"Mean over {counted.lower()}, each counts once; one may have several tags."]
    remarks += [", ".join(meanings) + "."] if meanings and by == "attribute" else []
    return Table(
        title=f"{label(runs, dataset)}: {measure} by {by}",
        frame=frame,
        columns={counted: Column(decimals=0), **{s.name: shown for s in runs}},
        best_along="rows",
        notes=tuple(remarks),
    )
