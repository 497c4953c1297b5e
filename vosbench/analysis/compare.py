"""Runs beside each other and beside published numbers.

Everything here is a pure function from runs to `Table`s; `vosbench.export` turns those into
text. Scores are in 0..1 inside and printed in percent, as papers do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from vosbench.analysis.published import DATASETS, Published, published
from vosbench.analysis.scored import ScoredRun
from vosbench.analysis.seeds import SeedGroup, by_seed, mixed_codes
from vosbench.errors import RunError
from vosbench.export import Column, Place, Table
from vosbench.metrics import Column as MeasureColumn
from vosbench.metrics.protocols import find_protocol

PERCENT = Column(scale=100, decimals=1, best="max")
PERCENT_LOW = Column(scale=100, decimals=1, best="min")
FPS = Column(decimals=1, best="max", significant=2)

#: Global scores in the order shown; others, of plugins' metrics, follow.
_ORDER = ("J&F", "J", "J-Recall", "J-Decay", "F", "J-seen", "F-seen", "J-unseen", "F-unseen")
_PART = "Part"
_SEEDS = "Seeds"
_LOW, _HIGH, _SPREAD = _SPREADS = "95% low", "95% high", "±"
_SUFFIXES = ("low", "high", _SPREAD)
_BY_SEQUENCE = (
    "Each row is a mean over the objects of one sequence, so that the last row, a mean over "
    "sequences, differs from a global score that is a mean over all objects.",
)
_LEFT_OUT = frozenset({"F-Recall", "F-Decay"})


def incomparable_reasons(runs: Sequence[ScoredRun]) -> dict[str, list[str]]:
    """What keeps the runs from being compared: run name -> reasons, judged against what most of
    the complete ones share. Empty if they can be compared."""
    reasons: dict[str, list[str]] = {}
    for scored in runs:
        if not scored.run.complete:
            failed = [s for s, r in scored.run.sequences().items() if r.status != "done"]
            missing = len(scored.run.record.sequences) - len(scored.run.sequences())
            what = [f"{len(failed)} failed ({', '.join(failed)})"] if failed else []
            what += [f"{missing} not run"] if missing else []
            reasons.setdefault(scored.name, []).append(
                f"incomplete: {', '.join(what) or 'partial'}"
            )
    usual = [scored for scored in runs if scored.run.complete] or list(runs)
    # Where as many have one as the other, the larger part of the dataset counts as usual.
    usual.sort(key=lambda scored: -len(scored.run.record.sequences))
    facts: tuple[tuple[str, Callable[[ScoredRun], Hashable]], ...] = (
        ("protocol", lambda s: s.summary.protocol if s.summary else s.run.record.protocol),
        ("dataset fingerprint", lambda s: s.run.record.fingerprint[:12]),
        ("sequences", lambda s: frozenset(s.run.record.sequences)),
    )
    for what_differs, fact in facts:
        common = Counter(map(fact, usual)).most_common(1)[0][0] if runs else None
        for scored in runs:
            if fact(scored) != common:
                own, others = _say(fact(scored)), _say(common)
                reasons.setdefault(scored.name, []).append(
                    f"other {what_differs}: {own}, where most have {others}"
                )
    return reasons


def require_comparable(runs: Sequence[ScoredRun]) -> None:
    """Raises RunError naming every run that must not stand beside the others, and why."""
    reasons = incomparable_reasons(runs)
    if reasons:
        listed = "".join(f"\n  - {name}: {'; '.join(why)}" for name, why in reasons.items())
        raise RunError(
            f"these runs cannot be compared with the others:{listed}",
            "Choose runs by --tracker or --exclude, finish or repeat them, compare what all have "
            "by --common, or force it with --mix.",
        )


def label(runs: Sequence[ScoredRun], dataset: str) -> str:
    """The dataset's name, and how much of it the runs are over: "demo, 3 of 6 sequences"; for runs
    over different parts the name alone (each row of their table says its part)."""
    if not runs or len({frozenset(scored.sequences) for scored in runs}) != 1:
        return dataset
    return ", ".join(filter(None, (dataset, runs[0].part)))


def published_beside(
    dataset: str, runs: Sequence[ScoredRun], which: str = "recent", *, secondary: bool = False
) -> tuple[Published | None, tuple[str, ...]]:
    """The published numbers that may stand beside `runs`, and a remark where there are none.

    Args:
        which, secondary: as in `vosbench.analysis.published.published`.
    """
    numbers = published(dataset, which, secondary=secondary)
    if numbers is None:
        silent = which == "none" or (which == "recent" and dataset not in DATASETS)
        remark = "" if silent else f"No published numbers ({which}) for {dataset}."
        return None, tuple(filter(None, (remark,)))
    counts = {len(scored.sequences) for scored in runs}
    if runs and counts != {numbers.sequences}:
        remark = f"Published numbers left out: they are over all {numbers.sequences} sequences."
        return None, (remark,)
    return numbers, ()


def main_table(
    runs: Sequence[ScoredRun],
    dataset: str,
    numbers: Published | None = None,
    notes: Sequence[str] = (),
    *,
    intervals: bool = False,
    each_seed: bool = False,
) -> Table:
    """Runs, then published methods: global scores and FPS, best in bold.

    Beside the leading score stands its 95 % interval over whole sequences. Runs that differ in
    their seed alone are one row. FPS counts frames over the whole time of a tracker, initialisation
    and updates included. Where the machine was shared it stands in parentheses; neither that nor
    the FPS of published methods, measured on other hardware, is ranked. Where a run is over a part
    of the dataset, a column says how much of it.

    Args:
        intervals: intervals of all scores.
        each_seed: one row for each run.
    """
    groups = by_seed(runs, apart=each_seed)
    further = known_columns(runs)
    rows = [
        {name: value for name, value in group.scores().items() if name not in further}
        | {"FPS": _mean_fps(group)}
        for group in groups
    ]
    firsts = [group.runs[0] for group in groups]
    own = pd.DataFrame(rows, index=[group.name for group in groups]).assign(**parts_column(firsts))
    remarks, marks = _run_notes(runs, groups)
    own = _with_spread(own, groups, intervals=intervals)
    frame = own
    sections: tuple[int, ...] = ()
    unranked: set[Place] = set()
    if numbers is not None:
        theirs = numbers.rows.dropna(axis="columns", how="all")
        frame = pd.concat([own, theirs]) if len(own) else theirs
        sections = (len(own),) if len(own) else ()
        signs = {source: f" [{n}]" for n, source in enumerate(dict.fromkeys(numbers.sources), 1)}
        marks |= {(len(own) + n, ""): signs[source] for n, source in enumerate(numbers.sources)}
        unranked = {(position, "FPS") for position in range(len(own), len(frame))}
        remarks.append("Published, with FPS on other hardware (not ranked):")
        remarks += [f"{sign.strip()} {source}." for source, sign in signs.items()]
    frame = frame[_ordered(frame)]
    frame.index.name = "Tracker"
    shared = {
        (row, "FPS")
        for row, group in enumerate(groups)
        if not all(scored.ranked for scored in group.runs)
    }
    return Table(
        title=label(runs, dataset),
        frame=frame,
        columns=_columns(frame),
        sections=sections,
        parentheses=frozenset(shared),
        unranked=frozenset(unranked),
        marks=marks,
        notes=(*remarks, *notes),
    )


def _with_spread(
    own: pd.DataFrame, groups: Sequence[SeedGroup], *, intervals: bool
) -> pd.DataFrame:
    """Columns of intervals and of the deviation over seeds, where there are any."""
    scores = [name for name in _ordered(own) if name not in ("FPS", _PART)]
    for name in scores if intervals else scores[:1]:
        low, high = zip(*(group.interval(name) for group in groups), strict=True)
        if not all(np.isnan(low)):
            titles = (f"{name} low", f"{name} high") if intervals else (_LOW, _HIGH)
            own = own.assign(**dict(zip(titles, (low, high), strict=True)))
    if any(len(group.runs) > 1 for group in groups):
        for name in scores if intervals else scores[:1]:
            title = f"{name} {_SPREAD}" if intervals else _SPREAD
            own = own.assign(**{title: [group.deviation(name) for group in groups]})
        own = own.assign(**{_SEEDS: [len(group.runs) for group in groups]})
    return own


def measure_tables(
    runs: Sequence[ScoredRun], dataset: str, *, intervals: bool = False, each_seed: bool = False
) -> list[Table]:
    """What the runs' sequence metrics found, a few columns a table; none without such metrics.

    Args:
        intervals, each_seed: as in `main_table`.
    """
    groups, known = by_seed(runs, apart=each_seed), known_columns(runs)
    own = pd.DataFrame([g.scores() for g in groups], index=[group.name for group in groups])
    own = own.reindex(columns=list(known)).astype(float)
    own.index.name = "Tracker"
    tables = []
    width = 3 if intervals else 6
    starts = range(0, len(known), width)
    for number, start in enumerate(starts, 1):
        part = own.iloc[:, start : start + width]
        part = _with_spread(part, groups, intervals=True) if intervals else part
        tables.append(
            Table(
                title=f"{label(runs, dataset)}: further measures"
                + (f", {number} of {len(starts)}" if len(starts) > 1 else ""),
                frame=part[_ordered(part)],
                columns=_columns(part, known),
                notes=tuple(
                    f"{name}: {known[name].summary}"
                    + ("; lower is better." if known[name].better == "lower" else ".")
                    for name in own.columns[start : start + width]
                ),
            )
        )
    return tables


def published_table(numbers: Published) -> Table:
    """Published numbers alone, for a look at another dataset."""
    title = f"Published numbers for {numbers.dataset}: not comparable with other datasets"
    return main_table([], title, numbers)


def sequence_table(runs: Sequence[ScoredRun], dataset: str, measure: str = "J&F") -> Table:
    """One measure by sequence (mean over its objects) for every run; the mean over sequences in
    the last row.

    Raises:
        RunError: no run has this measure.
    """
    frame = pd.DataFrame({s.name: measure_values(s, measure, "sequence") for s in runs})
    part = label(runs, "")
    frame.loc[f"mean over {part}" if part else "mean over sequences"] = frame.mean()
    frame.index.name = "Sequence"
    column = measure_column(measure, known_columns(runs))
    return Table(
        title=f"{label(runs, dataset)}: {measure} by sequence",
        frame=frame,
        columns=dict.fromkeys(map(str, frame), column),
        sections=(len(frame) - 1,),
        best_along="rows",
        notes=_BY_SEQUENCE if any(len(s.run.record.sequences) != _objects(s) for s in runs) else (),
    )


def _objects(scored: ScoredRun) -> int:
    return 0 if scored.summary is None else scored.summary.objects


def plot_points(table: Table) -> pd.DataFrame:
    """What `vosbench.export.plots.plane_plot` draws, from a table of `main_table`: columns `name`,
    `score`, `fps`, `published`, `shared` for the rows that have both score and FPS."""
    places = range(len(table.frame))
    frame = pd.DataFrame(
        {
            "name": table.frame.index.astype(str),
            "score": table.frame["J&F"].to_numpy() if "J&F" in table.frame else float("nan"),
            "fps": table.frame["FPS"].to_numpy() if "FPS" in table.frame else float("nan"),
            "published": [table.marks.get((row, ""), "").startswith(" [") for row in places],
            "shared": [(row, "FPS") in table.parentheses for row in places],
        }
    )
    return frame.dropna(subset=["score", "fps"]).reset_index(drop=True)


def _run_notes(
    runs: Sequence[ScoredRun], groups: Sequence[SeedGroup]
) -> tuple[list[str], dict[Place, str]]:
    notes: list[str] = []
    if any(scored.intervals() for scored in runs):
        notes.append("low, high: 95 % bootstrap interval over whole videos.")
    if any(len(group.runs) > 1 for group in groups):
        notes.append(f"Rows of several seeds: their mean; {_SPREAD}: standard deviation.")
    notes += [
        f"{name}: seeds are not averaged, for {what} was not the same for all."
        for name, what in mixed_codes(runs).items()
    ]
    marks: dict[Place, str] = {}
    if any(scored.run.record.shared_machine for scored in runs):
        notes.append("(FPS): the machine did other work meanwhile; not ranked.")
    if any(scored.run.record.derived_timing for scored in runs):
        notes.append("(FPS): one run gave several answers, its time was shared out; not ranked.")
    if any(scored.run.record.imported and scored.run.timing() for scored in runs):
        notes.append("(FPS): stated when the masks were imported, not measured; not ranked.")
    notes += [f"{s.name}: {s.run.record.wrapped}." for s in runs if s.run.record.wrapped]
    if any(s.summary is not None and find_protocol(s.summary.protocol).caveat for s in runs):
        notes.append("Unofficial scores: the program of the evaluation server is not public.")
    reasons = incomparable_reasons(runs)
    for row, group in enumerate(groups):
        why = [reason for scored in group.runs for reason in reasons.get(scored.name, ())]
        if why:
            sign = "*" * (len(marks) + 1)
            marks[(row, "")] = sign
            notes.append(f"{sign} Not comparable: {'; '.join(dict.fromkeys(why))}.")
    if any(scored.summary is None and scored.run.complete for scored in runs):
        notes.append("Not scored: the annotations are not public.")
    return notes, marks


def _mean_fps(group: SeedGroup) -> float:
    timings = [scored.run.timing() for scored in group.runs]
    known = [timing.fps for timing in timings if timing is not None]
    return float(np.mean(known)) if known else float("nan")


def _say(fact: Hashable) -> str:
    return f"{len(fact)} sequences" if isinstance(fact, frozenset) else str(fact)


def _ordered(frame: pd.DataFrame) -> list[str]:
    there = [str(name) for name in frame.columns]
    last = [name for name in ("FPS", _SEEDS, _PART) if name in there]
    spread = [name for name in there if name in _SPREADS or name.rpartition(" ")[2] in _SUFFIXES]
    others = [n for n in there if n not in (*_ORDER, *_LEFT_OUT, *last, *spread)]
    scores = [*(name for name in _ORDER if name in there), *others]
    ordered = []
    for position, name in enumerate(scores):
        own = [f"{name} {suffix}" for suffix in _SUFFIXES]
        own += _SPREADS if position == 0 else []
        ordered += [name, *(title for title in own if title in spread)]
    return [*ordered, *last]


def parts_column(runs: Sequence[ScoredRun]) -> dict[str, list[str]]:
    """The column that says how much of the dataset each run is over; none if all are over all."""
    if not any(scored.part for scored in runs):
        return {}
    return {_PART: [(s.part or f"all {s.whole or len(s.sequences)}") for s in runs]}


def _columns(
    frame: pd.DataFrame, known: Mapping[str, MeasureColumn] | None = None
) -> dict[str, Column]:
    """How each column is printed; `known` says what is not a share, or better when low."""
    columns = {}
    for name in map(str, frame.columns):
        measure = (known or {}).get(name)
        if name in (_LOW, _HIGH, _SPREAD) or name.rpartition(" ")[2] in _SUFFIXES:
            columns[name] = Column(scale=100)
        elif measure is not None:
            best: Literal["max", "min"] = "min" if measure.better == "lower" else "max"
            scale, decimals = (100, 1) if measure.unit == "share" else (1, 1)
            decimals = decimals if measure.unit else 3
            columns[name] = Column(scale=scale, decimals=decimals, best=best)
        else:
            columns[name] = PERCENT_LOW if name.endswith("Decay") else PERCENT
    return columns | {"FPS": FPS, _PART: Column(), _SEEDS: Column(decimals=0)}


def measure_column(name: str, known: Mapping[str, MeasureColumn]) -> Column:
    """How the values of a measure are printed, and which of them is best."""
    return _columns(pd.DataFrame(columns=[name]), known)[name]


def known_columns(runs: Sequence[ScoredRun]) -> dict[str, MeasureColumn]:
    """What the runs' scores say about the columns of their sequence metrics, by name."""
    found = [scored.summary for scored in runs if scored.summary is not None]
    return {column.name: column for summary in found for column in summary.columns}


def measure_values(scored: ScoredRun, measure: str, unit: str) -> pd.Series[float]:
    """One measure of a run by sequence (mean over its objects), or by (sequence, object) for unit
    "object"; in 0..1.

    Raises:
        RunError: the run has no scores or no such measure.
    """
    if scored.evaluation is None:
        raise RunError(f"run {scored.name} has no scores to compare")
    if unit == "object":
        objects = scored.evaluation.objects.rename(columns=lambda c: c.removesuffix("-Mean"))
        table = objects.set_index(["sequence", "object"])
        if "J&F" not in table and {"J", "F"} <= set(table.columns):
            table = table.assign(**{"J&F": (table["J"] + table["F"]) / 2})
    else:
        table = scored.evaluation.sequences
    if measure not in table:
        has = ", ".join(map(str, table.columns))
        raise RunError(f"run {scored.name} has no measure {measure!r}", f"It has: {has}.")
    values: pd.Series[float] = table[measure]
    return values
