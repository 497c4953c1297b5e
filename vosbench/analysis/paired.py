"""Runs against one of them, pair by pair: is the difference more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from vosbench.analysis.compare import (
    known_columns,
    label,
    measure_column,
    measure_values,
    parts_column,
)
from vosbench.analysis.scored import ScoredRun
from vosbench.analysis.statistics import clustered_difference, holm, paired_difference
from vosbench.errors import RunError
from vosbench.export import Column, Table


def paired_table(
    runs: Sequence[ScoredRun],
    against: str,
    dataset: str,
    measure: str = "J&F",
    unit: str = "sequence",
) -> Table:
    """Every run minus the run `against`, pair by pair over sequences or objects: mean difference,
    95 % confidence interval (BCa bootstrap), p of the Wilcoxon signed-rank test.

    Objects of one sequence are not independent: over objects whole sequences are resampled, tested
    and counted.

    Args:
        against: a run's name, or a tracker's if only one run is of it.
        unit: "sequence" or "object".

    Raises:
        RunError: `against` fits no run or several; or a run has no such measure.
    """
    base = _one(runs, against)
    reference = measure_values(base, measure, unit)
    rows: dict[str, dict[str, float]] = {}
    for scored in runs:
        if scored is base:
            continue
        pair = pd.concat([measure_values(scored, measure, unit), reference], axis=1, join="inner")
        first, second = pair.iloc[:, 0].to_numpy(), pair.iloc[:, 1].to_numpy()
        if unit == "object":
            videos = pair.index.get_level_values("sequence")
            result = clustered_difference(first, second, videos)
        else:
            result = paired_difference(first, second)
        rows[scored.name] = {
            "Difference": result.mean,
            "95% low": result.low,
            "95% high": result.high,
            "p": result.p_value,
            "p Holm": result.p_value,
            "Better": result.wins,
            "Worse": result.losses,
            "Pairs": result.count,
        }
    for name, p in zip(rows, holm([row["p"] for row in rows.values()]), strict=True):
        rows[name]["p Holm"] = float(p)
    shown = measure_column(measure, known_columns(runs))
    signed = replace(shown, best=None, signed=True)
    others = [scored for scored in runs if scored is not base]
    frame = pd.DataFrame.from_dict(rows, orient="index").assign(**parts_column(others))
    frame.index.name = "Tracker"
    counted = "objects of each sequence together" if unit == "object" else "sequences"
    return Table(
        title=f"{label(runs, dataset)}: {measure} minus that of {base.name}, over {unit}s",
        frame=frame,
        columns={
            "Difference": signed,
            "95% low": signed,
            "95% high": signed,
            "p": Column(decimals=3, least=0.001),
            "p Holm": Column(decimals=3, least=0.001),
            **{name: Column(decimals=0) for name in ("Better", "Worse", "Pairs")},
        },
        notes=(
            "Mean over pairs with its BCa bootstrap interval (10000 resamples of whole sequences, "
            "fixed seed); p: Wilcoxon signed-rank test, two-sided; p Holm: corrected for the "
            f"number of rows. Pairs: {counted}.",
        ),
    )


def _one(runs: Sequence[ScoredRun], name: str) -> ScoredRun:
    found = [s for s in runs if s.name == name] or [s for s in runs if s.run.record.tracker == name]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(s.name for s in found or runs)
    problem = "several runs fit" if found else "no run fits"
    raise RunError(f"{problem} --against {name}", f"Name one of: {listed}.")
