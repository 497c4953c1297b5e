"""Runs beside each other and beside published numbers.

Everything here goes from runs to `Table`s by pure functions; `vosbench.export` turns those into
text. Scores are in 0..1 inside and printed in percent, as papers do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import pandas as pd

from vosbench.analysis.published import Published, published
from vosbench.analysis.scored import ScoredRun
from vosbench.analysis.statistics import clustered_difference, paired_difference
from vosbench.errors import RunError
from vosbench.export import Column, Place, Table
from vosbench.store import Run

PERCENT = Column(scale=100, decimals=1, best="max")
PERCENT_LOW = Column(scale=100, decimals=1, best="min")
FPS = Column(decimals=1, best="max", significant=2)

#: Global scores in the order shown; others, of plugins' metrics, follow.
_ORDER = ("J&F", "J", "J-Recall", "J-Decay", "F", "J-seen", "F-seen", "J-unseen", "F-unseen")
_PUBLISHED = "†"
_PART = "Part"
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
        ("protocol", lambda s: s.evaluation.protocol if s.evaluation else s.run.record.protocol),
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
    if len({frozenset(scored.sequences) for scored in runs}) != 1:
        return dataset
    return ", ".join(filter(None, (dataset, runs[0].part)))


def published_beside(
    dataset: str, runs: Sequence[ScoredRun]
) -> tuple[Published | None, tuple[str, ...]]:
    """The published numbers that may stand beside `runs`, and a remark where there are none."""
    numbers = published(dataset)
    if numbers is None:
        return None, (f"No published numbers for {dataset}; --published NAME shows others, apart.",)
    counts = {len(scored.sequences) for scored in runs}
    if counts != {numbers.sequences}:
        remark = f"Published numbers left out: they are over all {numbers.sequences} sequences."
        return None, (remark,)
    return numbers, ()


def main_table(
    runs: Sequence[ScoredRun],
    dataset: str,
    numbers: Published | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """Runs, then published methods: global scores and FPS, best in bold.

    FPS counts frames over the whole time of a tracker, initialisation and updates included. Where
    the machine was shared it stands in parentheses; neither that nor the FPS of published methods,
    measured on other hardware, is ranked. Where a run is over a part of the dataset, a column says
    how much of it.
    """
    own = pd.DataFrame(
        [scored.scores() | {"FPS": _fps(scored.run)} for scored in runs],
        index=[scored.name for scored in runs],
    ).assign(**_parts(runs))
    frame = own
    remarks, marks = _run_notes(runs)
    sections: tuple[int, ...] = ()
    unranked: set[Place] = set()
    if numbers is not None:
        theirs = numbers.rows.drop(columns="fine_tuning")
        frame = pd.concat([own, theirs.dropna(axis="columns", how="all")])
        sections = (len(own),) if len(own) else ()
        positions = range(len(own), len(frame))
        marks |= {(position, ""): _PUBLISHED for position in positions}
        unranked = {(position, "FPS") for position in positions}
        fps = f" FPS {numbers.fps}, on other hardware: not ranked." if numbers.fps else ""
        remarks.append(f"{_PUBLISHED} Published: {numbers.source}.{fps}")
    frame = frame[_ordered(frame)]
    frame.index.name = "Tracker"
    return Table(
        title=label(runs, dataset),
        frame=frame,
        columns=_columns(frame),
        sections=sections,
        parentheses=frozenset((row, "FPS") for row, scored in enumerate(runs) if not scored.ranked),
        unranked=frozenset(unranked),
        marks=marks,
        notes=(*remarks, *notes),
    )


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
    frame.loc[f"mean of {part}" if part else "mean"] = frame.mean()
    frame.index.name = "Sequence"
    column = PERCENT_LOW if measure.endswith("Decay") else PERCENT
    return Table(
        title=f"{label(runs, dataset)}: {measure} by sequence",
        frame=frame,
        columns=dict.fromkeys(map(str, frame), column),
        sections=(len(frame) - 1,),
        best_along="rows",
    )


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
            "Better": result.wins,
            "Worse": result.losses,
            "Pairs": result.count,
        }
    signed = Column(scale=100, decimals=1, signed=True)
    others = [scored for scored in runs if scored is not base]
    frame = pd.DataFrame.from_dict(rows, orient="index").assign(**_parts(others))
    frame.index.name = "Tracker"
    counted = "objects of each sequence together" if unit == "object" else "sequences"
    return Table(
        title=f"{label(runs, dataset)}: {measure} minus that of {base.name}, over {unit}s",
        frame=frame,
        columns={
            "Difference": signed,
            "95% low": signed,
            "95% high": signed,
            "p": Column(decimals=3, significant=2),
            **{name: Column(decimals=0) for name in ("Better", "Worse", "Pairs")},
        },
        notes=(
            "Mean over pairs with its BCa bootstrap interval (10000 resamples of whole sequences, "
            "fixed seed); p: Wilcoxon signed-rank test, two-sided, not corrected for several "
            f"comparisons. Pairs: {counted}.",
        ),
    )


def plot_points(table: Table) -> pd.DataFrame:
    """What `vosbench.export.plots.plane_plot` draws, from a table of `main_table`: columns `name`,
    `score`, `fps`, `published`, `shared` for the rows that have both score and FPS."""
    places = range(len(table.frame))
    frame = pd.DataFrame(
        {
            "name": table.frame.index.astype(str),
            "score": table.frame["J&F"].to_numpy() if "J&F" in table.frame else float("nan"),
            "fps": table.frame["FPS"].to_numpy() if "FPS" in table.frame else float("nan"),
            "published": [table.marks.get((row, "")) == _PUBLISHED for row in places],
            "shared": [(row, "FPS") in table.parentheses for row in places],
        }
    )
    return frame.dropna(subset=["score", "fps"]).reset_index(drop=True)


def _run_notes(runs: Sequence[ScoredRun]) -> tuple[list[str], dict[Place, str]]:
    notes: list[str] = []
    marks: dict[Place, str] = {}
    if any(scored.run.record.shared_machine for scored in runs):
        notes.append("(FPS): the machine did other work meanwhile; not ranked.")
    if any(scored.run.record.derived_timing for scored in runs):
        notes.append("(FPS): one run gave several answers, its time was shared out; not ranked.")
    notes += [f"{s.name}: {s.run.record.wrapped}." for s in runs if s.run.record.wrapped]
    if any(scored.evaluation is not None and not scored.evaluation.official for scored in runs):
        notes.append("Unofficial scores: the program of the evaluation server is not public.")
    reasons = incomparable_reasons(runs)
    for row, scored in enumerate(runs):
        if scored.name in reasons:
            sign = "*" * (len(marks) + 1)
            marks[(row, "")] = sign
            notes.append(f"{sign} Not comparable: {'; '.join(reasons[scored.name])}.")
    if any(scored.evaluation is None and scored.run.complete for scored in runs):
        notes.append("Not scored: the annotations are not public; see `vosbench pack`.")
    return notes, marks


def _fps(run: Run) -> float:
    timing = run.timing()
    return float("nan") if timing is None else timing.fps


def _say(fact: Hashable) -> str:
    return f"{len(fact)} sequences" if isinstance(fact, frozenset) else str(fact)


def _ordered(frame: pd.DataFrame) -> list[str]:
    there = [str(name) for name in frame.columns]
    last = [name for name in ("FPS", _PART) if name in there]
    others = [n for n in there if n not in _ORDER and n not in _LEFT_OUT and n not in last]
    scores = [name for name in _ORDER if name in there]
    return [*scores, *others, *last]


def _parts(runs: Sequence[ScoredRun]) -> dict[str, list[str]]:
    """The column that says how much of the dataset each run is over; none if all are over all."""
    if not any(scored.part for scored in runs):
        return {}
    return {_PART: [(s.part or f"all {s.whole or len(s.sequences)}") for s in runs]}


def _columns(frame: pd.DataFrame) -> dict[str, Column]:
    columns = {
        name: PERCENT_LOW if name.endswith("Decay") else PERCENT for name in map(str, frame.columns)
    }
    return columns | {"FPS": FPS, _PART: Column()}


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


def _one(runs: Sequence[ScoredRun], name: str) -> ScoredRun:
    found = [s for s in runs if s.name == name] or [s for s in runs if s.run.record.tracker == name]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(s.name for s in found or runs)
    problem = "several runs fit" if found else "no run fits"
    raise RunError(f"{problem} --against {name}", f"Name one of: {listed}.")
